"""The comparison of EShot models in a real browser: wide and narrow, light and dark, printed, with hostile names."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients import TOP, Client, NotAvailableError

from emm1.evaluation.eshot.classify import Samples
from emm1.evaluation.eshot.comparison import EShotComparison, compare

NPM = ("npm", "ci", "--loglevel", "error", "--no-audit", "--no-fund")
CHROMIUM = Client("Chromium", "browser", str(TOP / "tests" / "browser"), (NPM, ("node", "browser.mjs")), ())
CATEGORIES = ["<svg onload='globalThis.ran = true'>", "😀 grin", "מים", "a" * 120, "many words " * 12, "snow_mobile"]
MODELS = ["old", "new_model_with_a_long_name_" * 3, "</script><script>globalThis.ran = true</script>"]


@pytest.fixture(scope="module")
def comparison() -> EShotComparison:
    """Models with hostile names, one of which is far worse, so that categories are flagged; one lacks a sample."""
    models = {}
    labels = np.tile(np.arange(len(CATEGORIES)), 30)
    lists = {name: np.flatnonzero(labels == index).tolist() for index, name in enumerate(CATEGORIES)}
    for seed, name in enumerate(MODELS):
        rng = np.random.default_rng(seed)
        noise = (0.4, 0.5, 4.0)[seed]
        pair = []
        for _ in range(2):
            vectors = np.eye(len(CATEGORIES))[labels] + noise * rng.standard_normal((len(labels), len(CATEGORIES)))
            ids = np.arange(seed, len(labels))
            pair.append(Samples(ids, vectors[seed:].astype(np.float32), lists))
        models[name] = (pair[0], pair[1])
    return compare(models)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def seen(comparison: EShotComparison, folder: Path) -> dict[str, Any]:
    try:
        CHROMIUM.install()
    except NotAvailableError as error:
        pytest.skip(f"no browser: {error}")
    page = str(comparison.save(folder) / "comparison.html")
    done = CHROMIUM.run("node", "HERE/see_page.mjs", page, str(folder), where=folder, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_nothing_is_requested_or_reported(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []


def test_no_sideways_scrolling(seen: dict[str, Any]) -> None:
    assert [look["width"] for look in seen["looks"]] == [1400, 1400, 400, 400, 320, 320]
    for look in seen["looks"]:
        assert look["scrollWidth"] <= look["width"]
        assert look["right"] <= look["width"]


def test_accessible(seen: dict[str, Any]) -> None:
    assert [look["violations"] for look in seen["looks"]] == [[]] * 6


def test_dark_is_dark(seen: dict[str, Any]) -> None:
    for look in seen["looks"]:
        bright = sum(int(part) for part in re.findall(r"\d+", look["background"])[:3]) > 3 * 128
        assert bright == (look["colorScheme"] == "light")


def test_every_model_and_flagged_category_is_shown(comparison: EShotComparison, seen: dict[str, Any]) -> None:
    flagged = comparison.per_class.filter("differs")
    assert len(flagged) > 0
    text = seen["looks"][0]["text"]
    for name in [*MODELS, *flagged["category"].unique()]:
        assert name.strip() in text


def test_prints(seen: dict[str, Any], folder: Path) -> None:
    assert seen["looks"]
    pdf = (folder / "page.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 30
