"""Zero-shot classification against brute force and scikit-learn: accuracies, nearest class mean, average precision, coverage."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, top_k_accuracy_score
from sklearn.neighbors import NearestCentroid
from system import emm1_cli
from typer.testing import CliRunner

import emm1
from emm1.cli import app
from emm1.errors import EmbeddingError
from emm1.evaluation.eshot.classify import Samples, evaluate
from emm1.evaluation.statistics.intervals import mean_over_classes, wilson

Doubles = NDArray[np.float64]


def unit(x: Any) -> Doubles:
    x = np.asarray(x, np.float64)
    norms = np.linalg.norm(x, axis=-1, keepdims=True)
    scaled: Doubles = x / np.where(norms == 0, 1, norms)
    return scaled


def cosines(samples: Any, classes: dict[str, Any], way: str) -> Doubles:
    """Cosines of samples and class vectors in float64, classes in code-point order."""
    means = [
        (unit(classes[name]) if way == "prompts" else np.asarray(classes[name], float)).mean(0)
        for name in sorted(classes)
    ]
    found: Doubles = unit(samples) @ unit(means).T
    return found


def data(
    seed: int, samples: int = 200, classes: int = 9, dim: int = 12
) -> tuple[NDArray[np.float32], NDArray[np.int64], dict[str, Any]]:
    """Samples near the centre of their class, and a few vectors for each class, of very different lengths."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, dim))
    truth = rng.integers(classes, size=samples)
    x = (centres[truth] + rng.standard_normal((samples, dim))).astype(np.float32) * rng.uniform(
        0.1, 9, (samples, 1)
    ).astype(np.float32)
    prompts = {
        f"c{i}": (
            (centres[i] + rng.standard_normal((int(rng.integers(1, 6)), dim))) * 10.0 ** rng.uniform(-1, 1)
        ).astype(np.float32)
        * rng.uniform(0.2, 5)
        for i in range(classes)
    }
    return x, truth, {name: vectors * rng.uniform(0.2, 5, (len(vectors), 1)) for name, vectors in prompts.items()}


@pytest.mark.parametrize("way", ["means", "prompts"])
@pytest.mark.parametrize("seed", range(3))
def test_accuracies_are_scikit_learns(seed: int, way: Any) -> None:
    x, truth, classes = data(seed)
    ids = np.arange(len(x)) + 100
    labels = {int(i): f"c{t}" for i, t in zip(ids, truth, strict=True)}
    report = emm1.zero_shot((ids, x), labels, classes, class_vectors=way)
    expected = cosines(x, classes, way)
    row = report.overall.row(0, named=True)
    for k in (1, 5):
        share = top_k_accuracy_score(truth, expected, k=k, labels=range(len(classes)))
        assert row[f"top{k}_accuracy"] == pytest.approx(share, abs=1e-12)
        rank = (expected > expected[np.arange(len(x)), truth][:, None]).sum(1)
        by_class = [(rank[truth == i] < k).mean() for i in range(len(classes))]
        assert row[f"top{k}_class_mean"] == pytest.approx(np.mean(by_class))
        assert report.to_frame()[f"top{k}_accuracy"].to_list() == pytest.approx(by_class)
        low, high = wilson(row[f"top{k}_correct"], len(x))
        assert (row[f"top{k}_accuracy_low"], row[f"top{k}_accuracy_high"]) == (low, high)
        counts = report.to_frame().select(f"top{k}_correct", "samples").to_numpy().T
        assert (row[f"top{k}_class_mean_low"], row[f"top{k}_class_mean_high"]) == mean_over_classes(*counts)
    one_hot = truth[:, None] == np.arange(len(classes))
    assert row["map_macro"] == pytest.approx(average_precision_score(one_hot, expected, average="macro"))
    assert row["map_micro"] == pytest.approx(average_precision_score(one_hot, expected, average="micro"))
    best = np.argsort(-expected, axis=1)
    predicted = {i: row for i, _, row in report.predictions(3).iter_rows()}
    assert [predicted[i] for i in ids] == [[f"c{c}" for c in row[:3]] for row in best]
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (truth, best[:, 0]), 1)
    assert (report.confusion().drop("class").to_numpy() == counts).all()


def test_ways_differ_and_the_default_is_that_of_the_input() -> None:
    x, truth, classes = data(4, samples=400)
    labels = dict(enumerate(f"c{t}" for t in truth))
    items = np.concatenate([*classes.values()])
    own = dict(enumerate(name for name, vectors in classes.items() for _ in vectors))
    reports = {
        (form, way): emm1.zero_shot((range(400), x), labels, given, class_labels=extra, class_vectors=way)
        for form, given, extra in (("mapping", classes, None), ("items", (range(len(items)), items), own))
        for way in ("means", "prompts", None)
    }
    for way in ("means", "prompts"):
        assert reports["mapping", way].predictions().equals(reports["items", way].predictions())
    assert not reports["items", "means"].predictions(1).equals(reports["items", "prompts"].predictions(1))
    assert (reports["mapping", None].way, reports["items", None].way) == ("prompts", "means")
    assert "zero-shot (mean of unit vectors, normalised)" in str(reports["mapping", None])


@pytest.mark.parametrize("seed", range(3))
def test_nearest_class_mean_is_that_of_a_fit_without_the_sample(seed: int) -> None:
    """On unit vectors, the nearest of normalised means by distance is the most similar by cosine."""
    x, truth, _ = data(seed, samples=60, classes=5)
    x = unit(x).astype(np.float32)
    truth[0] = 5  # alone in its class
    labels = dict(enumerate(f"c{t}" for t in truth))
    samples = np.arange(len(x)), x
    report = emm1.zero_shot(samples, labels, samples)
    assert report.own
    assert str(report).splitlines()[2] == "Nearest Class Mean"
    expected = []
    for left in range(len(x)):
        rest = np.arange(len(x)) != left
        model = NearestCentroid().fit(x[rest].astype(float), truth[rest])
        distances = np.linalg.norm(unit(model.centroids_) - unit(x[left]), axis=1)
        expected.append(f"c{model.classes_[np.argmin(distances)]}")
    predicted = {sample: first for sample, _, (first,) in report.predictions(1).iter_rows()}
    assert [predicted[i] for i in range(len(x))] == expected
    coverage = {what: (count, named) for what, count, named in report.coverage.iter_rows()}
    assert coverage["samples_alone_in_class"] == (1, ["0"])
    alone = report.to_frame().filter(pl.col("class") == "c5").row(0, named=True)
    assert (alone["samples"], alone["top1_correct"], alone["top5_correct"], alone["average_precision"]) == (
        1,
        0,
        0,
        None,
    )
    assert "c5" not in report.predictions(None).filter(id=0)["predicted"].item().to_list()
    assert "1 samples alone in a class, counted as wrong" in str(report)


def test_copies_of_a_class_tie_although_a_sample_is_left_out() -> None:
    """Without the sample, the mean of its class is exactly that of another class."""
    x = np.random.default_rng(1).standard_normal(16).astype(np.float32)
    samples = np.arange(6), np.stack([x, x, x, x, -x, -x])
    labels = {0: "a", 1: "a", 2: "b", 3: "b", 4: "c", 5: "c"}
    report = emm1.zero_shot(samples, labels, samples)
    assert report.predictions(2)["predicted"].to_list() == [["b", "a"]] * 4 + [["c", "b"]] * 2


def several(rng: np.random.Generator, samples: int, classes: int) -> NDArray[np.bool_]:
    """At least one label each."""
    member = rng.random((samples, classes)) < 0.3
    member[np.arange(samples), rng.integers(classes, size=samples)] = True
    return member


def test_only_vectors_of_labelled_items_are_read(tmp_path: Path) -> None:
    """A file may have millions without a label: here it can be told by a vector that would be refused."""
    x, labels, classes = data(7, samples=20)
    x[[3, 19]] = np.nan
    np.save(tmp_path / "x.npy", x)
    known = {i: f"c{label}" for i, label in enumerate(labels) if i not in (3, 19)}
    report = emm1.zero_shot(tmp_path / "x.npy", known, classes)
    kept = sorted(known)
    expected = emm1.zero_shot((kept, x[kept]), known, classes)
    assert report.to_frame().equals(expected.to_frame())
    assert report.coverage.filter(what="samples_without_label").row(0) == ("samples_without_label", 2, ["3", "19"])
    with pytest.raises(EmbeddingError, match="none of 20 samples"):
        emm1.zero_shot(tmp_path / "x.npy", {99: "c0"}, classes)


def test_several_labels_a_sample() -> None:
    x, _, classes = data(7, samples=300)
    member = several(np.random.default_rng(7), 300, len(classes))
    labels = {i: [f"c{c}" for c in np.flatnonzero(row)] for i, row in enumerate(member)}
    report = emm1.zero_shot((range(300), x), labels, classes)
    expected = cosines(x, classes, "prompts")
    row = report.overall.row(0, named=True)
    for average in ("macro", "micro"):
        assert row[f"map_{average}"] == pytest.approx(average_precision_score(member, expected, average=average))
    by_class = average_precision_score(member, expected, average=None)
    assert report.to_frame()["average_precision"].to_list() == pytest.approx(by_class.tolist())
    order = np.argsort(-expected, axis=1)
    for k in (1, 5):
        right = np.take_along_axis(member, order[:, :k], axis=1)
        assert row[f"top{k}_correct"] == right.any(1).sum()
        among = (order[:, :k, None] == np.arange(len(classes))).any(1)
        assert report.to_frame()[f"top{k}_correct"].to_list() == (among & member).sum(0).tolist()
    assert report.to_frame()["samples"].to_list() == member.sum(0).tolist()
    wrong = ~np.take_along_axis(member, order[:, :1], axis=1)[:, 0]
    assert report.mistakes()["count"].sum() == member[wrong].sum()
    assert "mAP, macro" in str(report)
    assert [accuracy.chance for accuracy in report.results.accuracies] == [None, None]
    assert all(
        first <= second for (_, [first, *_], _), (_, [second, *_], _) in pairwise(report.predictions(1).iter_rows())
    )


@given(st.data())
@settings(max_examples=60)
def test_ties_by_brute_force(draws: st.DataObject) -> None:
    """Small integers give many ties: of equals the later class comes first, and equal scores have one threshold."""
    rng = np.random.default_rng(draws.draw(st.integers(0, 2**32)))
    count = draws.draw(st.integers(2, 7))
    # Signed unit vectors and zeros: their cosines are exact.
    choices = np.concatenate([np.eye(3), -np.eye(3), np.zeros((1, 3))]).astype(np.float32)
    x, classes = choices[rng.integers(7, size=12)], choices[rng.integers(7, size=count)]
    member = several(rng, 12, count)
    labels = {i: [f"c{c}" for c in np.flatnonzero(row)] for i, row in enumerate(member)}
    report = emm1.zero_shot((range(12), x), labels, {f"c{i}": classes[i] for i in range(count)})
    exact = x.astype(int) @ classes.astype(int).T
    order = [sorted(range(count), key=lambda c: (-row[c], -c)) for row in exact]
    predicted = {i: row for i, _, row in report.predictions(None).iter_rows()}
    assert [predicted[i] for i in range(12)] == [[f"c{c}" for c in row] for row in order]
    assert [row[0] for row in report.predictions(1)["predicted"]] == [
        row[0] for row in report.predictions(2)["predicted"]
    ]
    for k in (1, 5):
        assert report.overall[f"top{k}_correct"].item() == sum(member[i, order[i][:k]].any() for i in range(12))
    for c, value in enumerate(report.to_frame()["average_precision"]):
        assert value == (
            pytest.approx(average_precision_score(member[:, c], exact[:, c])) if member[:, c].any() else None
        )


def test_eshot_is_one_case() -> None:
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((20, 32))
    items = []
    for _ in range(2):
        truth = np.concatenate([np.arange(20), rng.integers(20, size=250)])
        vectors = (centres[truth] + 2 * rng.standard_normal((len(truth), 32))).astype(np.float32)
        items.append((np.arange(len(truth)), vectors, dict(enumerate(f"k{t:02}" for t in truth))))
    eshot = evaluate(
        *(
            Samples(ids, x, {f"k{t:02}": [i for i, name in named.items() if name == f"k{t:02}"] for t in range(20)})
            for ids, x, named in items
        )
    )
    (ids, x, labels), (other_ids, y, other_labels) = items
    report = emm1.zero_shot((ids, x), labels, (other_ids, y), class_labels=other_labels)
    expected = eshot.predictions("audio_to_points")
    assert report.predictions(None)["predicted"].equals(expected["predicted"])
    assert report.predictions(None)["id"].to_list() == expected["eshot_id"].to_list()
    common = [name for name in report.overall.columns if name.startswith("top") and "class" not in name]
    assert report.overall.select(common).row(0) == eshot.overall.filter(direction="audio_to_points").select(common).row(
        0
    )


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1.0, 1e30, 1e38])
def test_lengths_at_the_limits_of_float32_change_nothing(scale: float) -> None:
    """Squares of such components are 0 or infinite in float32."""
    x, truth, classes = data(9)
    labels = dict(enumerate(f"c{t}" for t in truth))
    whole = emm1.zero_shot((range(200), x), labels, classes)
    with np.errstate(under="ignore"):
        scaled = (unit(x) * scale).astype(np.float32)
        tiny = {name: (unit(vectors) * scale).astype(np.float32) for name, vectors in classes.items()}
    report = emm1.zero_shot((range(200), scaled), labels, tiny)
    assert report.overall["top1_accuracy"].item() == pytest.approx(whole.overall["top1_accuracy"].item(), abs=0.011)
    assert report.overall["top1_accuracy"].item() > 0.3


def test_what_is_left_out_is_counted_and_named() -> None:
    x = np.eye(4, dtype=np.float32)
    labels = {1: "a", 2: ["b", "other"], 3: "unheard", 9: "a"}
    report = emm1.zero_shot(([1, 2, 3, 4], x), labels, {"a": x[0], "b": x[1], "empty": x[3]})
    coverage = {what: (count, named) for what, count, named in report.coverage.iter_rows()}
    assert coverage == {
        "samples_without_label": (1, ["4"]),
        "labels_without_vector": (1, ["9"]),
        "labels_without_class": (2, ["other", "unheard"]),
        "samples_without_class": (1, ["3"]),
        "samples_alone_in_class": (0, []),
        "classes_without_sample": (1, ["empty"]),
    }
    assert report.samples == 2
    assert report.overall["top1_class_mean"].item() == 1.0
    assert report.to_frame().row(2)[:4] == ("empty", 2, 0, 0)
    assert report.to_frame().row(2)[5] is None
    text = str(report)
    for line in (
        "1 samples without a label, left out: 4",
        "2 labels that are none of the classes, left out: other, unheard",
    ):
        assert line in text
    classes = [7, 8, 10], np.stack([x[0], x[1], x[2]])
    report = emm1.zero_shot(([1, 2], x[:2]), {1: "a", 2: "b"}, classes, class_labels={7: "a", 8: "b", 11: "c"})
    coverage = {what: (count, named) for what, count, named in report.coverage.iter_rows()}
    assert coverage["class_items_without_label"] == (1, ["10"])
    assert coverage["class_labels_without_vector"] == (1, ["11"])


def frames(pairs: list[tuple[int, str]]) -> dict[str, Any]:
    frame = pl.DataFrame(pairs, {"id": pl.Int32, "label": pl.String}, orient="row")
    mapping: dict[int, list[str]] = {}
    for item, label in pairs:
        mapping.setdefault(item, []).append(label)
    return {
        "mapping": mapping,
        "polars": frame,
        "lazy": frame.lazy(),
        "arrow": frame.to_arrow(),
        "relation": duckdb.sql("FROM frame"),
        "lists": frame.group_by("id").agg("label"),
        "enum": frame.with_columns(pl.col("label").cast(pl.Categorical)),
        "numpy": {np.int64(item): np.array(labels) for item, labels in mapping.items()},
    }


@pytest.mark.parametrize("form", frames([(1, "a")]))
def test_forms_of_labels(form: str) -> None:
    labels = frames([(1, "a"), (2, "b"), (2, "a"), (2, "b")])[form]
    x = np.eye(2, dtype=np.float32)
    report = emm1.zero_shot(([1, 2], x), labels, {"a": x[0], "b": x[1]})
    assert report.predictions(1)["labels"].to_list() == [["a"], ["a", "b"]]


def test_integers_are_labels_too() -> None:
    x = np.eye(2, dtype=np.float32)
    report = emm1.zero_shot(([1, 2], x), {1: 0, 2: np.int64(1)}, {0: x[0], 1: x[1]})  # type: ignore[dict-item]
    assert report.classes == ("0", "1")
    assert report.overall["top1_correct"].item() == 2


X = np.eye(3, dtype=np.float32)
IDS = ([1, 2, 3], X)
LABELS = {1: "a", 2: "b", 3: "b"}
CLASSES = {"a": X[0], "b": X[1]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IDS, {}, CLASSES), "labels are empty"),
        ((IDS, {1: None}, CLASSES), "labels are empty"),
        ((IDS, {"1": "a"}, CLASSES), "have the id '1': ids are integers"),
        ((IDS, {1: 0.5}, CLASSES), "have the label 0.5"),
        ((IDS, {1: True}, CLASSES), "have the label True"),
        ((IDS, "a", CLASSES), "must be a mapping of ids to labels, a frame"),
        ((IDS, pl.DataFrame({"id": [1], "class": ["a"]}), CLASSES), "no column label: .*they have id, class"),
        ((IDS, pl.DataFrame({"id": ["1"], "label": ["a"]}), CLASSES), "ids of the type String"),
        ((IDS, pl.DataFrame({"id": [1], "label": [0.5]}), CLASSES), "labels of the type Float64"),
        ((IDS, pl.DataFrame({"id": [1, None], "label": ["a", "b"]}), CLASSES), "no id in row 1"),
        ((IDS, {1: "x", 2: "y"}, CLASSES), "none of 3 samples .* labels such as 'x', 'y', classes such as 'a', 'b'"),
        ((IDS, {7: "a"}, CLASSES), "none of 3 samples"),
        ((IDS, LABELS, {"a": X[0]}), "only one class, 'a'"),
        ((IDS, LABELS, {}), "no class with a vector"),
        ((IDS, LABELS, {"a": X[0, :2], "b": X[1, :2]}), "samples have 3 dimensions and classes 2"),
        ((IDS, LABELS, {"a": X[0], "b": X[1, :2]}), "classes 2 and 3"),
        ((IDS, LABELS, {"a": X[0], "b": X[:0]}), "class 'b' has no vector"),
        ((IDS, LABELS, {"a": X[0], "b": X[1] * np.nan}), "class 'b' have NaN"),
        ((IDS, LABELS, {"a": X[0], "b": "text"}), "the vectors of class 'b'"),
        ((([1, 2, 3], X * np.nan), LABELS, CLASSES), r"id 1 \(row 0\) has NaN"),
        ((([1, 2, 2], X), LABELS, CLASSES), "id 2 has more than one vector"),
        ((([1, 2], X), LABELS, CLASSES), "shapes"),
        ((X.tolist(), LABELS, CLASSES), "samples must be embeddings, their file, or ids and vectors"),
        ((IDS, LABELS, ([4, 5], X[:2])), "give class_labels"),
        ((IDS, LABELS, {"a": np.full((2, 3), 3e38), "b": X[1]}), ""),
    ],
)
def test_wrong_input(arguments: tuple[Any, Any, Any], message: str) -> None:
    if not message:
        with pytest.raises(EmbeddingError, match="beyond float32"):
            emm1.zero_shot(*arguments, class_vectors="means")
        return
    with pytest.raises(EmbeddingError, match=message):
        emm1.zero_shot(*arguments)


def test_wrong_options() -> None:
    with pytest.raises(EmbeddingError, match="'means' or 'prompts', not 'mean'"):
        emm1.zero_shot(IDS, LABELS, CLASSES, class_vectors="mean")  # type: ignore[arg-type]
    with pytest.raises(EmbeddingError, match="need no class_labels"):
        emm1.zero_shot(IDS, LABELS, CLASSES, class_labels=LABELS)
    with pytest.raises(EmbeddingError, match="leave class_labels out"):
        emm1.zero_shot(IDS, LABELS, IDS, class_labels=LABELS)


def test_files(tmp_path: Path) -> None:
    x, truth, classes = data(3)
    np.save(tmp_path / "x.npy", x)
    labels = dict(enumerate(f"c{t}" for t in truth))
    report = emm1.zero_shot(tmp_path / "x.npy", labels, classes)
    assert report.predictions().equals(
        emm1.zero_shot(emm1.Embeddings(tmp_path / "x.npy"), labels, classes).predictions()
    )
    assert report.provenance.sources["samples"]
    assert emm1.zero_shot(tmp_path / "x.npy", labels, str(tmp_path / "x.npy")).own
    folder = report.save(tmp_path / "report")
    names = {"report.txt", "report.html", "report.json", "classes.csv", "confusion.csv", "predictions.parquet"}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / "report.txt").read_text("utf-8") == f"{report}\n"
    assert pl.read_csv(folder / "classes.csv").equals(report.to_frame())
    assert pl.read_csv(folder / "confusion.csv").equals(report.confusion())
    assert pl.read_parquet(folder / "predictions.parquet").equals(report.predictions())
    saved = json.loads((folder / "report.json").read_text("utf-8"))
    assert saved["overall"] == report.overall.to_dicts()[0]
    assert saved["method"] == {"class_vectors": "prompts", "leave_one_out": False, "similarity": "cosine"}
    with pytest.raises(emm1.Error, match="is a file"):
        report.save(folder / "report.txt")


def test_the_page_escapes_names_and_needs_no_network(tmp_path: Path) -> None:
    name = "</script><script src='https://example.org/x.js'></script>"
    report = emm1.zero_shot(IDS, {1: name, 2: ["class", name], 3: "<i>other"}, {name: X[1], "class": X[0]})
    page = (report.save(tmp_path) / "report.html").read_text("utf-8")
    assert name not in page
    assert "&lt;/script&gt;" in page
    assert "<i>other" not in page
    assert not re.search(r"<(script|link)", page)
    assert "Incomplete." in page
    assert report.confusion().columns[0] == "class_"


@pytest.fixture(scope="module")
def store_of_eshot(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zero-shot") / "emm1.duckdb"
    with emm1.build(tree, path, splits=["eshot"]) as store:
        for modality in ("audio", "points"):
            file = tree / f"embeddings/eshot_{modality}.npy"
            store.add_embeddings(modality, file, dataset="eshot", modality=modality)
    return path


def query(modality: str) -> str:
    return f"SELECT eshot_id AS id, category AS label FROM eshot.categories WHERE modality = '{modality}'"


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "jsonl", "csv.gz"])
def test_command(store_of_eshot: Path, tree: Path, tmp_path: Path, suffix: str) -> None:
    given = (store_of_eshot, "audio", "points", "--class-labels", query("points"))
    with emm1.open(store_of_eshot, read_only=True) as store:
        file = tmp_path / f"labels.{suffix}"
        delimiter = ", DELIMITER '\t'" if suffix == "tsv" else ""
        kind = {"tsv": "csv", "jsonl": "json", "csv.gz": "csv"}.get(suffix, suffix)
        store.sql(f"COPY ({query('audio')}) TO '{file}' (FORMAT {kind}{delimiter})")
        report = store.zero_shot("audio", "points", query("audio"), class_labels=query("points"))
        eshot = store.eshot("audio", "points")
    common = ["samples", "top1_correct", "top5_correct", "top1_accuracy", "top5_accuracy_low"]
    assert report.overall.select(common).row(0) == eshot.overall.filter(direction="audio_to_points").select(common).row(
        0
    )
    code, text, said = invoke("zero-shot", *given, "--labels", file, "--output", tmp_path / "out")
    assert (code, text) == (0, f"{report}\n")
    assert said.replace(" ", "").endswith("out/report.html")
    code, rows, _ = invoke("zero-shot", *given, "--labels", query("audio"), "--format", "csv")
    assert code == 0
    assert pl.read_csv(rows.encode()).equals(report.to_frame())
    code, text, _ = invoke("zero-shot", store_of_eshot, tree / "embeddings/eshot_audio.npy", "audio", "--labels", file)
    assert "Nearest Class Mean" in text


def test_csv_labels_are_text(store_of_eshot: Path, tmp_path: Path) -> None:
    """007 is no number, an empty label is none, and ids are integers."""
    ids = emm1.open(store_of_eshot, read_only=True).embeddings("audio").ids[:3].tolist()
    (tmp_path / "labels.csv").write_text(f"id,label\n{ids[0]},007\n{ids[1]},7\n{ids[2]},\n")
    with emm1.open(store_of_eshot, read_only=True) as store:
        report = store.zero_shot("audio", "audio", tmp_path / "labels.csv")
        assert report.classes == ("007", "7")
        assert (
            report.coverage.filter(what="samples_without_label")["count"].item() == len(store.embeddings("audio")) - 2
        )
        (tmp_path / "wrong.csv").write_text("id,label\n1,a\n2.5,b\n")
        with pytest.raises(EmbeddingError, match=r"wrong\.csv: '2\.5', in row 2"):
            store.zero_shot("audio", "audio", tmp_path / "wrong.csv")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("labels.txt", "neither SQL nor a file of labels"),
        ("no/such.csv", "does not exist"),
        ("SELECT 1 AS id", "no column label"),
        ("SELECT * FROM nowhere", "SQL of labels cannot be read"),
        ("SELECT 1 AS id, 'a' AS label WHERE false", "are empty"),
        ("WITH", "cannot be read"),
    ],
)
def test_labels_that_cannot_be_read(store_of_eshot: Path, labels: str, message: str) -> None:
    with emm1.open(store_of_eshot, read_only=True) as store, pytest.raises(emm1.Error, match=message):
        store.zero_shot("audio", "points", labels, class_labels=query("points"))


def test_classes_without_labels_are_refused(store_of_eshot: Path) -> None:
    done = emm1_cli("zero-shot", store_of_eshot, "audio", "points", "--labels", query("audio"))
    assert done.returncode == 1
    assert "which classes do the rows of points belong to?" in done.stderr
    assert "--class-labels classes.csv" in done.stderr


def test_embeddings_of_the_same_items_leave_the_sample_out(store_of_eshot: Path, tree: Path, tmp_path: Path) -> None:
    """Two registered files of one modality: an item is taken out of its class's mean by its id."""
    audio = emm1.Embeddings(tree / "embeddings/eshot_audio.npy")
    with emm1.open(store_of_eshot, read_only=True) as store:
        whole = store.zero_shot("audio", "audio", query("audio"))
        ids = store.embeddings("audio").ids
    order = np.random.default_rng(2).permutation(len(ids))
    np.save(tmp_path / "shuffled.npy", np.asarray(audio)[order])
    np.save(tmp_path / "shuffled.ids.npy", ids[order])
    copy = tmp_path / "emm1.duckdb"
    copy.write_bytes(store_of_eshot.read_bytes())
    with emm1.open(copy) as store:
        store.add_embeddings("shuffled", tmp_path / "shuffled.npy", dataset="eshot", modality="audio")
        report = store.zero_shot("audio", "shuffled", query("audio"))
    assert report.own
    assert report.overall.drop(pl.selectors.float()).equals(whole.overall.drop(pl.selectors.float()))


def test_arrays_and_lists_have_row_numbers(tmp_path: Path) -> None:
    """As NumPy's users have it: labels are places in the array of class vectors."""
    rng = np.random.default_rng(3)
    vectors, weights = rng.standard_normal((50, 8)), rng.standard_normal((5, 8))
    labels = rng.integers(5, size=50)
    cosines = vectors @ weights.T / np.linalg.norm(vectors, axis=1)[:, None] / np.linalg.norm(weights, axis=1)
    right = int((cosines.argmax(axis=1) == labels).sum())
    for form in (labels, labels.tolist(), dict(enumerate(labels.tolist()))):
        report = emm1.zero_shot(vectors, form, weights)
        assert (report.overall["top1_correct"].item(), report.classes) == (right, tuple("01234"))
    np.save(tmp_path / "weights.npy", weights.astype(np.float32))
    assert emm1.zero_shot(vectors, labels, tmp_path / "weights.npy").overall["top1_correct"].item() == right
    with pytest.raises(EmbeddingError, match="label the samples by ids of classes"):
        emm1.zero_shot(vectors, labels + 1, weights)


def test_labels_that_are_ids_of_the_classes_in_a_store(store_of_eshot: Path) -> None:
    with emm1.open(store_of_eshot, read_only=True) as store:
        audio, points = store.embeddings("audio"), store.embeddings("points")
        labels = "SELECT eshot_audio_id AS id, [0, 2, 5][eshot_audio_id % 3 + 1] AS label FROM eshot.audio"
        report = store.zero_shot("audio", "points", labels)
        places = {item: place for place, item in enumerate(points.ids.tolist())}
        x, y = (np.asarray(each).astype(np.float64) for each in (audio, points))
        cosines = x @ y.T / np.linalg.norm(x, axis=1)[:, None] / np.linalg.norm(y, axis=1)
        expected = [places[[0, 2, 5][item % 3]] for item in audio.ids.tolist()]
        assert report.overall["top1_correct"].item() == int((cosines.argmax(axis=1) == expected).sum())
        assert len(report.classes) == len(points)
