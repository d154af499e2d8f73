"""Overlaps are those that plain loops find; lists are read as people write them, and what they do not say is told."""

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from overlaps import TABLES, items, overlaps
from system import emm1_cli

import emm1
from emm1.curation.leakage.lists import read_list


@pytest.fixture(scope="module")
def small(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with few items, of which many overlap: some nearly."""
    path = Path(shutil.copy(store_path, tmp_path_factory.mktemp("small") / "emm1.duckdb"))
    random = Random(3)  # noqa: S311 - no secret
    ids = {"image": ["000123", "123", "https://x.y/123.jpg", ""], "points": ["0A" * 16, "0a" * 16, "b", ""]}
    with duckdb.connect(str(path)) as connection:
        for dataset, modality, table, key in TABLES:
            connection.execute(
                f"DELETE FROM {table} WHERE {key} NOT IN (SELECT {key} FROM {table} ORDER BY ALL LIMIT 40)"
            )
            for (number,) in connection.execute(f"SELECT {key} FROM {table} ORDER BY ALL").fetchall():
                if modality in ids:
                    values: dict[str, Any] = {"file_id": random.choice(ids[modality])}
                else:
                    values = {
                        "youtube_id": random.choice(["-bcdefghijk", "-BCDEFGHIJK", "00000000001", None]),
                        "start_time": random.choice([0.0, 9.5, 10.0, 20.0, 1e3, float("nan"), None]),
                        "end_time": random.choice([None, float("nan"), 5.0, 19.5, 30.0, float("inf")]),
                        "file_name": random.choice(["a.mp4", "b.mp4", "c.mp4", None]),
                    }
                for column, value in values.items():
                    if random.random() < 0.3:
                        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", [value, number])
                label = random.choice(["train", "train", "train", "test", "validation", "purged"])
                if dataset != "eshot":
                    connection.execute("INSERT INTO splits VALUES (?, ?, ?, ?)", [dataset, modality, number, label])
    return path


def found(report: emm1.LeakageReport) -> list[tuple[Any, ...]]:
    return report.pairs.drop("detail").rows()


def test_overlaps_are_those_that_loops_find(small: Path) -> None:
    with emm1.open(small, read_only=True) as store:
        report = store.leakage(flag=False)
    expected = overlaps(small)
    assert len(found(report)) == len(expected)
    assert set(found(report)) == expected
    assert {row[-1] for row in expected} == {"file", "youtube", "object", "source"}
    training = {(i.dataset, i.modality, i.id) for i in items(small) if i.side in ("100m", "1m") and not i.purged}
    own = ("validation", "test")
    leaking = {p[1:4] for p in expected if p[4] == "eshot" or (p[0] not in own and p[4] in own)}
    assert {p[0] for p in expected if p[4] == "eshot"} == {"100m", "1m", *own}
    assert set(report.leaking.select("dataset", "modality", "id").rows()) == leaking
    assert len(report.leaking) == len(leaking)
    clean = [(side, *row) for side in ("100m", "1m") for row in report.clean(side).rows()]
    assert {row for row in clean if row[1] != "text"} == training - leaking
    assert len(clean) == len(set(clean))
    counts = report.to_frame()
    assert counts["pairs"].sum() == len(expected)
    for row in counts.iter_rows(named=True):
        of = [
            p
            for p in expected
            if (p[0], p[2], p[4], p[6], p[8]) == tuple(row[c] for c in row if c not in ("pairs", "items_a", "items_b"))
        ]
        assert (row["items_a"], row["items_b"]) == (len({p[1:4] for p in of}), len({p[5:8] for p in of}))


def test_flags_and_files(small: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(small, tmp_path / "emm1.duckdb"))
    with emm1.open(path) as store:
        (number,) = store.sql("SELECT min(encord_image_id) FROM e_mm1_100m.image").fetchall()[0]
        store.add_flags({"dataset": ["100m"], "modality": ["image"], "id": [number]}, "leak")
    done = emm1_cli("leakage", path, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with emm1.open(path, read_only=True) as store:
        report = store.leakage(flag=False)
        assert str(report) in done.stdout
        flags = store.sql("FROM flags WHERE source = 'leakage'").pl()
        assert sorted(flags.drop("source", "at").rows()) == sorted(report.leaking.rows())
        assert store.sql("SELECT count(*) FROM flags WHERE source = 'basket'").fetchall() == [(1,)]
        with pytest.raises(emm1.StoreError, match="open for reading only: open it for writing to flag items"):
            store.leakage()
    assert set(flags["flag"]) == {"leak"}
    assert pl.read_parquet(tmp_path / "out" / "pairs.parquet").drop("detail").rows() == found(report)
    for side in ("100m", "1m"):
        assert pl.read_parquet(tmp_path / "out" / f"clean-{side}.parquet").rows() == report.clean(side).rows()
    again = emm1_cli("leakage", path, "--output", tmp_path / "counts.csv")
    assert again.returncode == 0
    assert pl.read_csv(tmp_path / "counts.csv").rows() == [tuple(row) for row in report.to_frame().rows()]
    with emm1.open(path) as store:
        assert store.sql("SELECT count(*) FROM flags WHERE source = 'leakage'").fetchall() == [(len(flags),)]
        with pytest.raises(emm1.StoreError, match="'eshot' is no side for training: 100m or 1m"):
            report.clean("eshot")


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


ID = "-bCdEfGhIj_"
READ: list[tuple[str, str | bytes, list[dict[str, Any]]]] = [
    ("bom.csv", f"\ufeffyoutube_id,start_time\n\n{ID},4\n", [{"row": 2, "video": ID, "clip_start": 4.0}]),
    ("quoted.csv", f'"YouTube ID","Start Time","note"\r\n"{ID}","4.5","a ""b"", c"\r\n', [{"row": 1, "video": ID, "clip_start": 4.5}]),
    ("audioset.csv", f'# Segments csv created Sun Mar 5 10:54:31 2017\n# num_ytids=1\n# YTID, start_seconds, end_seconds, positive_labels\n{ID}, 30.000, 40.000, "/m/09x0r,/t/dd00088"\n', [{"row": 1, "video": ID, "clip_start": 30.0, "clip_end": 40.0}]),
    ("audiocaps.csv", f"audiocap_id,youtube_id,start_time,caption\n103549,{ID},130,Birds\n", [{"row": 1, "video": ID, "clip_start": 130.0}]),
    ("vggsound.csv", f"{ID},1,people marching,test\n{ID},20,x,train\n", [{"row": 1, "video": ID, "clip_start": 1.0}, {"row": 2, "video": ID, "clip_start": 20.0}]),
    ("nan.csv", f"ytid,start,end\n{ID},NaN,7\n{ID},,\n{ID},inf,7\n", [{"row": n, "video": ID, "clip_start": None} for n in (1, 2, 3)]),
    ("lines.txt", f"# ids\n{ID}\n\n{ID} 3 8\nhttps://www.youtube.com/watch?v={ID}&t=3\n", [{"row": 2, "video": ID}, {"row": 4, "video": ID, "clip_start": 3.0, "clip_end": 8.0}, {"row": 5, "video": ID}]),
    ("names.txt", f"audio/{ID}_130.wav\nY{ID}.wav\n{ID}_000030_000040.mp4\n", [{"row": 1, "name": f"{ID}_130.wav", "video": ID, "clip_start": 130.0}, {"row": 2, "video": ID}, {"row": 3, "video": ID, "clip_start": 30.0, "clip_end": 40.0}]),
    ("flickr.jsonl", '{"image": "1007129816.jpg", "split": "test"}\n\n{"image": "e-mm1_1m_only/image/7.jpg"}\n', [{"row": 1, "name": "1007129816.jpg", "source_id": "1007129816.jpg"}, {"row": 3, "folder": "e-mm1_1m_only", "name": "7.jpg", "source_id": None}]),
    ("uids.json", json.dumps([{"uid": "0A" * 16}, "0a" * 16]), [{"row": 1, "object": "0A" * 16}, {"row": 2, "object": "0a" * 16}]),
    ("items.csv", "dataset,modality,id\n1m,image,7\neshot,image,7\n1m,image,x\n", [{"row": 1, "dataset": "1m", "modality": "image", "id": 7}]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), READ, ids=[name for name, *_ in READ])
def test_lists_are_read(tmp_path: Path, name: str, text: str, expected: list[dict[str, Any]]) -> None:
    listed = read_list(write(tmp_path / name, text))
    rows = listed.rows.rows(named=True)
    assert [{key: row[key] for key in want} for row, want in zip(rows, expected, strict=True)] == expected
    assert len(rows) + len(listed.unknown) == listed.total
    if name == "nan.csv":
        assert listed.untimed == [1, 2, 3]
    if name == "items.csv":
        assert listed.unknown == [2, 3]


REFUSED: list[tuple[str, str | bytes, str]] = [
    ("empty.csv", "", "empty.csv has no rows: there is nothing to compare with"),
    ("blank.txt", "\n \n", "blank.txt has no rows"),
    ("header.csv", "youtube_id\n", "header.csv has no rows"),
    (
        "wrong.csv",
        "description,other_title\na b,c\n",
        "wrong.csv: no column is known; the columns are description, other_title",
    ),
    ("latin.csv", b"youtube_id\n\nabc\xe9\n", "latin.csv: line 3 is not UTF-8"),
    ("nul.txt", "a\nb\0\n", "nul.txt: line 2 has a NUL character"),
    ("broken.jsonl", '{"uid": 1}\n{"uid"\n', "broken.jsonl: line 2 cannot be read as JSON"),
    ("number.json", "[1]", "number.json: row 1 is neither an object nor a text"),
    ("quote.csv", 'youtube_id\n"a\n', "quote.csv: line 2 cannot be read as CSV"),
    ("ids.xlsx", "", "ids.xlsx is no list: it must end in .csv, "),
    ("none.csv", "youtube_id\nshort\nlonger than that\n", "none.csv: no row names a YouTube id"),
    ("fake.parquet", "no", "fake.parquet cannot be read"),
]


@pytest.mark.parametrize(("name", "text", "message"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_lists_that_say_nothing_are_refused(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    with pytest.raises(emm1.Error) as refused:
        read_list(write(tmp_path / name, text))
    assert message in str(refused.value)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(emm1.FileNotFoundError, match=r"none\.csv does not exist"):
        read_list(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(emm1.Error, match=r"folder\.csv is a folder"):
        read_list(tmp_path / "folder.csv")


def test_a_list_finds_what_loops_find(store_path: Path, tmp_path: Path) -> None:
    every = items(store_path)
    clips = [item for item in every if item.modality in ("audio", "video") and item.text("youtube_id")]
    asked = [
        (item.text("youtube_id"), item.times[0] + shift) for item in clips[::97] for shift in (-10, -9.5, 0, 9.5, 10)
    ]
    asked += [(video.swapcase(), start) for video, start in asked[:5]] + asked[:2]
    rows = "".join(f"{video},{start}\n" for video, start in asked)
    with emm1.open(store_path, read_only=True) as store:
        report = store.leakage(write(tmp_path / "vgg.csv", f"youtube_id,start_time\n{rows}"), flag=False)
    expected = {
        (item.dataset, item.modality, item.id, number)
        for number, (video, start) in enumerate(asked, 1)
        for item in every
        if item.video == video and item.times[0] < start + 10 and start < item.times[1]
    }
    kept = report.pairs.select("dataset_a", "modality_a", "id_a", "id_b").rows()
    assert sorted(kept) == sorted(expected)
    assert set(report.pairs["kind"]) == {"youtube"}
    assert report.found == {row[-1] for row in expected}
    count = len(report.found)
    assert report.summary[0] == f"vgg: {len(asked):,} rows, of which {count:,} were found: {count:,} by youtube"
    assert report.source == "leakage vgg"


def test_names_and_items_of_the_store(store_path: Path, tmp_path: Path) -> None:
    every = items(store_path)
    with emm1.open(store_path, read_only=True) as store:
        for modality, kind in [("audio", "file"), ("points", "object"), ("image", "source")]:
            wanted = next(
                i for i in every if (i.dataset, i.modality) == ("1m", modality) and i.row["save_folder"] == "shared"
            )
            name = wanted.text("file_id") or wanted.text("file_name")
            report = store.leakage(write(tmp_path / "own.txt", f"{name}\n"), flag=False)
            pairs = report.pairs.filter(pl.col("kind") == kind).select("dataset_a", "modality_a", "id_a").rows()
            assert ("1m", modality, wanted.id) in pairs
            assert {dataset for dataset, *_ in pairs} == {"100m", "1m"}, kind  # shared: both have it
            named = {"dataset": ["1m"], "modality": [modality], "id": [wanted.id]}
            report = store.leakage(named, flag=False)
            rows = report.pairs.select("dataset_a", "id_a", "kind").rows()
            by_kind = ", ".join(f"1 by {each}" for each in sorted({row[-1] for row in rows}))
            assert report.summary[0] == f"list: 1 rows, of which 1 were found: {by_kind}"
            assert ("1m", wanted.id, "item") in rows
            assert {(dataset, kind) for dataset, _, kind in rows if dataset == "100m"} >= {("100m", kind)}
            assert [row for row in rows if row[:2] == ("1m", wanted.id)] == [("1m", wanted.id, "item")]


def test_near_vectors(small: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(small, tmp_path / "emm1.duckdb"))
    random = np.random.default_rng(1)
    chosen = [item for item in items(path) if item.modality == "audio"]
    vectors = {}
    with emm1.open(path) as store:
        for dataset in ("100m", "eshot"):
            ids = np.array([item.id for item in chosen if item.dataset == dataset])
            vectors[dataset] = ids, random.choice([-2, -1, 1, 2], (len(ids), 3)).astype(np.float32)
            np.save(tmp_path / f"{dataset}.npy", vectors[dataset][1])
            store.add_embeddings(
                f"a_{dataset}", tmp_path / f"{dataset}.npy", dataset=dataset, modality="audio", ids=ids
            )
        report = store.leakage(embeddings=[("a_100m", "a_eshot"), "a_100m"], threshold=0.9)
        with pytest.raises(emm1.Error, match="must be a cosine from -1 to 1"):
            store.leakage(threshold=float("nan"))
        with pytest.raises(emm1.Error, match="compared as a name, or as two names"):
            store.leakage(embeddings=[("a", "b", "c")])  # type: ignore[list-item]
        with pytest.raises(emm1.Error, match="'b'"):
            store.leakage(embeddings=["b"])
    sides = {(item.dataset, item.id): item.side for item in chosen}
    order = ["100m", "1m", "validation", "test", "eshot"]
    expected = set()
    for d, i, v in ((d, i, v) for d, (ids, rows) in vectors.items() for i, v in zip(ids, rows, strict=True)):
        for e, j, w in ((e, j, w) for e, (ids, rows) in vectors.items() for j, w in zip(ids, rows, strict=True)):
            norm = float(np.linalg.norm(v.astype(float)) * np.linalg.norm(w.astype(float)))
            a, b = sides[d, i], sides[e, j]
            if order.index(a) < order.index(b) and float(v @ w) / norm >= 0.9:
                expected.add((a, d, int(i), b, e, int(j)))
    near = report.pairs.filter(pl.col("kind") == "near")
    assert len(near) == len(expected)
    assert set(near.select("side_a", "dataset_a", "id_a", "side_b", "dataset_b", "id_b").rows()) == expected
    assert {row[3] for row in expected} == {"validation", "test", "eshot"}
