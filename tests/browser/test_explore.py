"""The pages of `emm1 explore` in a real browser, with small real media and hostile captions."""

from __future__ import annotations

import json
import struct
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from clients import TOP, Client, NotAvailableError
from exploring import Explored, exploring

import emm1

NPM = ("npm", "ci", "--loglevel", "error", "--no-audit", "--no-fund")
CHROMIUM = Client("Chromium", "browser", str(TOP / "tests" / "browser"), (NPM, ("node", "browser.mjs")), ())
HOSTILE = "</a><img src=x onerror='globalThis.ran = true'><script>globalThis.ran = true</script> &amp;"


def png(width: int) -> bytes:
    """A picture of one line."""
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, 1, 8, 0, 0, 0, 0),
        b"IDAT": zlib.compress(bytes(width + 1)),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def ball() -> np.ndarray[Any, np.dtype[np.float32]]:
    """A ball of points, red above and blue below."""
    random = np.random.default_rng(1)
    xyz = random.standard_normal((3000, 3))
    xyz /= np.linalg.norm(xyz, axis=1, keepdims=True)
    return np.hstack([xyz, np.where(xyz[:, 2:] > 0, [1, 0, 0], [0, 0, 1])]).astype(np.float32)


def put_media(store: emm1.Store) -> None:
    """Give the first items files; names are kept, since browsers go by the bytes of pictures."""
    rows = store.sql(
        "SELECT modality::VARCHAR, id, file_path FROM assets WHERE dataset = '100m' AND "
        "(modality IN ('image', 'audio') AND id = 0 OR modality = 'points' AND id < 3)"
    ).fetchall()
    for modality, number, path in rows:
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if modality == "points":
            np.save(file, (ball(), np.full((9, 6), np.nan, np.float32), np.zeros((0, 6), np.float32))[number])
            continue
        if modality == "image":
            file.write_bytes(png(7))
            continue
        with wave.open(str(file), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(2 * 8000))


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    try:
        CHROMIUM.install()
    except NotAvailableError as error:
        pytest.skip(f"no browser: {error}")
    folder = tmp_path_factory.mktemp("explore")
    tree, path = folder / "sample", folder / "emm1.duckdb"
    emm1.write_sample(tree, scale=0.0002, embeddings=16)
    for split, modality, column in (
        ("100m", "text", "caption"),
        ("1m", "text", "caption"),
        ("100m", "audio", "file_name"),
    ):
        file = tree / f"e-mm1_{split}/infos/{modality}.csv"
        rows = pl.read_csv(file, infer_schema=False)
        value = pl.lit(HOSTILE) if column == "caption" else pl.col(column).str.replace("mp4$", "wav")
        rows.with_columns(value.alias(column)).write_csv(file)
    with emm1.build(tree, path) as store:
        store.add_embeddings("text", tree / "embeddings/text.npy", dataset="100m", modality="text")
        put_media(store)
        store.index_captions()
    with exploring(path) as server:
        yield Explored(path, tree, server)


def first_captions(explored: Explored) -> list[int]:
    """The first captions that have groups."""
    rows = explored.sql("SELECT DISTINCT encord_text_id FROM e_mm1_100m.groups ORDER BY 1 LIMIT 2")
    return [caption for (caption,) in rows]


def run(explored: Explored, program: str, *arguments: object) -> dict[str, Any]:
    """What a program in the browser printed."""
    server = explored.server
    done = CHROMIUM.run(
        "node", f"HERE/{program}", server.url, *map(str, arguments), where=explored.store.parent, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def seen(explored: Explored) -> dict[str, Any]:
    caption, _ = first_captions(explored)
    paths = [
        "/",
        f"/items/100m/text/{caption}?like=text",
        f"/items/100m/text/{caption}?nn_index=all",
        f"/items/100m/text/{caption}?nn_index=all&modality=points",
        "/items/100m/points/0",
        "/items/100m/image/0",
        "/items/100m/audio/0",
        "/items/1m/text/0",
        "/triplets",
        "/search?words=script",
        "/search?words=7",
    ]
    return run(explored, "see_explore.mjs", *paths)


def test_nothing_is_reported_or_requested_elsewhere(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []


def test_every_page_can_be_used_by_everyone(seen: dict[str, Any]) -> None:
    assert len(seen["looks"]) == 22
    for look in seen["looks"]:
        assert (look["path"], look["status"], look["violations"]) == (look["path"], 200, [])
        assert look["scrollWidth"] <= look["width"]


def test_hostile_captions_are_text(seen: dict[str, Any]) -> None:
    shown = [look for look in seen["looks"] if HOSTILE in look["text"]]
    assert {look["path"].partition("?")[0] for look in shown} >= {"/", "/items/1m/text/0", "/triplets", "/search"}
    assert not any(look["ran"] for look in seen["looks"])


def test_media_are_shown(seen: dict[str, Any]) -> None:
    for look in seen["looks"]:
        if look["path"] == "/items/100m/image/0":
            assert look["images"] == [7]
        if look["path"] == "/items/100m/audio/0":
            assert look["durations"] == [1]


def test_by_keyboard_alone(seen: dict[str, Any]) -> None:
    assert seen["reached"]["url"].startswith("/items/100m/text/")
    assert seen["reached"]["pressed"] < 20


def test_another_page_gets_nothing(seen: dict[str, Any]) -> None:
    assert seen["foreign"] == "TypeError: Failed to fetch"


@pytest.fixture(scope="module")
def walked(explored: Explored) -> dict[str, Any]:
    return run(explored, "walk_explore.mjs", first_captions(explored)[0], 0, 1, 2)


def test_keys_lead_from_page_to_page(explored: Explored, walked: dict[str, Any]) -> None:
    ids = [number for (number,) in explored.sql("SELECT encord_text_id FROM e_mm1_100m.text ORDER BY 1 LIMIT 6")]
    assert walked["captions"] == [
        ["j", f"/?dataset=100m&after={ids[2]}&limit=3"],
        ["j", f"/?dataset=100m&after={ids[5]}&limit=3"],
        ["k", f"/?dataset=100m&before={after(explored, ids[5])}&limit=3"],
    ]


def after(explored: Explored, number: int) -> int:
    """The id of the caption after another."""
    ((found,),) = explored.sql(
        "SELECT min(encord_text_id) FROM e_mm1_100m.text WHERE encord_text_id > $number", number=number
    )
    return int(found)


def test_keys_lead_through_the_groups(explored: Explored, walked: dict[str, Any]) -> None:
    caption, _ = first_captions(explored)
    this, following = (f"/items/100m/text/{each}" for each in (caption, after(explored, caption)))
    assert walked["groups"] == [
        ["l", f"{this}?nn_index=2"],
        ["3", f"{this}?nn_index=3"],
        ["h", f"{this}?nn_index=2"],
        ["p", f"{this}?nn_index=2&modality=points"],
        ["0", f"{this}?nn_index=all&modality=points"],
        ["e", f"{this}?nn_index=all"],
        ["j", f"{following}?nn_index=all"],
        ["k", f"{this}?nn_index=all"],
        ["1", f"{this}?nn_index=1"],
        ["m", f"{this}?like=text&nn_index=1"],
        ["g t", "/triplets"],
        ["g c", "/?dataset=100m"],
    ]


def test_keys_are_explained_and_can_be_switched_off(explored: Explored, walked: dict[str, Any]) -> None:
    this = f"/items/100m/text/{first_captions(explored)[0]}"
    assert walked["written"] == [this, "j7?", 0]
    assert "next caption" in walked["help"]
    assert "the report" not in walked["help"]  # none was named
    assert walked["off"] == this
    assert walked["on"] == [["l", f"{this}?nn_index=2"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_point_cloud_is_drawn_and_turned_by_keys(walked: dict[str, Any], scheme: str) -> None:
    cloud = walked["clouds"][scheme]
    assert "3,000 points" in cloud["text"]
    assert "arrow keys turn it" in cloud["label"]
    assert cloud["url"] == "/items/100m/points/0"  # its keys are not the page's
    first = cloud["first"]
    assert min(first["red"], first["blue"]) > 1000
    assert cloud["still"] == first  # readers prefer that nothing moves
    assert len({seen["sum"] for key, seen in cloud.items() if isinstance(seen, dict) and key != "still"}) == 5
    assert cloud["ArrowUp"]["red"] / cloud["ArrowUp"]["blue"] > first["red"] / first["blue"]  # seen from above
    assert sum(cloud["+"][colour] - cloud["ArrowUp"][colour] for colour in ("red", "blue")) > 0  # nearer


def test_a_point_cloud_turns_by_itself_until_it_is_stopped(walked: dict[str, Any]) -> None:
    first, later, stopped, at_last = walked["turning"]
    assert min(first["red"], first["blue"]) > 1000
    assert first["sum"] != later["sum"]
    assert stopped == at_last


def test_what_is_said_where_there_is_nothing_to_draw(walked: dict[str, Any]) -> None:
    for damaged in ("broken", "empty"):
        assert "cannot be read as a point cloud: " in walked["messages"][damaged]
    assert walked["messages"]["without"].startswith("This browser cannot draw in 3-D: it has no WebGL.")
    for message in (*walked["messages"].values(), walked["withoutScript"]):
        assert "Point cloud, " in message  # the file can be had
    assert walked["problems"] == []
