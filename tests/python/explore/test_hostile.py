"""Hostile captions, and media folders full of ways out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from exploring import Explored, exploring
from html_tree import Reader

import emm1

SECRET = b"a secret"
HOSTILE = "</script></li><img src=x onerror='globalThis.ran = 1'>\"&amp;' \u202e\x1b[31m"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    """A store of hostile captions, and media folders full of ways out."""
    folder = tmp_path_factory.mktemp("hostile")
    own, root, secret = folder / "tree", folder / "media", folder / "secret"
    secret.write_bytes(SECRET)
    emm1.write_sample(own, scale=0.0002, embeddings=0, seed=4)
    text, image = (own / f"e-mm1_100m/infos/{name}.csv" for name in ("text", "image"))
    captions = pl.read_csv(text, infer_schema=False)
    captions.with_columns(caption=pl.lit(HOSTILE), source_dataset=pl.lit(HOSTILE)).write_csv(text)
    images = pl.read_csv(image, infer_schema=False)
    climbing = [
        "../../../secret",
        str(secret),
        "link.jpg",
        "folder.jpg",
        "pipe.jpg",
        "to_folder/secret",
        "loop.jpg",
        "%2e%2e%2fsecret",
        "<b>.svg",
    ]
    names = pl.Series([*climbing, *images["file_name"][len(climbing) :]])
    urls = pl.Series(["javascript:alert(1)"] * len(images))
    images = images.with_columns(file_name=names, file_id=urls, save_folder=pl.lit("shared"))
    images.write_csv(image)
    place = root / "shared/image"
    place.mkdir(parents=True)
    (place / "link.jpg").symlink_to(secret)
    (place / "folder.jpg").mkdir()
    (place / "to_folder").symlink_to(folder)
    (place / "loop.jpg").symlink_to(place / "loop.jpg")
    (place / "<b>.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    os.mkfifo(place / "pipe.jpg")
    path = folder / "<b>.duckdb"
    with pytest.warns(UserWarning, match="2 of the file names in e_mm1_100m.image lead out of their folder"):
        emm1.build(own, path, media_root=root).close()
    with exploring(path) as server:
        yield Explored(path, root, server)


def test_files_outside_the_media_folder_are_not_sent(hostile: Explored) -> None:
    rows = hostile.sql("SELECT encord_image_id, file_name FROM e_mm1_100m.image ORDER BY rowid LIMIT 9")
    states = []
    for number, name in rows:
        answer = hostile.server.get(f"/media/100m/image/{number}")
        assert SECRET not in answer.body
        shown = hostile.server.get(f"/api/items/100m/image/{number}").json
        states.append((Path(name).name, answer.status, shown["media"]["state"]))
        assert shown["links"] == []
        assert hostile.server.get(f"/items/100m/image/{number}").status == 200
    assert states == [
        ("secret", 404, "unnamed"),
        ("secret", 404, "unnamed"),
        ("link.jpg", 404, "outside"),
        ("folder.jpg", 404, "missing"),
        ("pipe.jpg", 404, "missing"),
        ("secret", 404, "outside"),
        ("loop.jpg", 404, "missing"),
        ("%2e%2e%2fsecret", 404, "missing"),
        ("<b>.svg", 200, "there"),
    ]
    ((svg,),) = hostile.sql("SELECT encord_image_id FROM e_mm1_100m.image WHERE file_name = '<b>.svg'")
    assert hostile.server.get(f"/media/100m/image/{svg}").headers["content-type"] == "application/octet-stream"


def test_captions_are_text(hostile: Explored) -> None:
    ((caption,),) = hostile.sql("SELECT min(encord_text_id) FROM e_mm1_100m.groups")
    for address in ("/", f"/items/100m/text/{caption}", "/triplets"):
        page = Reader(hostile.server.get(address).text).root
        assert [each.attributes for each in page.all("script")] == [{"type": "module", "src": "/static/page.js"}]
        assert not [each for each in page.all("img") if "onerror" in each.attributes]
        assert HOSTILE.partition(" ")[0] in page.text or address == "/triplets"
        assert "<b>.duckdb" in page.text
    assert hostile.server.get("/api/captions").json["captions"][0]["caption"] == HOSTILE
