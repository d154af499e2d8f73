"""The EShot report: the published script's text and numbers, then what the script does not report."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emm1.errors import EmbeddingError
from emm1.evaluation.eshot.classify import DIRECTIONS, Direction, EShotReport, Samples, evaluate
from emm1.evaluation.statistics.intervals import mean_over_classes, wilson
from emm1.sample.write import write_sample

SCRIPT = Path(__file__).parents[2] / "oracle" / "eshot_script.py"


def script_output(root: Path) -> str:
    """Run the published script; returns its text, with its line ends."""
    environment = os.environ | {"PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, SCRIPT, root], capture_output=True, check=True, env=environment)
    return done.stdout.decode("utf-8").replace(os.linesep, "\n")


def samples_of(root: Path, modality: str) -> Samples:
    """Read one modality as the script does: row i of the embeddings is row i of the info file."""
    singular = modality.removesuffix("s")
    info = pl.read_csv(root / f"eshot/eshot_{modality}_info.csv")
    lists = json.loads((root / f"eshot/category_to_{singular}_ids.json").read_text("utf-8"))
    ids = info[f"eshot_{singular}_id"]
    known = dict(zip(info["file_id"], ids, strict=True)) if modality == "points" else {}
    categories = {name: [known.get(key, key) for key in keys] for name, keys in lists.items()}
    return Samples(ids.to_numpy(), np.load(root / f"embeddings/eshot_{modality}.npy"), categories)


def use_integer_point_keys(root: Path) -> None:
    lists = root / "eshot/category_to_point_ids.json"
    lists.write_text(json.dumps(samples_of(root, "points").categories), "utf-8")


def without(samples: Samples, lost: set[int]) -> Samples:
    keep = np.array([int(eshot_id) not in lost for eshot_id in samples.ids], dtype=bool)
    return Samples(samples.ids[keep], samples.vectors[keep], samples.categories)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("eshot")
    write_sample(root, scale=0.0001, embeddings=32, seed=9)
    return root


@pytest.fixture(scope="module")
def report(tree: Path) -> EShotReport:
    return evaluate(samples_of(tree, "audio"), samples_of(tree, "points"))


def tiny(points: list[list[float]] | None = None) -> tuple[Samples, Samples]:
    """Two classes with two samples each."""
    categories = {"dog": [0, 1], "bell": [2, 3]}
    x = np.array([[3, 0], [2, 1], [0, 1], [0, 5]], np.float32)
    y = x if points is None else np.array(points, np.float32)
    return Samples(np.arange(4), x, categories), Samples(np.arange(4), y, categories)


@pytest.mark.parametrize(("seed", "dim"), [(1, 3), (2, 16), (3, 100), (4, 1024)])
@pytest.mark.parametrize("point_keys", ["file_id", "id"])
def test_text_is_the_scripts(tmp_path: Path, seed: int, dim: int, point_keys: str) -> None:
    write_sample(tmp_path, scale=0.0001, embeddings=dim, seed=seed)
    if point_keys == "id":
        use_integer_point_keys(tmp_path)
    text = str(evaluate(samples_of(tmp_path, "audio"), samples_of(tmp_path, "points")))
    expected = script_output(tmp_path)
    assert text.startswith(expected)
    assert text[len(expected) :].startswith(f"\n{'=' * 60}\nOverall\n{'=' * 60}\n")
    assert not text.endswith("\n")


def test_classes_are_in_code_point_order(report: EShotReport) -> None:
    audio, points = tiny()
    assert evaluate(audio, points).classes == ("bell", "dog")
    assert list(report.classes) == sorted(report.classes)


def test_frame_has_a_row_per_category_and_direction(report: EShotReport) -> None:
    frame = report.to_frame()
    assert frame.columns == [
        "category",
        "class_index",
        "direction",
        "samples",
        "top1_correct",
        "top5_correct",
        "top1_accuracy",
        "top5_accuracy",
        "top1_accuracy_low",
        "top1_accuracy_high",
        "top5_accuracy_low",
        "top5_accuracy_high",
    ]
    expected = [(name, i, direction) for i, name in enumerate(report.classes) for direction in DIRECTIONS]
    assert frame.select("category", "class_index", "direction").rows() == expected
    assert (frame["top1_accuracy"] == frame["top1_correct"] / frame["samples"]).all()


def test_overall_is_over_samples_and_over_categories(report: EShotReport) -> None:
    for row in report.overall.iter_rows(named=True):
        frame = report.to_frame().filter(direction=row["direction"])
        assert row["samples"] == frame["samples"].sum()
        for k in (1, 5):
            assert row[f"top{k}_accuracy"] == int(frame[f"top{k}_correct"].sum()) / int(frame["samples"].sum())
            assert row[f"top{k}_category_mean"] == pytest.approx(frame[f"top{k}_accuracy"].mean())


def test_every_accuracy_has_its_interval(report: EShotReport) -> None:
    frame = report.to_frame()
    for each in (frame, report.overall):
        for k in (1, 5):
            low, high = wilson(each[f"top{k}_correct"], each["samples"])
            assert each[f"top{k}_accuracy_low"].to_list() == low.tolist()
            assert each[f"top{k}_accuracy_high"].to_list() == high.tolist()
    for row in report.overall.iter_rows(named=True):
        counts = frame.filter(direction=row["direction"])
        for k in (1, 5):
            bounds = mean_over_classes(counts[f"top{k}_correct"], counts["samples"])
            assert (row[f"top{k}_category_mean_low"], row[f"top{k}_category_mean_high"]) == bounds


def test_text_gives_the_intervals_of_overall_numbers(report: EShotReport) -> None:
    _, _, overall = str(report).partition("\nOverall\n")
    lines = re.findall(
        r"Top-(\d) (Accuracy|Mean over Categories): ([\d.]+) .*95% interval ([\d.]+) to ([\d.]+)\)", overall
    )
    names = {"Accuracy": "accuracy", "Mean over Categories": "category_mean"}
    expected = [
        (str(k), said, *(f"{row[f'top{k}_{name}{bound}']:.4f}" for bound in ("", "_low", "_high")))
        for row in report.overall.iter_rows(named=True)
        for said, name in names.items()
        for k in (1, 5)
    ]
    assert lines == expected
    assert "interval" not in str(report).partition("\nOverall\n")[0]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_confusion_and_predictions_agree_with_the_frame(report: EShotReport, direction: Direction) -> None:
    frame = report.to_frame().filter(direction=direction)
    confusion = report.confusion(direction)
    counts = confusion.drop("category").to_numpy()
    assert confusion.columns == ["category", *report.classes]
    assert confusion["category"].to_list() == list(report.classes)
    assert counts.sum(axis=1).tolist() == frame["samples"].to_list()
    assert np.diag(counts).tolist() == frame["top1_correct"].to_list()
    predictions = report.predictions(direction)
    top5 = predictions.select(pl.col("predicted").list.head(5).list.contains(pl.col("category")).sum())
    assert top5.item() == frame["top5_correct"].sum()


def test_a_wrong_direction_names_both(report: EShotReport) -> None:
    wrong = cast("Direction", "audio")
    for call in (report.confusion, report.predictions):
        with pytest.raises(EmbeddingError, match=r"'audio'.*audio_to_points.*points_to_audio"):
            call(wrong)


def test_missing_vectors_are_counted_and_empty_categories_named() -> None:
    audio, points = tiny()
    more = Samples(points.ids, points.vectors, {**points.categories, "owl": [0], "cat": [77]})
    report = evaluate(without(audio, {0}), without(more, {2, 3}))
    assert report.classes == ("dog",)
    assert report.skipped == ("bell", "cat", "owl")
    assert report.coverage.rows() == [("audio", 4, 3, 1, 0), ("points", 6, 3, 3, 0)]
    text = str(report)
    assert "Audio Samples: 0.7500 (3/4 with a vector, 1 without)" in text
    assert "Categories: 0.2500 (1/4 evaluated)" in text
    assert "bell, cat, owl" in text


def test_vectors_in_no_category_are_ignored_and_counted() -> None:
    audio, points = tiny()
    extra = Samples(np.arange(5), np.vstack([audio.vectors, [[9, 9]]]).astype(np.float32), audio.categories)
    report = evaluate(extra, points)
    assert report.to_frame().equals(evaluate(audio, points).to_frame())
    assert "1 vectors in no category" in str(report)


def test_zero_vectors_have_similarity_zero() -> None:
    audio, points = tiny([[0, 0], [0, 0], [0, 1], [0, 1]])
    report = evaluate(audio, points)
    # Points of "dog" are equally similar to both classes, and audio of "dog" has similarity 0 to a class.
    assert report.predictions("points_to_audio").row(2) == (0, "dog", ["dog", "bell"])
    assert report.predictions("audio_to_points").row(2) == (0, "dog", ["dog", "bell"])


def test_ties_go_to_the_later_class() -> None:
    x = np.ones((3, 2), np.float32)
    samples = Samples(np.arange(3), x, {"a": [0], "b": [1], "c": [2]})
    report = evaluate(samples, samples)
    assert report.predictions("audio_to_points")["predicted"].to_list() == [["c", "b", "a"]] * 3


def test_nothing_with_a_vector() -> None:
    audio, points = tiny()
    with pytest.raises(EmbeddingError, match=r"none of 2 .* audio has 0 of 4 samples, points 4 of 4"):
        evaluate(without(audio, {0, 1, 2, 3}), points)


def test_dimensions_must_agree() -> None:
    audio, points = tiny()
    wide = Samples(points.ids, np.ones((4, 3), np.float32), points.categories)
    with pytest.raises(EmbeddingError, match="2 and 3 dimensions"):
        evaluate(audio, wide)


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        ([0, 1], [[1.0, 2.0]], "shapes"),
        ([0], [1.0], "shapes"),
        ([4, 4], [[1.0], [2.0]], "EShot id 4 has more than one"),
        ([8, 9], [[1.0], [np.nan]], r"EShot id 9 \(row 1\) has NaN"),
        ([8, 9], [[np.inf], [1.0]], r"EShot id 8 \(row 0\) has NaN or infinity"),
    ],
)
def test_samples_that_cannot_be(ids: list[int], vectors: list[Any], message: str) -> None:
    with pytest.raises(EmbeddingError, match=message):
        Samples(np.array(ids), np.array(vectors, np.float32), {})


def test_saved_files(report: EShotReport, tmp_path: Path) -> None:
    folder = report.save(tmp_path / "new" / "report")
    assert {path.name for path in folder.iterdir()} == {
        "report.txt",
        "report.html",
        "report.json",
        "categories.csv",
        "confusion_audio_to_points.csv",
        "confusion_points_to_audio.csv",
        "predictions.parquet",
    }
    assert (folder / "report.txt").read_text("utf-8") == f"{report}\n"
    assert pl.read_csv(folder / "categories.csv").equals(report.to_frame().cast({"class_index": pl.Int64}))
    for direction in DIRECTIONS:
        assert pl.read_csv(folder / f"confusion_{direction}.csv").equals(report.confusion(direction))
        rows = pl.read_parquet(folder / "predictions.parquet").filter(direction=direction).drop("direction").rows()
        whole = report.predictions(direction).rows()
        assert rows == [(number, category, predicted[:5]) for number, category, predicted in whole]
    saved = json.loads((folder / "report.json").read_text("utf-8"))
    assert saved["overall"] == report.overall.to_dicts()
    assert len(saved["categories"]) == 2 * len(report.classes)


def test_html_needs_no_network_and_escapes_names(tmp_path: Path) -> None:
    name = "</script><script src='https://example.org/x.js'></script>"
    samples = Samples(np.arange(2), np.eye(2, dtype=np.float32), {name: [0], "category": [1]})
    page = (evaluate(samples, samples).save(tmp_path) / "report.html").read_text("utf-8")
    assert name not in page
    assert not re.search(r"<script[^>]*\ssrc\s*=", page)
    assert not re.search(r"<link[^>]*\shref\s*=", page)
    assert "\\u003c/script>" in page
    assert "&lt;/script&gt;" in page


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_missing_vectors_are_as_if_never_listed(data: st.DataObject) -> None:
    """Without a vector, the numbers are those of a benchmark that never listed the sample."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    names = data.draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=7, unique=True))
    full, lost = [], []
    for _ in range(2):
        labels = rng.integers(len(names), size=data.draw(st.integers(1, 30)))
        lists = {name: np.flatnonzero(labels == i).tolist() for i, name in enumerate(names)}
        vectors = rng.standard_normal((len(labels), 4)).astype(np.float32)
        full.append(Samples(np.arange(len(labels)), vectors, lists))
        lost.append(set(data.draw(st.lists(st.integers(0, len(labels) - 1)))))
    kept = [without(samples, ids) for samples, ids in zip(full, lost, strict=True)]
    left = [{n: [i for i in x.categories[n] if i not in ids] for n in names} for x, ids in zip(full, lost, strict=True)]
    classes = sorted(name for name in names if left[0][name] and left[1][name])
    if not classes:
        with pytest.raises(EmbeddingError, match="vectors in both modalities"):
            evaluate(*kept)
        return
    report = evaluate(*kept)
    clean = evaluate(
        *(Samples(x.ids, x.vectors, {n: keep[n] for n in classes}) for x, keep in zip(full, left, strict=True))
    )
    assert list(report.classes) == classes
    assert sorted([*report.classes, *report.skipped]) == sorted(names)
    assert report.to_frame().equals(clean.to_frame())
    assert report.coverage["without_vector"].to_list() == [len(ids) for ids in lost]
    for direction in DIRECTIONS:
        assert report.predictions(direction).equals(clean.predictions(direction))
        report.confusion(direction)
