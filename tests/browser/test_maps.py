"""The map of `emm1 explore` in a real browser: drawn, moved, and selected from by pointer and by keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from clients import NPM, TOP, Client, NotAvailableError
from exploring import exploring
from numpy.typing import NDArray

import emm1

CHROMIUM = Client("Chromium", "browser", str(TOP / "tests" / "browser"), (NPM, ("node", "browser.mjs")), ())
MARGIN = 1.06  # of the map around all points
NOT_SURE = 1.5  # pixels at the border of what is selected


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    emm1.write_sample(folder / "sample", scale=0.0002, embeddings=16)
    with emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"]) as store:
        store.add_embeddings("text", folder / "sample/embeddings/text.npy", dataset="100m", modality="text")
        store.sql(
            "INSERT INTO maps SELECT 'text', encord_text_id, 9 * sin(encord_text_id * 7.1), 5 * cos(encord_text_id * 3.37) "
            "FROM e_mm1_100m.text"
        )
    return folder / "emm1.duckdb"


@pytest.fixture(scope="module")
def seen(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    try:
        CHROMIUM.install()
    except NotAvailableError as error:
        pytest.skip(f"no browser: {error}")
    with exploring(store) as server:
        where = tmp_path_factory.mktemp("seen")
        done = CHROMIUM.run("node", "HERE/see_map.mjs", server.url, "/map/text", where=where, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def pixels(store: Path, seen: dict[str, Any]) -> dict[int, NDArray[np.float64]]:
    """Where each id is in the canvas while it shows the whole map."""
    with duckdb.connect(str(store), read_only=True) as connection:
        rows = np.array(connection.execute("SELECT id, x, y FROM maps").fetchall(), np.float64)
    size = np.array(seen["size"])
    low, high = rows[:, 1:].min(axis=0), rows[:, 1:].max(axis=0)
    unit = ((high - low) / size).max() * MARGIN
    places = (rows[:, 1:] - (low + high) / 2) * [1, -1] / unit + size / 2
    return dict(zip(rows[:, 0].astype(int).tolist(), places, strict=True))


def test_nothing_is_reported_or_requested_elsewhere(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []


def test_points_are_drawn_in_the_colours_of_the_legend(seen: dict[str, Any]) -> None:
    for look in seen["looks"]:
        assert len(look["drawn"]) == 7
        assert min(look["drawn"].values()) > 200, look
    assert min(seen["still"].values()) > 200  # without scripts


def test_without_webgl_the_picture_stays(seen: dict[str, Any]) -> None:
    assert seen["bare"] == ["This browser cannot draw all points: it has no WebGL. These are some of them.", True]


def test_it_can_be_used_by_everyone(seen: dict[str, Any]) -> None:
    for look in seen["looks"]:
        assert look["violations"] == []
        assert look["scrollWidth"] <= look["width"]


def check_selected(selected: dict[str, Any], depth: dict[int, float]) -> None:
    """A selection has all that is inside, and nothing that is outside; `depth` is how many pixels inside an item is."""
    found = set(selected["ids"])
    assert len(found) == len(selected["ids"])
    assert found >= {number for number, inside in depth.items() if inside > NOT_SURE}
    assert not found & {number for number, inside in depth.items() if inside < -NOT_SURE}
    assert selected["heading"] == f"{len(found):,} selected"
    assert selected["cards"] == min(100, len(found))


def test_a_lasso_selects_what_is_inside(seen: dict[str, Any], pixels: dict[int, NDArray[np.float64]]) -> None:
    corners = np.array(seen["triangle"])
    sides = np.roll(corners, -1, axis=0) - corners
    inward = np.column_stack([-sides[:, 1], sides[:, 0]]) / np.linalg.norm(sides, axis=1, keepdims=True)
    depth = {number: float(((place - corners) * inward).sum(axis=1).min()) for number, place in pixels.items()}
    check_selected(seen["lasso"], depth)
    assert len(seen["lasso"]["ids"]) > 100


def test_keys_select_what_is_in_the_middle(seen: dict[str, Any], pixels: dict[int, NDArray[np.float64]]) -> None:
    size = np.array(seen["size"])
    depth = {number: float((size / 10 - np.abs(place - size / 2)).min()) for number, place in pixels.items()}
    check_selected(seen["keys"], depth)


def test_a_selection_leaves_the_page(store: Path, seen: dict[str, Any]) -> None:
    ids = sorted(seen["lasso"]["ids"])
    with duckdb.connect(str(store), read_only=True) as connection:
        assert [row[0] for row in connection.execute(seen["query"]).fetchall()] == ids
    assert seen["csv"] == "id\n" + "".join(f"{number}\n" for number in ids)
    assert seen["basket"] == [f"100m.text.{number}" for number in seen["lasso"]["ids"]]
    again = [f"100m.text.{number}" for number in seen["keys"]["ids"][:100]]
    assert seen["ticked"] == [name for name in again if name in seen["basket"]] != []
    assert (seen["cleared"]["ids"], seen["cleared"]["focus"]) == ([], "canvas")


def test_points_lead_to_their_items(seen: dict[str, Any]) -> None:
    wanted = seen["hovered"]["wanted"]
    assert seen["hovered"]["title"] == f"text {wanted}"
    assert seen["clicked"] == f"/items/100m/text/{wanted}"
    (number,) = re.findall(r"\d+", seen["entered"]["middle"])
    assert seen["entered"]["url"] == f"/items/100m/text/{number}"
