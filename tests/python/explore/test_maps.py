"""What the page and its scripts show of maps: the points as they are in the store, and colours that mean what the legend says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import numpy as np
import pytest
from exploring import Server, exploring

import emm1

ODD = 'a "b" <i>&'


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps of captions, videos and samples of EShot, one of embeddings that are not registered any more, and one of an odd name."""
    path = tmp_path_factory.mktemp("maps") / "emm1.duckdb"
    with emm1.build(tree, path) as store:
        for name, modality in (("text", "text"), ("video", "video"), (ODD, "text")):
            store.add_embeddings(name, tree / f"embeddings/{modality}.npy", dataset="100m", modality=modality)
        store.add_embeddings("eshot", tree / "embeddings/eshot_audio.npy", dataset="eshot", modality="audio")
        place = "sin(id * 7.1)::FLOAT, cos(id * 3.3)::FLOAT"
        for name, table, key in (
            ("text", "e_mm1_100m.text", "encord_text_id"),
            ("video", "e_mm1_100m.video", "encord_video_id"),
            ("eshot", "eshot.audio", "eshot_audio_id"),
            ("gone", "e_mm1_100m.text", "encord_text_id"),
        ):
            store.sql(f"INSERT INTO maps SELECT '{name}', id, {place} FROM (SELECT {key} AS id FROM {table})")
        store.sql("INSERT INTO maps VALUES ($name, 5, 1, 2), ($name, 2, 3, 4)", params={"name": ODD})
        store.split(20, 10)
    return path


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[Server]:
    with exploring(store) as running:
        yield running


def rows(store: Path, query: str) -> list[Any]:
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_all_maps(server: Server) -> None:
    maps = server.get("/api/map").json["maps"]
    assert [each["name"] for each in maps] == sorted(["text", "video", "eshot", "gone", ODD])
    assert {each["name"]: (each["dataset"], each["modality"]) for each in maps}["gone"] == (None, None)
    page = server.get("/map").text
    assert 'href="/map/text"' in page
    assert "<i>" not in page


@pytest.mark.parametrize("name", ["text", "video", "eshot", "gone", ODD])
def test_points_are_those_of_the_store(store: Path, server: Server, name: str) -> None:
    expected = rows(store, f"SELECT id, x, y FROM maps WHERE name = '{name}' ORDER BY id")
    answer = server.get(f"/api/map/{quote(name)}/points")
    count = len(expected)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert len(answer.body) == 12 * count
    places = np.frombuffer(answer.body, "<f4", 2 * count).reshape(-1, 2)
    ids = np.frombuffer(answer.body, "<i4", offset=8 * count)
    assert np.array_equal(ids, [row[0] for row in expected])
    assert np.array_equal(places, np.array([row[1:] for row in expected], np.float32))


@pytest.mark.parametrize(
    ("name", "column", "values"),
    [
        ("text", "source_dataset", "SELECT encord_text_id, source_dataset FROM e_mm1_100m.text"),
        ("text", "dataset_license", "SELECT encord_text_id, dataset_license FROM e_mm1_100m.text"),
        ("text", "split", "SELECT id, split FROM splits WHERE dataset = '100m' AND modality = 'text'"),
        ("video", "youtube_id", "SELECT encord_video_id, youtube_id FROM e_mm1_100m.video"),
        (
            "eshot",
            "category",
            "SELECT eshot_id, min(category) FROM eshot.categories WHERE modality = 'audio' GROUP BY ALL",
        ),
    ],
)
def test_classes_are_the_most_frequent_values(store: Path, server: Server, name: str, column: str, values: str) -> None:
    known = dict(rows(store, values))
    ids = [number for (number,) in rows(store, f"SELECT id FROM maps WHERE name = '{name}' ORDER BY id")]
    counts = Counter(str(known[number]) for number in ids if known.get(number) is not None)
    best = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:12]
    shown = server.get(f"/api/map/{name}?column={column}").json
    assert column in shown["columns"]
    colours = shown["colours"]
    assert [(each["value"], each["points"]) for each in colours["classes"]] == best
    assert colours["missing"] == sum(known.get(number) is None for number in ids)
    assert colours["other"] == sum(counts.values()) - sum(count for _, count in best)
    names = [value for value, _ in best]
    expected = [
        255 if known.get(number) is None else names.index(value) if (value := str(known[number])) in names else 12
        for number in ids
    ]
    assert list(server.get(f"/api/map/{name}/colours?column={column}").body) == expected
    page = server.get(f"/map/{name}?column={column}").text
    assert page.count('class="swatch k') == len(best) + (colours["other"] > 0)


def test_numbers_have_shades(store: Path, server: Server) -> None:
    found = rows(
        store,
        "SELECT start_time FROM maps LEFT JOIN e_mm1_100m.video ON encord_video_id = id WHERE name = 'video' ORDER BY id",
    )
    numbers = np.array([np.nan if number is None else number for (number,) in found], np.float64)
    known = np.isfinite(numbers)
    low, high = np.quantile(numbers[known], [0.01, 0.99])
    colours = server.get("/api/map/video?column=start_time").json["colours"]
    assert (colours["classes"], colours["low"], colours["high"]) == (None, low, high)
    assert colours["missing"] == np.count_nonzero(~known)
    codes = np.frombuffer(server.get("/api/map/video/colours?column=start_time").body, np.uint8)
    assert (codes[~known] == 255).all()
    shades = np.clip((numbers[known] - low) / (high - low), 0, 1) * 254
    assert np.abs(codes[known] - shades).max() <= 0.5


def test_without_a_column(server: Server) -> None:
    assert server.get("/api/map/text").json["column"] == "source_dataset"
    assert server.get("/api/map/text?column=").json["colours"] is None
    assert set(server.get("/api/map/text/colours?column=").body) == {0}
    gone = server.get("/api/map/gone").json
    assert (gone["columns"], gone["column"]) == ([], None)
    assert "nothing says what the points are" in server.get("/map/gone").text


def test_items_of_a_selection(server: Server) -> None:
    part = server.get("/map/text/items?ids=7,3").text
    assert part.index("text 7") < part.index("text 3")
    assert "<html" not in part
    assert server.get("/map/gone/items?ids=7").text.strip() == ""
    assert server.get(f"/map/{quote(ODD)}/items?ids=2").text.count("<article") == 1


@pytest.mark.parametrize("name", ["text", "video", "gone", ODD])
def test_what_is_copied_finds_the_points(store: Path, server: Server, name: str) -> None:
    page = server.get(f"/map/{quote(name)}").text
    query, program = (unescape(text) for text in re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL))
    expected = rows(store, f"SELECT id, x, y FROM maps WHERE name = '{name}' ORDER BY id")
    assert [row[:3] for row in rows(store, query)] == expected
    found: dict[str, Any] = {}
    exec(program, found)  # noqa: S102 - what somebody would run
    assert [row[:3] for row in found["rows"].fetchall()] == expected
    assert ("caption" in found["rows"].columns) == (name in {"text", ODD})
    found["store"].close()


WRONG = {
    "/map/none": 404,
    "/api/map/none": 404,
    "/api/map/none/points": 404,
    "/map/text?column=caption": 400,
    "/api/map/text?column=encord_text_id": 400,
    "/api/map/text/colours?column=1;DROP": 400,
    "/api/map/gone?column=split": 400,
    "/map/text/items": 400,
    "/map/text/items?ids=": 400,
    "/map/text/items?ids=1,x": 400,
    "/map/text/items?ids=1,,2": 400,
    "/map/text/items?ids=" + ",".join(map(str, range(101))): 400,
}


@pytest.mark.parametrize("address", WRONG)
def test_what_is_wrong_is_refused(server: Server, address: str) -> None:
    assert server.get(address).status == WRONG[address]


def test_the_picture_without_scripts(store: Path, server: Server) -> None:
    page = server.get("/map/video?column=start_time").text
    ((count,),) = rows(store, "SELECT count(*) FROM maps WHERE name = 'video'")
    assert page.count("h0") == count
    assert {f'<path class="s{shade}"' in page for shade in range(7)} == {True}
    assert 'style="' not in page


def test_a_store_without_maps(tree: Path, tmp_path: Path) -> None:
    emm1.build(tree, tmp_path / "emm1.duckdb", splits=["eshot"]).close()
    with exploring(tmp_path / "emm1.duckdb") as server:
        assert "emm1 map emm1.duckdb NAME" in server.get("/map").text
        assert server.get("/api/map").json == {"maps": []}
