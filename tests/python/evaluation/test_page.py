"""The report's page: its numbers are those of the predictions, it needs no network, and every name is text."""

import base64
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from html_tree import Element, Reader

import emm1
from emm1.evaluation.eshot.classify import DIRECTIONS, Direction, EShotReport, Samples, evaluate
from emm1.evaluation.eshot.page import to_html

NAMES = [
    "bell",
    "dog",
    "</script><b>",
    "\"quoted' & <i>",
    "😀 grin",
    "מים",
    "a" * 90,
    "tab\there",
    "category",
    "snow_mobile",
]


def read(report: EShotReport) -> Element:
    return Reader(to_html(report)).root


def rows(table: Element) -> list[list[str]]:
    """The texts of a table's body, with spaces that do not break as spaces."""
    return [
        [cell.text.strip().replace("\xa0", " ") for cell in row.children if isinstance(cell, Element)]
        for row in table.one("tbody").all("tr")
    ]


@pytest.fixture(scope="module")
def report() -> EShotReport:
    """Nine categories with few samples, many of them mistaken."""
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((len(NAMES), 6))
    samples = []
    for _ in DIRECTIONS:
        labels = np.concatenate([np.arange(len(NAMES)), rng.integers(len(NAMES), size=70)])
        vectors = (centres[labels] + 0.9 * rng.standard_normal((len(labels), 6))).astype(np.float32)
        lists = {name: np.flatnonzero(labels == index).tolist() for index, name in enumerate(NAMES)}
        samples.append(Samples(np.arange(len(labels)), vectors, lists))
    return evaluate(*samples)


@pytest.fixture(scope="module")
def page(report: EShotReport) -> Element:
    return read(report)


def outcomes(report: EShotReport, direction: Direction) -> tuple[Counter[str], Counter[str], Counter[tuple[str, str]]]:
    """By category: samples, and correct ones; by category and prediction: mistakes."""
    frame = report.predictions(direction)
    pairs = [(category, predicted[0]) for _, category, predicted in frame.iter_rows()]
    return (
        Counter(category for category, _ in pairs),
        Counter(category for category, first in pairs if category == first),
        Counter(pair for pair in pairs if pair[0] != pair[1]),
    )


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_confusions_are_those_of_the_predictions(report: EShotReport, page: Element, direction: Direction) -> None:
    samples, correct, mistakes = outcomes(report, direction)
    pairs, everything = page.one("div", id=f"confusion-{direction}").all("table")
    for category, predicted, share in rows(pairs):
        assert share == f"{mistakes[category, predicted]}/{samples[category]}"
    counts = [int(share.split("/")[0]) for _, _, share in rows(pairs)]
    assert counts == sorted(mistakes.values(), reverse=True)[:15]
    assert [name for name, _, _ in rows(everything)] == list(report.classes)
    for name, share, taken in rows(everything):
        assert share == f"{correct[name]}/{samples[name]}"
        expected = {f"{other} {count}" for (true, other), count in mistakes.items() if true == name}
        assert {*filter(None, taken.split(", "))} == expected


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_heat_map_has_a_cell_for_every_count(report: EShotReport, page: Element, direction: Direction) -> None:
    counts = report.confusion(direction).to_numpy()[:, 1:].astype(int)
    found = {}
    for path in page.one("div", id=f"confusion-{direction}").all("path"):
        right, opacity = path.attributes["class"] == "right", float(path.attributes["fill-opacity"] or 0)
        for column, row in re.findall(r"M(\d+) (\d+)h1v1h-1z", path.attributes["d"] or ""):
            assert right == (row == column)
            found[int(row), int(column)] = opacity
    assert {*found} == {*zip(*map(np.ndarray.tolist, counts.nonzero()), strict=True)}
    shares = counts / counts.sum(axis=1, keepdims=True)
    for same in (True, False):  # the same order as that of the shares, but for rounding
        cells = sorted((shares[cell], opacity) for cell, opacity in found.items() if (cell[0] == cell[1]) == same)
        assert [opacity for _, opacity in cells] == sorted(opacity for _, opacity in cells)


def test_worst_categories_are_the_least_accurate(report: EShotReport, page: Element) -> None:
    section = page.one("section", **{"aria-labelledby": "worst"})
    for direction, table in zip(DIRECTIONS, section.all("table"), strict=True):
        samples, correct, _ = outcomes(report, direction)
        accuracies = sorted(correct[name] / samples[name] for name in samples)
        shown = [share.split("/") for _, share, _, _ in rows(table)]
        assert [int(k) / int(n) for k, n in shown] == [each for each in accuracies if each < 1][:10]
        for name, share, *_ in rows(table):
            assert share == f"{correct[name]}/{samples[name]}"


def test_all_categories_with_bars(report: EShotReport, page: Element) -> None:
    table = page.one("table", **{"class": "categories"})
    frame = report.to_frame()
    for row, (name, size, *_) in zip(table.one("tbody").all("tr"), rows(table), strict=True):
        of = frame.filter(category=name).to_dicts()
        assert size == " + ".join(str(each["samples"]) for each in of)
        assert row.attributes["data-samples"] == str(sum(each["samples"] for each in of))
        assert row.attributes["data-index"] == str(of[0]["class_index"])
        for cell, bar, each in zip(row.all("td")[1:], row.all("span", **{"class": "bar"}), of, strict=True):
            assert cell.attributes["data-accuracy"] == str(each["top1_accuracy"])
            value, low, high = (each[f"top1_accuracy{bound}"] * 100 for bound in ("", "_low", "_high"))
            share = f"{each['top1_correct']}/{each['samples']}"
            assert cell.text.split() == [f"{value:.0f}%", f"({low:.0f}–{high:.0f}%)", share]
            drawn = dict(re.findall(r"--(\w+):([\d.]+)%", bar.attributes["style"] or ""))
            expected = {"value": "top1_accuracy", "low": "top1_accuracy_low", "high": "top1_accuracy_high"}
            assert {part: float(width) for part, width in drawn.items()} == pytest.approx(
                {part: 100 * each[column] for part, column in expected.items()}, rel=1e-3
            )
    means = [
        [float(cell.attributes["data-accuracy"] or 0) for cell in row.all("td")[1:]]
        for row in table.one("tbody").all("tr")
    ]
    assert means == sorted(means, reverse=True)


def test_overall_numbers_are_the_frames(report: EShotReport, page: Element) -> None:
    section = page.one("section", **{"aria-labelledby": "overall"})
    for overall, card in zip(report.overall.to_dicts(), section.all("div", **{"class": "card"}), strict=True):
        assert f"{overall['samples']} {overall['direction'].split('_')[0]} samples" in card.text
        for k, result in zip((1, 5), card.all("div", **{"class": "result"}), strict=True):
            _, number, mean = (part.text for part in result.all("p"))
            name = f"top{k}_accuracy"
            low, high = overall[f"{name}_low"] * 100, overall[f"{name}_high"] * 100
            assert number == f"{overall[name] * 100:.1f}% {low:.1f}–{high:.1f}%"
            name = f"top{k}_category_mean"
            low, high = overall[f"{name}_low"] * 100, overall[f"{name}_high"] * 100
            value = overall[name] * 100
            assert f"categories {value:.1f}% ({low:.1f}–{high:.1f}%); chance {k / len(NAMES) * 100:.1f}%" in mean


def test_names_are_text_everywhere(report: EShotReport, page: Element) -> None:
    assert {*(bdi.text for bdi in page.all("bdi"))} == {*NAMES}
    assert all("class" in element.attributes for element in page.all("b"))
    assert len(page.all("i")) == len(page.all("span", **{"class": "bar"}))  # one in each bar
    assert json.loads(page.one("script", id="data").text)["classes"] == list(report.classes)
    assert page.one("pre").text == f"\n{report}"  # browsers drop the first line break


def test_page_is_whole_in_itself(page: Element) -> None:
    """Nothing is loaded, and no script runs but the page's own."""
    for element in page.all("a"):
        assert (element.attributes["href"] or "").startswith("#")
    assert not page.all("link") + page.all("img") + page.all("iframe")
    _, script = page.all("script")
    (policy,) = [meta.attributes["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes]
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert not re.search(r"url\(|@import", page.one("style").text)


def test_incomplete_coverage_is_said_first() -> None:
    x = np.eye(3, dtype=np.float32)
    audio = Samples(np.arange(3), x, {"bell": [0], "dog": [1, 7], "<owl>": [8]})
    points = Samples(np.arange(3), x, {"bell": [0], "dog": [1]})
    page = read(evaluate(audio, points))
    first, second, *_ = page.all("section")
    assert [section.attributes["aria-labelledby"] for section in (first, second)] == ["coverage", "overall"]
    text = " ".join(first.text.split())
    for part in (
        "Incomplete.",
        "2 of 4 have a vector 50.0%",
        "2 of 3 evaluated 66.7%",
        "<owl>",
        "1 audio vectors belong",
    ):
        assert part in text


def test_perfect_and_single_categories() -> None:
    x = Samples(np.arange(1), np.ones((1, 2), np.float32), {"bell": [0]})
    text = read(evaluate(x, x)).text
    assert text.count("Every sample was classified correctly.") == 4
    assert "chance 100.0%" in text


def test_what_was_compared_is_said(tree: Path, store_path: Path, tmp_path: Path) -> None:
    files = {modality: tree / f"embeddings/eshot_{modality}.npy" for modality in ("audio", "points")}
    copy = tmp_path / "emm1.duckdb"
    copy.write_bytes(store_path.read_bytes())
    with emm1.open(copy) as store:
        store.add_embeddings("my_audio", files["audio"], dataset="eshot", modality="audio", metric="dot", codes=False)
        report = store.eshot("my_audio", files["points"])
    vectors = {modality: np.load(file) for modality, file in files.items()}
    saved = json.loads((report.save(tmp_path / "report") / "report.json").read_text("utf-8"))["provenance"]
    assert saved["emm1"] == emm1.__version__
    for modality, registered, metric in (("audio", "my_audio", "dot"), ("points", None, None)):
        rows, dims = vectors[modality].shape
        assert saved[modality] == {
            "path": str(files[modality]),
            "ids": None,
            "rows": rows,
            "dims": dims,
            "dtype": "float32",
            "store": str(copy),
            "name": registered,
            "metric": metric,
        }
    text = read(report).one("section", **{"aria-labelledby": "compared"}).text
    for part in (
        str(copy),
        str(files["audio"]),
        "my_audio",
        "registered: dot",
        f"{len(vectors['points']):,} × 16 float32",
    ):
        assert part in text
