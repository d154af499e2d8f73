"""The EShot report in a real browser: on wide and narrow screens, in light and dark, printed, and without scripts.

Chromium comes from an npm package, in its own folder in ``.clients``. The tests are skipped by name where it cannot be had.
"""

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from clients import TOP, Client, NotAvailableError

import emm1
from emm1.evaluation.eshot.classify import DIRECTIONS, EShotReport, Samples, evaluate

NPM = ("npm", "ci", "--loglevel", "error", "--no-audit", "--no-fund")
CHROMIUM = Client("Chromium", "browser", str(TOP / "tests" / "browser"), (NPM, ("node", "browser.mjs")), ())
RUN = "globalThis.ran = true"
HOSTILE = [
    f"</script><script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"<svg onload='{RUN}'>&amp;",
    "{{ 7 * 7 }}",
    "😀 grin",
    "מים",
    "a" * 120,
    "many words " * 12,
    "tab\there",
    "category",
]


@pytest.fixture(scope="session")
def chromium() -> Client:
    try:
        CHROMIUM.install()
    except NotAvailableError as error:
        pytest.skip(f"no browser: {error}")
    return CHROMIUM


def see(chromium: Client, report: EShotReport, folder: Path) -> dict[str, Any]:
    report.save(folder)
    done = chromium.run(
        "node", "HERE/see_report.mjs", str(folder / "report.html"), str(folder), where=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[EShotReport, Path]:
    """The report of the sample dataset, which has the published number of categories, and where it is saved."""
    folder = tmp_path_factory.mktemp("sample")
    emm1.write_sample(folder / "sample", scale=0.0001)
    files = {modality: folder / f"sample/embeddings/eshot_{modality}.npy" for modality in ("audio", "points")}
    with emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["eshot"]) as store:
        return store.eshot(files["audio"], files["points"]), folder / "report"


@pytest.fixture(scope="module")
def seen(chromium: Client, sample: tuple[EShotReport, Path]) -> dict[str, Any]:
    return see(chromium, *sample)


@pytest.fixture(scope="module")
def hostile(chromium: Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A report whose names are long, foreign, or programs, and some of whose samples have no vector."""
    rng = np.random.default_rng(6)
    labels = np.tile(np.arange(len(HOSTILE)), 5)
    samples = []
    for _ in DIRECTIONS:
        vectors = (np.eye(len(HOSTILE))[labels] + 0.7 * rng.standard_normal((len(labels), len(HOSTILE)))).astype(
            np.float32
        )
        lists = {name: np.flatnonzero(labels == index).tolist() for index, name in enumerate(HOSTILE)}
        samples.append(Samples(np.arange(len(labels)), vectors, lists | {HOSTILE[0] + "!": [99]}))
    return see(chromium, evaluate(*samples), tmp_path_factory.mktemp("hostile"))


@pytest.fixture(params=["seen", "hostile"])
def either(request: pytest.FixtureRequest) -> dict[str, Any]:
    seen: dict[str, Any] = request.getfixturevalue(request.param)
    return seen


def test_nothing_is_requested_reported_or_run(either: dict[str, Any]) -> None:
    assert either["problems"] == []
    assert either["ran"] is None


def test_no_sideways_scrolling(either: dict[str, Any]) -> None:
    assert [look["width"] for look in either["looks"]] == [1400, 1400, 400, 400, 320, 320]
    for look in either["looks"]:
        assert look["scrollWidth"] <= look["width"]
        assert look["right"] <= look["width"]
        assert look.get("opened", 0) <= look["width"]


def test_accessible(either: dict[str, Any]) -> None:
    """The rules of axe hold: contrast, names, roles, order; with all details open, in light and dark, wide and narrow."""
    checked = [look["violations"] for look in either["looks"] if "violations" in look]
    assert checked == [[]] * 4


def luminance(colour: str) -> float:
    red, green, blue = (float(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    return float(0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2)


def test_light_and_dark(seen: dict[str, Any]) -> None:
    for look in seen["looks"]:
        dark = look["colorScheme"] == "dark"
        assert (luminance(look["background"]) < luminance(look["ink"])) == dark
    assert luminance(seen["printed"]["background"]) == 1  # whatever the reader's scheme


def test_one_heat_map_that_fits_the_window(either: dict[str, Any]) -> None:
    for look in either["looks"]:
        [(width, height)] = look["maps"]
        assert width <= look["width"]
        assert height <= look["height"]
        assert width == pytest.approx(height, abs=1)


def test_labels_of_the_heat_map_do_not_overlap(seen: dict[str, Any]) -> None:
    for look in seen["looks"]:
        labels = look["labels"]
        for axis, start, end in (("of-row", "top", "bottom"), ("of-column", "left", "right")):
            of_axis = [label for label in labels if label["axis"] == axis]
            assert len(of_axis) >= 7
            assert all(before[end] <= after[start] + 2 for before, after in pairwise(of_axis))


@pytest.mark.parametrize("name", ["seen", "hostile"])
def test_sorting_by_keyboard(name: str, request: pytest.FixtureRequest) -> None:
    seen = request.getfixturevalue(name)
    frame = request.getfixturevalue("sample")[0].to_frame() if name == "seen" else None
    sorted_names = seen["sorted"]
    everything = sorted(sorted_names["name ascending"])
    assert all(sorted(names) == everything for names in sorted_names.values())
    assert sorted_names["name ascending"] == everything  # in code-point order
    assert sorted_names["name descending"] == everything[::-1]
    assert len(sorted_names) == 1 + 2 * 4
    assert seen["told"] == "Sorted by Points → Audio, ascending"
    if frame is not None:
        check_order(sorted_names, frame)


def check_order(sorted_names: Mapping[str, list[str]], frame: pl.DataFrame) -> None:
    """Check the order by numbers; of equal ones, the first by name comes first."""
    keys = {direction: pl.col("top1_accuracy").filter(direction=direction).first() for direction in DIRECTIONS}
    categories = frame.group_by("category").agg(pl.col("samples").sum(), **keys)
    for by in ("samples", *DIRECTIONS):
        for descending in (False, True):
            expected = categories.sort(by, "category", descending=[descending, False])["category"].to_list()
            assert sorted_names[f"{by} {'descending' if descending else 'ascending'}"] == expected
    expected = categories.sort(*DIRECTIONS, "category", descending=[True, True, False])["category"].to_list()
    assert sorted_names["at_first"] == expected


def test_heat_map_switches_and_reads_out_its_cells(seen: dict[str, Any], sample: tuple[EShotReport, Path]) -> None:
    report, _ = sample
    names = report.classes
    for direction, view in zip(DIRECTIONS, seen["directions"], strict=True):
        assert view["shown"] == [f"confusion-{direction}"]
        counts = report.confusion(direction).to_numpy()[:, 1:].astype(int)
        assert len(view["read"]) == 6
        for row, column, said in view["read"]:
            share = (
                f"{counts[row, column]} of {counts[row].sum()} ({100 * counts[row, column] / counts[row].sum():.0f}%)"
            )
            expected = (
                f"{names[row]} taken for {names[column]}: {share}"
                if row != column
                else f"{names[row]}: {share} correct"
            )
            assert said == expected
    assert seen["clicked"] == ["confusion-audio_to_points"]


def test_the_text_is_all_there(seen: dict[str, Any], sample: tuple[EShotReport, Path]) -> None:
    report, _ = sample
    assert seen["text"] == str(report)


def test_prints(seen: dict[str, Any], sample: tuple[EShotReport, Path]) -> None:
    pdf = (sample[1] / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 12
    assert len(seen["printed"]["maps"]) == 1


def test_is_complete_without_scripts(seen: dict[str, Any], sample: tuple[EShotReport, Path]) -> None:
    classes = len(sample[0].classes)
    assert seen["withoutScript"] == {"rows": classes, "shown": "confusion-points_to_audio", "hints": 0}
