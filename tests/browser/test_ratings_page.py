"""The page on agreement with people in a real browser: wide and narrow, light and dark, printed, with hostile captions."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clients import TOP, Client, NotAvailableError

import emm1
from emm1.evaluation.ratings.report import RatingsReport

NPM = ("npm", "ci", "--loglevel", "error", "--no-audit", "--no-fund")
CHROMIUM = Client("Chromium", "browser", str(TOP / "tests" / "browser"), (NPM, ("node", "browser.mjs")), ())
HOSTILE = ["</script><script>globalThis.ran = true</script>", "<svg onload='globalThis.ran = true'>", "מים", "a" * 300]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ratings")


@pytest.fixture(scope="module")
def report(folder: Path) -> RatingsReport:
    """Of the sample, with captions that are programs, foreign and long; without embeddings of point clouds."""
    emm1.write_sample(folder / "sample", scale=0.0002, embeddings=16, seed=4)
    info = folder / "sample/e-mm1_1m/infos/text.csv"
    texts = pl.read_csv(info)
    hostile = pl.Series([HOSTILE[row % len(HOSTILE)] for row in range(len(texts))])
    texts.with_columns(caption=hostile).write_csv(info)
    files = {m: folder / f"sample/embeddings/1m/{m}.npy" for m in ("text", "image", "audio", "video")}
    store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"])
    return store.ratings(files, resamples=50)


@pytest.fixture(scope="module")
def seen(report: RatingsReport, folder: Path) -> dict[str, Any]:
    try:
        CHROMIUM.install()
    except NotAvailableError as error:
        pytest.skip(f"no browser: {error}")
    page = str(report.save(folder / "report") / "ratings.html")
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


def test_what_was_left_out_and_every_caption_is_text(seen: dict[str, Any]) -> None:
    text = seen["looks"][0]["text"]
    assert "no embeddings of points" in text
    for caption in HOSTILE[:3]:
        assert caption in text


def test_prints(seen: dict[str, Any], folder: Path) -> None:
    assert seen["looks"]
    pdf = (folder / "page.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 30
