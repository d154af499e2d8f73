"""Several EShot models side by side: numbers from the predictions alone, over the samples that all models have."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import polars as pl
import pytest
from html_tree import Element, Reader

import emm1
from emm1.errors import EmbeddingError
from emm1.evaluation.eshot import comparison_page
from emm1.evaluation.eshot.classify import DIRECTIONS, Direction, Samples, evaluate
from emm1.evaluation.eshot.comparison import EShotComparison, compare
from emm1.evaluation.statistics.significance import difference_intervals, holm, mcnemar

NAMES = ["bell", "dog", "</script><b>", "😀 grin", "מים", "a" * 90, "snow_mobile", "owl"]
Pair = tuple[Samples, Samples]


def model(seed: int, dim: int, noise: float, *, lost: float = 0.0) -> Pair:
    """A model with vectors of its own, of the same samples as every other; some of its vectors are missing."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((len(NAMES), dim))
    pair = []
    for side in (0, 1):
        labels = np.random.default_rng(side).integers(len(NAMES), size=90)
        vectors = (centres[labels] + noise * rng.standard_normal((len(labels), dim))).astype(np.float32)
        lists = {name: np.flatnonzero(labels == index).tolist() for index, name in enumerate(NAMES)}
        ids = rng.permutation(np.flatnonzero(rng.random(len(labels)) >= lost))
        pair.append(Samples(ids, vectors[ids], lists))
    return pair[0], pair[1]


@pytest.fixture(scope="module")
def models() -> dict[str, Pair]:
    """Three models of other dimensions, each without some samples."""
    return {
        "old": model(1, 5, 1.2, lost=0.1),
        "new": model(2, 9, 0.8, lost=0.05),
        "small": model(3, 3, 1.6, lost=0.1),
    }


@pytest.fixture(scope="module")
def comparison(models: dict[str, Pair]) -> EShotComparison:
    return compare(models)


def never_listed(models: dict[str, Pair]) -> dict[str, Pair]:
    """The same models in a benchmark that never listed what one of them lacks."""
    kept = [set.intersection(*({*map(int, pair[side].ids)} for pair in models.values())) for side in (0, 1)]
    return {name: (restrict(audio, kept[0]), restrict(points, kept[1])) for name, (audio, points) in models.items()}


def restrict(samples: Samples, ids: set[int]) -> Samples:
    order = [row for row, each in enumerate(samples.ids) if int(each) in ids]
    lists = {name: [each for each in listed if each in ids] for name, listed in samples.categories.items()}
    return Samples(samples.ids[order], samples.vectors[order], lists)


def right(pair: Pair, direction: Direction, k: int) -> dict[tuple[str, int], bool]:
    """By category and sample: whether the category is among the first k predictions."""
    rows = evaluate(*pair).predictions(direction).iter_rows()
    return {(category, sample): category in predicted[:k] for sample, category, predicted in rows}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("k", [1, 5])
def test_table_from_predictions(
    models: dict[str, Pair], comparison: EShotComparison, direction: Direction, k: int
) -> None:
    outcomes = {name: right(pair, direction, k) for name, pair in never_listed(models).items()}
    old = outcomes["old"]
    sizes = Counter(category for category, _ in old)
    for name, own in outcomes.items():
        assert own.keys() == old.keys()
        wins = Counter(key[0] for key in own if own[key] and not old[key])
        losses = Counter(key[0] for key in own if old[key] and not own[key])
        correct = Counter(key[0] for key in own if own[key])
        micro, macro = difference_intervals(*([counts[each] for each in sizes] for counts in (wins, losses, sizes)))
        of = comparison.to_frame().filter(model=name, direction=direction)
        [accuracy] = of.filter(metric=f"top{k}_accuracy").to_dicts()
        [mean] = of.filter(metric=f"top{k}_category_mean").to_dicts()
        assert accuracy["samples"] == mean["samples"] == len(own)
        assert accuracy["categories"] == len(sizes)
        assert accuracy["value"] == sum(own.values()) / len(own)
        assert mean["value"] == pytest.approx(np.mean([correct[each] / sizes[each] for each in sizes]))
        if name == "old":
            assert {accuracy[c] for c in ("baseline", "difference", "difference_low", "only_model", "p")} == {None}
            continue
        total = wins.total(), losses.total()
        assert (accuracy["only_model"], accuracy["only_baseline"]) == total
        assert accuracy["difference"] == (total[0] - total[1]) / len(own)
        assert accuracy["p"] == mcnemar(*total)
        assert (accuracy["difference_low"], accuracy["difference_high"]) == pytest.approx(micro)
        assert (mean["difference_low"], mean["difference_high"]) == pytest.approx(macro)
        assert mean["difference"] == pytest.approx(np.mean([(wins[c] - losses[c]) / sizes[c] for c in sizes]))
        assert mean["p"] is mean["only_model"] is None
        for row in comparison.per_class.filter(model=name, direction=direction, metric=f"top{k}_accuracy").iter_rows(
            named=True
        ):
            each = row["category"]
            assert (row["only_model"], row["only_baseline"]) == (wins[each], losses[each])
            assert (row["samples"], row["correct"]) == (sizes[each], correct[each])
            assert row["baseline_correct"] == row["correct"] - wins[each] + losses[each]
            assert row["p"] == mcnemar(wins[each], losses[each])


def test_values_and_intervals_are_those_of_the_reports_on_common_samples(comparison: EShotComparison) -> None:
    for name, report in comparison.common.items():
        for row in report.overall.to_dicts():
            of = comparison.to_frame().filter(model=name, direction=row["direction"])
            for metric, *found in of.select("metric", "value", "low", "high").iter_rows():
                assert found == [row[metric], row[f"{metric}_low"], row[f"{metric}_high"]]


def test_common_is_as_if_the_rest_were_never_listed(models: dict[str, Pair], comparison: EShotComparison) -> None:
    for name, pair in never_listed(models).items():
        assert comparison.common[name].to_frame().equals(evaluate(*pair).to_frame())
        assert comparison.reports[name].to_frame().equals(evaluate(*models[name]).to_frame())
    kept = [len(samples.ids) for samples in never_listed(models)["old"]]
    assert comparison.coverage.rows() == [("audio", 90, kept[0], 90 - kept[0]), ("points", 90, kept[1], 90 - kept[1])]
    assert max(kept) < 90


def test_rows_are_side_by_side(comparison: EShotComparison) -> None:
    frame = comparison.to_frame()
    assert frame["model"].to_list() == ["old", "new", "small"] * 8
    assert frame.select("direction").unique(maintain_order=True).to_series().to_list() == list(DIRECTIONS)
    assert frame.filter(model="new").select("direction", "metric").is_unique().all()
    assert len(comparison.per_class) == 2 * 2 * 2 * len(comparison.common["old"].classes)


def test_categories_without_a_common_sample_are_named(comparison: EShotComparison) -> None:
    """Every model has samples of "dog", but none that all three have."""
    assert comparison.common["old"].skipped == ("dog",)
    assert all("dog" in report.classes for report in comparison.reports.values())
    assert "  Categories: 0.8750 (7/8 compared)\n  Skipped, no vector in one modality: dog\n" in str(comparison)
    page = Reader(comparison_page.to_html(comparison)).root
    assert "7 of 8 compared" in page.all("section")[0].text


def test_categories_are_corrected_for_their_number_within_a_model(comparison: EShotComparison) -> None:
    for name in comparison.others:
        rows = comparison.per_class.filter(model=name)
        assert rows["p_holm"].to_list() == holm(rows["p"]).tolist()
        assert (rows["differs"] == (rows["p_holm"] <= 0.05)).all()
    full = {name: model(seed, 5, 1.0) for seed, name in enumerate(("old", "new", "more"))}
    two = compare({name: full[name] for name in ("old", "new")})
    three = compare(full)
    assert three.per_class.filter(model="new").equals(two.per_class)


def test_a_category_that_differs_is_flagged() -> None:
    """Sixteen samples that only one model gets right: p is 2⁻¹⁵, and eight differences are tested."""
    lists = {"bell": list(range(16)), "dog": list(range(16, 32))}
    labels = np.repeat([0, 1], 16)
    x = np.eye(2, dtype=np.float32)[labels]
    y = x.copy()
    y[:16] = 0.1, 1.0  # classified as a dog in audio, whose class vectors are those of the points
    points = Samples(np.arange(32), x, lists)
    found = compare({"old": (Samples(np.arange(32), y, lists), points), "new": (points, points)})
    flagged = found.per_class.filter("differs").to_dicts()
    assert next((row["direction"], row["category"], row["metric"]) for row in flagged) == (
        "audio_to_points",
        "bell",
        "top1_accuracy",
    )
    assert flagged[0]["p"] == 2**-15
    assert flagged[0]["p_holm"] <= 8 * 2**-15
    assert "    bell: 16/16 correct, old 0/16, corrected p 0.0002" in str(found)


@pytest.mark.parametrize("baseline", ["old", "new"])
def test_text_has_every_report_unchanged_then_the_table(models: dict[str, Pair], baseline: str) -> None:
    comparison = compare(models, baseline)
    text = str(comparison)
    rule = "=" * 60
    reports = ""
    for name, pair in models.items():
        reports += f"\n{rule}\nModel: {name}\n{rule}\n{evaluate(*pair)}\n"
    assert text.startswith(reports)
    table = text[len(reports) :]
    assert table.startswith(f"\n{rule}\nComparison\n{rule}\n\n  Baseline: {baseline}\n  Audio Samples: ")
    assert not text.endswith("\n")
    titles = {"audio_to_points": "Audio → Points", "points_to_audio": "Points → Audio"}
    metrics = {"accuracy": "Accuracy", "category_mean": "Mean over Categories"}
    for direction in DIRECTIONS:
        _, _, part = table.partition(f"[{titles[direction]} Classification]\n")
        for metric in ("top1_accuracy", "top5_category_mean"):
            k, _, kind = metric.partition("_")
            _, _, lines = part.partition(f"  Top-{k[3:]} {metrics[kind]}\n")
            for name, line in zip(models, lines.splitlines(), strict=False):
                [row] = comparison.to_frame().filter(model=name, direction=direction, metric=metric).to_dicts()
                numbers = [row["value"], row["low"], row["high"]]
                if name != baseline:
                    numbers += [row["difference"], row["difference_low"], row["difference_high"]]
                assert line.split()[0] == name
                found = re.findall(r"[+-]?\d\.\d{4}", line.partition(", p ")[0])
                assert [float(each) for each in found] == [round(each, 4) for each in numbers]


def test_models_that_are_the_same() -> None:
    pair = model(4, 6, 1.0)
    comparison = compare({"a": pair, "b": pair})
    rows = comparison.to_frame().filter(model="b")
    assert rows["difference"].to_list() == rows["difference_low"].to_list() == [0.0] * 8
    assert rows["p"].drop_nulls().to_list() == [1.0] * 4
    assert not comparison.per_class["differs"].any()
    assert "The numbers below are over" not in str(comparison)


def test_one_model() -> None:
    comparison = compare({"only": model(4, 6, 1.0)})
    assert comparison.others == []
    assert comparison.per_class.is_empty()
    assert comparison.to_frame()["difference"].null_count() == 8
    assert "Differ" not in str(comparison)
    assert "no other model" in Reader(comparison_page.to_html(comparison)).root.text


WRONG: dict[str, tuple[Any, Any, str]] = {
    "none": ({}, None, "no models"),
    "number": ({1: 0}, None, "the name of a model must be one line of text, not 1"),
    "empty": ({" ": 0}, None, "one line of text, not ' '"),
    "lines": ({"a\nb": 0}, None, r"one line of text, not 'a\nb'"),
    "baseline": ({"a": 0, "b": 0}, "c", "no model 'c' to compare with: the models are a, b"),
}


@pytest.mark.parametrize("case", WRONG)
def test_models_that_cannot_be(case: str) -> None:
    given, baseline, message = WRONG[case]
    with pytest.raises(EmbeddingError, match=re.escape(message)):
        compare(given, baseline)


def test_no_samples_in_common() -> None:
    audio, points = model(1, 4, 1.0)
    even, odd = ({each for each in range(90) if each % 2 == rest} for rest in (0, 1))
    lists = audio.categories
    halves = [restrict(audio, ids) for ids in (even, odd)]
    first, second = (Samples(half.ids, half.vectors, lists) for half in halves)
    message = r"no EShot category .* all 2 models have \(a: 45 audio and 90 points samples; b: 45 audio"
    with pytest.raises(EmbeddingError, match=message):
        compare({"a": (first, points), "b": (second, points)})


def test_errors_name_the_model() -> None:
    audio, points = model(1, 4, 1.0)
    _, wide = model(2, 7, 1.0)
    with pytest.raises(EmbeddingError, match="model 'b': audio and points vectors have 4 and 7 dimensions"):
        compare({"a": (audio, points), "b": (audio, wide)})
    other = Samples(audio.ids, audio.vectors, {"cat": [0]})
    with pytest.raises(EmbeddingError, match="'a' and 'b' list other categories"):
        compare({"a": (audio, points), "b": (other, points)})


def test_saved_files(comparison: EShotComparison, tmp_path: Path) -> None:
    folder = comparison.save(tmp_path / "new" / "folder")
    assert {path.name for path in folder.iterdir()} == {
        *("comparison.txt", "comparison.html", "comparison.json", "comparison.csv", "per_class.csv"),
        *comparison.reports,
    }
    assert (folder / "comparison.txt").read_text("utf-8") == f"{comparison}\n"
    assert pl.read_csv(folder / "comparison.csv").equals(comparison.to_frame())
    assert pl.read_csv(folder / "per_class.csv").equals(comparison.per_class)
    saved = json.loads((folder / "comparison.json").read_text("utf-8"))
    assert saved["overall"] == comparison.to_frame().to_dicts()
    assert saved["categories"] == comparison.per_class.to_dicts()
    assert [*saved["models"]] == [*comparison.reports]
    for name, report in comparison.reports.items():
        assert (folder / name / "report.txt").read_text("utf-8") == f"{report}\n"
        assert (folder / name / "report.html").exists()
    (tmp_path / "file").touch()
    with pytest.raises(emm1.Error, match="is a file: name a folder"):
        comparison.save(tmp_path / "file")


HOSTILE = [
    "../../up",
    "a/b",
    "a\\b",
    "A\\B",
    "..",
    "nul",
    "comparison.html",
    "</title><script>x</script>",
    "é" * 300,
    "ok?#%",
]


def test_every_model_has_a_folder_of_its_own_inside(tmp_path: Path) -> None:
    pair = model(4, 6, 1.0)
    comparison = compare(dict.fromkeys(HOSTILE, pair))
    folder = comparison.save(tmp_path / "out")
    inside = [path for path in folder.iterdir() if path.is_dir()]
    assert len({path.name.casefold() for path in inside}) == len(HOSTILE)
    assert [*tmp_path.iterdir()] == [folder]
    page = Reader((folder / "comparison.html").read_text("utf-8")).root
    links = [
        link.attributes["href"] or "" for link in page.all("a") if not (link.attributes["href"] or "").startswith("#")
    ]
    assert {folder / unquote(link) for link in links} == {path / "report.html" for path in inside}
    assert page.all("script") == []


@pytest.fixture(scope="module")
def page(comparison: EShotComparison) -> Element:
    return Reader(comparison_page.to_html(comparison)).root


def test_page_shows_the_table(comparison: EShotComparison, page: Element) -> None:
    tables = page.all("table", **{"class": "comparison"})
    frame = comparison.to_frame()
    order = [(key[0], key[1]) for key in frame.group_by("direction", "metric", maintain_order=True).first().rows()]
    for (direction, metric), table in zip(order, tables, strict=True):
        rows = frame.filter(direction=direction, metric=metric).to_dicts()
        for row, line in zip(rows, table.one("tbody").all("tr"), strict=True):
            name, value, difference, p = (c.text for c in line.children if isinstance(c, Element))
            assert name == row["model"]
            low, high = row["low"] * 100, row["high"] * 100
            assert value == f"{row['value'] * 100:.1f}% ({low:.1f}–{high:.1f}%)"
            if row["baseline"] is None:
                assert difference == "baseline"
                continue
            bounds = [row[f"difference{bound}"] * 100 for bound in ("", "_low", "_high")]
            assert difference == f"{bounds[0]:+.1f} ({bounds[1]:+.1f} to {bounds[2]:+.1f})"
            counts = f" +{row['only_model']} −{row['only_baseline']}"
            assert p == (
                "–"
                if row["p"] is None
                else f"{max(row['p'], 0):.4f}{counts}"
                if row["p"] >= 1e-4
                else f"< 0.0001{counts}"
            )


def test_page_lists_the_categories_that_changed(comparison: EShotComparison, page: Element) -> None:
    rows = comparison.per_class.filter(pl.col("only_model") + pl.col("only_baseline") > 0)
    [table] = [
        each
        for each in page.all("table")
        if each.attributes.get("aria-label") == "Categories in which a sample changed"
    ]
    shown = Counter(line.one("th").text for line in table.one("tbody").all("tr"))
    assert shown == Counter(rows["category"].to_list())


def test_page_says_that_it_is_incomplete_first(comparison: EShotComparison, page: Element) -> None:
    sections = page.all("section")
    assert sections[0].attributes["aria-labelledby"] == "coverage"
    for _, listed, kept, _ in comparison.coverage.rows():
        assert f"{kept} of {listed} are in every model" in sections[0].text
    complete = Reader(comparison_page.to_html(compare({"a": model(1, 4, 1.0), "b": model(2, 4, 1.0)}))).root
    assert "Every model has all 90 audio and 90 points samples" in complete.all("section")[0].text


def test_page_escapes_names_and_runs_nothing(comparison: EShotComparison, page: Element) -> None:
    assert page.all("script") == []
    policy = [meta.attributes.get("content") for meta in page.all("meta") if "http-equiv" in meta.attributes]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert page.one("pre").text.lstrip("\n") == str(comparison).lstrip("\n")


def test_categories_name_the_model_where_there_are_several(models: dict[str, Pair], page: Element) -> None:
    two = Reader(comparison_page.to_html(compare({name: models[name] for name in ("old", "new")}))).root
    for tree, several in ((page, True), (two, False)):
        [table] = [each for each in tree.all("table") if "sample changed" in (each.attributes.get("aria-label") or "")]
        columns = [heading.text for heading in table.one("thead").all("th")]
        assert columns == ["Category", *(["Model"] if several else []), "Number", "Correct", "old", "p"]
        assert {len(row.all("td")) + 1 for row in table.one("tbody").all("tr")} == {len(columns)}
