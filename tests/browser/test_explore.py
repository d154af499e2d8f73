"""The pages of `emm1 explore` in a real browser, with small real media and hostile captions."""

from __future__ import annotations

import json
import struct
import wave
import zlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clients import TOP, Client, NotAvailableError
from exploring import exploring

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


def put_media(store: emm1.Store) -> None:
    """Give the first image and the first audio clip a file; names are kept, since browsers go by the bytes of pictures."""
    for modality in ("image", "audio"):
        ((path,),) = store.sql(
            "SELECT file_path FROM assets WHERE dataset = '100m' AND modality = $modality AND id = 0",
            params={"modality": modality},
        ).fetchall()
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if modality == "image":
            file.write_bytes(png(7))
            continue
        with wave.open(str(file), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(2 * 8000))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
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
        ((caption,),) = store.sql("SELECT min(encord_text_id) FROM e_mm1_100m.groups").fetchall()
    paths = [
        "/",
        f"/items/100m/text/{caption}?like=text",
        "/items/100m/image/0",
        "/items/100m/audio/0",
        "/items/1m/text/0",
        "/triplets",
        "/search?words=script",
        "/search?words=7",
    ]
    with exploring(path) as server:
        done = CHROMIUM.run("node", "HERE/see_explore.mjs", server.url, *paths, where=folder, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_nothing_is_reported_or_requested_elsewhere(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []


def test_every_page_can_be_used_by_everyone(seen: dict[str, Any]) -> None:
    assert len(seen["looks"]) == 16
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
