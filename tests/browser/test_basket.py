"""What leaves the pages of `emm1 explore`, in a real browser: the address, what is copied, and the basket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clients import NPM, TOP, Client, NotAvailableError
from exploring import exploring

import emm1

CHROMIUM = Client("Chromium", "browser", str(TOP / "tests" / "browser"), (NPM, ("node", "browser.mjs")), ())
PATHS = [
    "/eshot",
    "/eshot/bell",
    "/report",
    "/basket",
    "/basket?items=100m.image.0,100m.text.1,eshot.points.2",
    "/triplets",
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    try:
        CHROMIUM.install()
    except NotAvailableError as error:
        pytest.skip(f"no browser: {error}")
    folder = tmp_path_factory.mktemp("basket")
    tree, path = folder / "sample", folder / "emm1.duckdb"
    emm1.write_sample(tree, scale=0.0002, embeddings=16)
    with emm1.build(tree, path) as store:
        files = (tree / f"embeddings/eshot_{modality}.npy" for modality in ("audio", "points"))
        report = store.eshot(*files).save(folder / "report")
    with exploring(path, "--report", report) as server:
        done = CHROMIUM.run("node", "HERE/see_basket.mjs", server.url, *PATHS, where=folder, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"store": str(path)}


def test_nothing_is_reported_or_requested_elsewhere(seen: dict[str, Any]) -> None:
    # What the browser says of the one request that is to be refused: ids that the store does not have.
    assert seen["problems"] == ["Failed to load resource: the server responded with a status of 400 (Bad Request)"]


def test_every_page_can_be_used_by_everyone(seen: dict[str, Any]) -> None:
    assert len(seen["looks"]) == 2 * len(PATHS)
    for look in seen["looks"]:
        assert look == {"path": look["path"], "status": 200, "scrolls": False, "violations": []}


def test_the_token_leaves_the_address_bar(seen: dict[str, Any]) -> None:
    assert seen["kept"] == [{"heading": "Captions of E-MM1:100M", "url": "/triplets?label=Good+Match"}] * 2


def test_the_basket_goes_from_page_to_page(seen: dict[str, Any]) -> None:
    assert (seen["counted"], seen["remembered"]) == ("4 in the basket", True)
    first, *rest = seen["basket"].removeprefix("/basket?items=").split(",")
    assert first.startswith("100m.text.")
    assert rest == ["100m.image.0", "100m.audio.0", "100m.audio.1"]
    rows = [each.replace(".", ",") for each in (first, *rest)]
    assert seen["exported"].splitlines() == ["dataset,modality,id", *rows]
    assert (seen["fewer"], seen["left"]) == ("3 in the basket", 3)
    # The sample has fewer captions than were selected.
    assert seen["statuses"] == {"unknown": 400, "full": "The basket has no room for 100,001 items"}


def test_text_is_copied(seen: dict[str, Any]) -> None:
    assert seen["copied"] == f"emm1 flags add {seen['store']} basket.csv --flag NAME"


def test_without_scripts(seen: dict[str, Any]) -> None:
    assert seen["withoutScripts"] == 2
