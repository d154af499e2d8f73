"""Retrieval over a store: ranks and measures against a full sort by NumPy, pairs against the published tables, and wrong requests."""

import json
from math import comb
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import polars as pl
import pytest
import scipy.stats
from html_tree import Reader
from numpy.typing import NDArray
from typer.testing import CliRunner

import emm1
from emm1.cli import app
from emm1.evaluation.retrieval.measures import measures_at
from emm1.evaluation.retrieval.pairs import pairs_of

COLUMNS = ["metric", "value", "low", "high", "queries", "gallery", "coverage", "best", "worst", "clusters"]
MODALITIES = ("text", "image", "audio", "video", "points")


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with emm1.build(tree, tmp_path_factory.mktemp("retrieval") / "emm1.duckdb") as opened:
        for modality in MODALITIES:
            opened.add_embeddings(modality, tree / f"embeddings/{modality}.npy", dataset="100m", modality=modality)
            opened.add_embeddings(
                f"{modality}_1m", tree / f"embeddings/1m/{modality}.npy", dataset="1m", modality=modality
            )
        yield opened


def scores_of(queries: emm1.Embeddings, base: emm1.Embeddings) -> NDArray[np.float32]:
    """Cosines of all rows, float32."""
    x, y = (np.asarray(each).astype(np.float64) for each in (queries, base))
    cosines: NDArray[np.float64] = (x @ y.T) / np.linalg.norm(x, axis=1)[:, None] / np.linalg.norm(y, axis=1)
    return cosines.astype(np.float32)


def by_sorting(queries: emm1.Embeddings, base: emm1.Embeddings, pairs: pl.DataFrame, k: int) -> dict[str, float]:
    """The measures from a sort of the whole gallery for each query; without ties."""
    scores = scores_of(queries, base)
    row = {item: number for number, item in enumerate(queries.ids.tolist())}
    found: dict[str, list[float]] = {name: [] for name in measures_at([k])}
    right = pairs.filter(pl.col("grade") > 0)
    for (query,), answers in right.group_by("query_id", maintain_order=True):
        order = base.ids[np.argsort(-scores[row[query]], kind="stable")]
        grade = dict(answers.select("id", "grade").iter_rows())
        gains = np.array([grade.get(item, 0) for item in order.tolist()])
        ranks = np.flatnonzero(gains) + 1
        ideal = np.sort([*grade.values()])[::-1][:k]
        found[f"hit@{k}"].append(ranks[0] <= k)
        found[f"recall@{k}"].append((ranks <= k).sum() / len(grade))
        found[f"precision@{k}"].append((ranks <= k).sum() / k)
        dcg = (gains[:k] / np.log2(np.arange(2, k + 2))[: len(gains[:k])]).sum()
        found[f"nDCG@{k}"].append(dcg / (ideal / np.log2(np.arange(2, len(ideal) + 2))).sum())
        found["MRR"].append(1 / ranks[0])
        found["mAP"].append((np.arange(1, len(ranks) + 1) / ranks).sum() / len(grade))
        found["R-precision"].append((ranks <= len(grade)).sum() / len(grade))
        found["median_rank"].append(ranks[0])
    return {
        name: float(np.median(values) if name == "median_rank" else np.mean(values)) for name, values in found.items()
    }


def published(tree: Path, queries: str, base: str, kind: str) -> pl.DataFrame:
    """The pairs of a kind from the published files, without DuckDB."""
    other = base if queries == "text" else queries
    if kind == "groups":
        groups = pl.concat([pl.read_csv(tree / f"e-mm1_100m/nn_{rank}/data_groups.csv") for rank in range(1, 17)])
        pairs = groups.select(text="encord_text_id", item=f"encord_{other}_id")
    else:
        triplets = pl.read_csv(tree / "e-mm1_1m/triplets.csv")
        if kind == "triplets":
            rows = triplets.filter(annotated_modality=base)
            rows = rows if queries == "text" else rows.filter(paired_modality=queries)
            query = "encord_text_id" if queries == "text" else "encord_paired_id"
            gain = (3 - pl.col("annotation")).sort()
            return (
                rows.group_by(query_id=query, id="encord_annotated_id")
                .agg(grade=gain.get((pl.len() - 1) // 2))
                .sort("query_id", "id")
            )
        pairs = triplets.filter(paired_modality=other).select(text="encord_text_id", item="encord_paired_id")
    names = {"text": "query_id", "item": "id"} if queries == "text" else {"text": "id", "item": "query_id"}
    return pairs.unique().rename(names).with_columns(grade=pl.lit(1)).sort("query_id", "id")


@pytest.mark.parametrize(
    ("queries", "base", "kind"),
    [
        ("text", "image", "captions"),
        ("audio", "text", "captions"),
        ("text", "points", "groups"),
        ("image", "text", "groups"),
        ("text", "image", "triplets"),
        ("audio", "image", "triplets"),
    ],
)
def test_measures_and_pairs_of_every_kind(store: emm1.Store, tree: Path, queries: str, base: str, kind: str) -> None:
    first, second = (name if kind == "groups" else f"{name}_1m" for name in (queries, base))
    report = store.retrieval(first, second, kind, [7], resamples=20)
    pairs = published(tree, queries, base, kind)
    mine = report.outcome.pairs.select("query_id", "id", "grade")
    assert mine.sort("query_id", "id").rows() == pairs.select("query_id", "id", "grade").rows()
    expected = by_sorting(store.embeddings(first), store.embeddings(second), pairs, 7)
    frame = report.to_frame()
    assert frame.columns == COLUMNS
    assert frame["metric"].to_list() == [*expected]
    assert frame["value"].to_list() == pytest.approx([*expected.values()], abs=1e-9)
    counted = pairs.filter(pl.col("grade") > 0)["query_id"].n_unique()
    assert set(frame["queries"]) == {counted} == {len(report.per_query)}
    assert set(frame["coverage"]) == {counted / pairs["query_id"].n_unique()}
    assert set(frame["gallery"]) == {len(store.embeddings(second))}
    assert (frame["low"] <= frame["value"] + 1e-12).all()
    assert (frame["high"] >= frame["value"] - 1e-12).all()


def test_ties_of_a_constant_model(tmp_path: Path) -> None:
    """Two of 1,000 queries and rows, all equal: by insertion order the first would have every measure 1."""
    np.save(tmp_path / "x.npy", np.ones((1000, 4), np.float32))
    pairs = {"query_id": [0, 999], "id": [0, 999]}
    report = emm1.retrieval(tmp_path / "x.npy", tmp_path / "x.npy", pairs, resamples=0)
    rows = {row["metric"]: row for row in report.to_frame().to_dicts()}
    whole = emm1.retrieval(tmp_path / "x.npy", tmp_path / "x.npy", "same-id", k=[1, 3, 7, 10], resamples=50).to_frame()
    assert whole.filter((pl.col("low") != pl.col("value")) | (pl.col("high") != pl.col("value"))).is_empty()
    assert rows["hit@10"]["value"] == 0.01
    assert round(rows["MRR"]["value"], 4) == 0.0075
    assert rows["median_rank"]["value"] == 500.5
    assert (rows["hit@1"]["worst"], rows["hit@1"]["best"]) == (0, 1)
    assert (rows["median_rank"]["worst"], rows["median_rank"]["best"]) == (1000, 1)
    assert "ties with a row that is not right: 2" in str(report)
    assert report.per_query.select("best_rank", "worst_rank", "rank").rows() == [(1, 1000, 500.5)] * 2
    assert report.per_query.columns[:5] == ["query_id", "positives", "best_rank", "worst_rank", "ap"]


def test_more_cut_offs_than_rows(tmp_path: Path) -> None:
    """A k beyond the gallery finds all of it, however large."""
    np.save(tmp_path / "x.npy", np.eye(5, dtype=np.float32))
    report = emm1.retrieval(
        tmp_path / "x.npy", tmp_path / "x.npy", {"query_id": [0, 1], "id": [1, 0]}, k=[5, 10**12, 10**30], resamples=0
    )
    values = {row["metric"]: row["value"] for row in report.to_frame().to_dicts()}
    for name in ("hit", "recall", "nDCG"):
        assert values[f"{name}@5"] == values[f"{name}@{10**12}"] == values[f"{name}@{2**62}"]
    assert values[f"precision@{10**12}"] == 1e-12
    assert report.hits["query_id"].to_list() == [0] * 5 + [1] * 5


@pytest.mark.parametrize("exclude_self", [False, True])
def test_ranks_of_coarse_vectors(tmp_path: Path, exclude_self: bool) -> None:
    """Integers of few values tie often: ranks by counting, of several right answers too."""
    rng = np.random.default_rng(6)
    vectors = rng.integers(-1, 2, (300, 4)).astype(np.int8)
    np.save(tmp_path / "x.npy", vectors)
    frame = pl.DataFrame({"query_id": rng.integers(300, size=900), "id": rng.integers(300, size=900)}).unique()
    report = emm1.retrieval(
        tmp_path / "x.npy", tmp_path / "x.npy", frame, [7], metric="dot", exclude_self=exclude_self, resamples=0
    )
    scores = vectors.astype(int) @ vectors.T.astype(int)
    assert report.tied > 200
    for row in report.per_query.iter_rows(named=True):
        query = row["query_id"]
        right = np.array([item for item in frame.filter(query_id=query)["id"] if item != query or not exclude_self])
        rows = np.array([item for item in range(300) if item != query or not exclude_self])
        own = scores[query, right].max()
        above, same = (scores[query, rows] > own).sum(), (scores[query, rows] == own).sum()
        tied = (scores[query, right] == own).sum()
        assert row["positives"] == len(right)
        assert (row["best_rank"], row["worst_rank"]) == (above + 1, above + same - tied + 1)
        assert row["rank"] == pytest.approx(above + 1 + (same - tied) / (tied + 1))
        taken = min(max(7 - above, 0), same)
        assert row["hit@7"] == pytest.approx(1 - comb(same - tied, taken) / comb(same, taken))


def test_missing_vectors_are_counted(tmp_path: Path) -> None:
    """Query 9 and answers 8 and 9 have no vector; query 2 is judged, but has no right answer."""
    np.save(tmp_path / "x.npy", np.eye(4, dtype=np.float32))
    pairs = {"query_id": [0, 0, 1, 2, 9], "id": [0, 8, 9, 3, 1], "grade": [1, 1, 2, 0, 1]}
    report = emm1.retrieval(tmp_path / "x.npy", tmp_path / "x.npy", pairs, [1], resamples=0)
    coverage = report.coverage
    assert vars(coverage) == {
        "asked": 4,
        "without_vector": 1,
        "without_right_answer": 1,
        "queries": 2,
        "unreachable": 1,
        "right_answers": 3,
        "right_answers_with_vector": 1,
    }
    values = dict(report.to_frame().select("metric", "value").iter_rows())
    assert values["hit@1"] == 0.5
    assert values["recall@1"] == 0.25  # one of two right answers, and none of one
    assert values["mAP"] == 0.25
    assert values["median_rank"] == np.inf
    assert report.per_query["rank"].to_list() == [1.0, None]
    assert report.to_frame()["coverage"].to_list() == [0.5] * 8
    assert "2 of 4 (1 without a vector and 1 without a right answer in the gallery do not count)" in str(report)
    assert (
        "3, of which 2 have no vector and count as not found; queries that have no other, and find nothing: 1"
        in str(report)
    )
    for words in ("queries without a vector in x.npy: 1, and none may be missing", "first ids: 9"):
        with pytest.raises(emm1.EmbeddingError, match=words):
            emm1.retrieval(tmp_path / "x.npy", tmp_path / "x.npy", pairs, missing="fail")
    with pytest.raises(emm1.EmbeddingError, match=r"right answers without a vector in x\.npy: 2"):
        emm1.retrieval(tmp_path / "x.npy", tmp_path / "x.npy", {"query_id": [0, 0, 1], "id": [0, 8, 9]}, missing="fail")


def test_where_restricts_the_gallery_exactly(store: emm1.Store, tree: Path) -> None:
    condition = "source_dataset = 'COCO'"
    report = store.retrieval("text_1m", "image_1m", where=condition, resamples=0)
    info = pl.read_csv(tree / "e-mm1_1m/infos/image.csv", infer_schema=False).filter(source_dataset="COCO")
    inside = info["encord_image_id"].cast(pl.Int64)
    pairs = published(tree, "text", "image", "captions")
    base = store.embeddings("image_1m")
    alone = emm1.retrieval(store.embeddings("text_1m"), base, pairs, among=inside, resamples=0)
    assert report.to_frame().equals(alone.to_frame())
    assert set(report.to_frame()["gallery"]) == {len(inside)}
    assert report.coverage.without_right_answer == pairs["query_id"].n_unique() - len(report.per_query)
    assert set(report.hits["id"]) <= set(inside)
    assert f"where {condition}" in str(report)


def test_nothing_is_excluded_unless_asked(store: emm1.Store) -> None:
    same = store.retrieval("text_1m", "text_1m", "same-id", [1], resamples=0)
    assert same.to_frame()["best"].to_list() == [1.0] * 8
    text = store.embeddings("text_1m")
    near = {"query_id": text.ids[:20], "id": text.ids[1:21]}
    for exclude_self in (False, True):
        report = store.retrieval("text_1m", "text_1m", near, [3], exclude_self=exclude_self, resamples=0)
        scores = scores_of(text, text)[:20]
        rows = np.arange(20)
        target = scores[rows, rows + 1][:, None]
        if exclude_self:
            scores[rows, rows] = -np.inf
        above, equal = (scores > target).sum(axis=1), (scores == target).sum(axis=1) - 1
        assert report.per_query["rank"].to_list() == (above + 1 + equal / 2).tolist()
        own = report.hits.filter(pl.col("query_id") == pl.col("id"))
        assert len(own) == (0 if exclude_self else 20)
        assert report.hits.group_by("query_id").len()["len"].to_list() == [3] * 20
    both = {name: np.append(ids, text.ids[:20]) for name, ids in near.items()}
    both["id"][20:] = text.ids[:20]
    counted = store.retrieval("text_1m", "text_1m", both, [3], exclude_self=True, resamples=0)
    assert counted.to_frame().equals(report.to_frame())
    assert "20 rows with the query's own id are left out" in str(counted)
    assert "left out" not in str(report)
    with pytest.raises(emm1.EmbeddingError, match="which exclude_self leaves out"):
        store.retrieval("text_1m", "text_1m", "same-id", exclude_self=True)


@pytest.mark.parametrize("metric", ["dot", "l2"])
def test_other_scores(store: emm1.Store, metric: Literal["dot", "l2"]) -> None:
    text, image = store.embeddings("text_1m"), store.embeddings("image_1m")
    report = store.retrieval("text_1m", "image_1m", k=5, metric=metric, resamples=0)
    first = report.outcome.pairs.group_by("query_id", maintain_order=True).agg("id").sort("query_id")
    for query, rank, ids in zip(first["query_id"], report.per_query["rank"], first["id"].to_list(), strict=True):
        hits = image.search(text.vectors([query])[0], len(image), metric)
        assert rank == 1 + np.flatnonzero(np.isin(hits.ids, ids))[0]
    assert f"Score: {metric}, exact" in str(report)


def test_hits_are_those_of_a_search(store: emm1.Store, tree: Path) -> None:
    report = store.retrieval("text_1m", "image_1m", "triplets", [2, 60], resamples=0)
    assert report.hits.columns == ["query_id", "rank", "id", "score", "grade"]
    ids = report.per_query["query_id"].to_numpy()
    hits = store.embeddings("image_1m").search(store.embeddings("text_1m").vectors(ids), 60)
    assert report.hits["id"].to_list() == hits.ids.ravel().tolist()
    assert report.hits["score"].to_list() == hits.scores.ravel().tolist()
    grades = {(query, item): grade for query, item, grade in published(tree, "text", "image", "triplets").rows()}
    expected = [grades.get(pair) for pair in report.hits.select("query_id", "id").iter_rows()]
    assert report.hits["grade"].to_list() == expected
    assert 0 in expected  # judged, and not right


def test_slices_hold_every_query_once(store: emm1.Store, tree: Path) -> None:
    report = store.retrieval("text_1m", "image_1m", resamples=20)
    info = pl.read_csv(tree / "e-mm1_1m/infos/text.csv", infer_schema=False)
    sources = dict(info.select(pl.col("encord_text_id").cast(pl.Int64), "source_dataset").iter_rows())
    sliced = report.by("source_dataset")
    assert sliced.columns == ["source_dataset", *COLUMNS]
    per_query = report.per_query.with_columns(source=pl.col("query_id").replace_strict(sources))
    for (source,), rows in per_query.group_by("source"):
        own = sliced.filter(source_dataset=source, metric="mAP")
        assert own["queries"].item() == len(rows)
        assert own["value"].item() == pytest.approx(rows["ap"].mean())
    words = report.by("caption_words").filter(metric="MRR")
    assert words["queries"].sum() == len(per_query)
    with pytest.raises(
        emm1.EmbeddingError, match=r"no column 'colour' in e_mm1_1m.text: caption_words, or one of encord_text_id"
    ):
        report.by("colour")
    with pytest.raises(emm1.EmbeddingError, match=r"no column 'caption_words' in e_mm1_1m\.image: one of"):
        store.retrieval("image_1m", "text_1m", resamples=0).by("caption_words")


def test_wrong_requests(store: emm1.Store, tree: Path, tmp_path: Path) -> None:
    file = tree / "embeddings/1m/image.npy"
    np.save(tmp_path / "narrow.npy", np.ones((3, 5), np.float32))
    right = {"query_id": [0], "id": [0]}
    for arguments, words in (
        (("text", "image_1m"), "'text' is 100m text, and 'image_1m' is 1m image"),
        (("image_1m", "audio_1m"), "captions are between text and another modality"),
        (("image_1m", "text_1m", "triplets"), "the pairs triplets are between"),
        (("text_1m", "image_1m", "groups"), "of the split 100m.*there are the pairs captions and triplets$"),
        (("text", "image"), "of the split 1m.*there are the pairs groups$"),
        (("text", "image", "same-id"), "not of the same items"),
        (("text_1m", str(file)), "register it"),
        (("text_1m", "image_1m", "caption"), "unknown pairs 'caption': captions, groups, triplets, same-id, or a file"),
        (("text_1m", "image_1m", "no.csv"), r"no\.csv does not exist"),
        (("text_1m", "picture"), "picture"),
        (("text_1m", str(tmp_path / "narrow.npy"), right), "16 components, those of narrow.npy 5"),
        (
            ("text_1m", "image_1m", {"query_id": [10**9], "id": [0]}),
            "none of the 1 queries with a right answer has a vector",
        ),
        (
            ("text_1m", "image_1m", {"query_id": [0], "id": [0], "grade": [0]}),
            "none of the 1 queries has a right answer",
        ),
        (("text_1m", "image_1m", right, []), "k names no cut-offs"),
        (("text_1m", "image_1m", right, [0]), "k must be a whole number of at least 1"),
    ):
        with pytest.raises(emm1.Error, match=words):
            store.retrieval(*arguments)
    for options, words in (
        ({"where": "false"}, "the gallery is empty: no row of image_1m fulfils 'false'"),
        ({"where": "colour"}, "does not fit e_mm1_1m.image"),
        ({"missing": "keep"}, "'exclude' or 'fail'"),
        ({"metrics": ["hits"]}, "no metric 'hits'"),
        ({"metric": "l1"}, "unknown metric 'l1'"),
        ({"exclude_self": True}, "equal ids are different items"),
        ({"pairs": 5}, "pairs must be a frame"),
        ({"pairs": [(1, 2)]}, "has no column query_id"),
        ({"resamples": -1}, "resamples"),
    ):
        with pytest.raises(emm1.Error, match=words):
            store.retrieval("text_1m", "image_1m", **options)
    with pytest.raises(emm1.Error, match="are a registered name or the path of a file"):
        store.retrieval("text_1m", store.embeddings("image_1m"))  # type: ignore[arg-type]
    with pytest.raises(emm1.Error, match="condition needs the info rows"):
        store.retrieval("text_1m", file, right, where="true")
    with pytest.raises(emm1.Error, match=r"must be emm1\.Embeddings or the path"):
        emm1.retrieval(np.eye(3), file, right)  # type: ignore[arg-type]
    with pytest.raises(emm1.Error, match="not 5"):
        emm1.retrieval(file, file, right, resamples=0).compare(5)  # type: ignore[arg-type]
    with pytest.raises(emm1.Error, match="captions are in a store"):
        emm1.retrieval(file, file, "captions")
    with pytest.raises(emm1.Error, match="slices need the info rows"):
        emm1.retrieval(file, file, "same-id", resamples=0).by("source_dataset")


def test_not_finite_vectors_are_named(store: emm1.Store, tmp_path: Path) -> None:
    vectors = np.array(np.asarray(store.embeddings("image_1m")))
    vectors[3] = np.nan
    np.save(tmp_path / "image.npy", vectors)
    pairs = {"query_id": [0], "id": [0]}
    with pytest.raises(emm1.EmbeddingError, match=r"image\.npy.*NaN"):
        store.retrieval("text_1m", tmp_path / "image.npy", pairs)
    with pytest.raises(emm1.EmbeddingError, match="NaN"):
        store.retrieval(tmp_path / "image.npy", "text_1m", {"query_id": [3], "id": [0]})


def noisy(store: emm1.Store, folder: Path, name: str, drop: int = 0) -> Path:
    """Another model: the vectors of 1m images with noise, without the first rows."""
    whole = store.embeddings("image_1m")
    rng = np.random.default_rng(3)
    np.save(
        folder / f"{name}.npy", (np.asarray(whole) + 0.15 * rng.standard_normal(whole.shape)).astype(np.float32)[drop:]
    )
    np.save(folder / f"{name}.ids.npy", whole.ids[drop:])
    store.add_embeddings(name, folder / f"{name}.npy", dataset="1m", modality="image")
    return folder / f"{name}.npy"


def test_comparison_of_two_models(store: emm1.Store, tmp_path: Path) -> None:
    noisy(store, tmp_path, "noisy_1m")
    new, old = (store.retrieval("text_1m", name, k=[1, 5], resamples=200) for name in ("noisy_1m", "image_1m"))
    compared = new.compare(old)
    rows = {row["metric"]: row for row in compared.to_frame().to_dicts()}
    values = [dict(report.to_frame().select("metric", "value").iter_rows()) for report in (new, old)]
    assert {name: (row["value"], row["baseline"]) for name, row in rows.items()} == {
        name: (values[0][name], values[1][name]) for name in values[0]
    }
    for row in rows.values():
        assert row["difference"] == row["value"] - row["baseline"]
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    hits = [report.per_query["hit@1"] > 0.5 for report in (new, old)]
    gained, lost = int((hits[0] & ~hits[1]).sum()), int((hits[1] & ~hits[0]).sum())
    assert (rows["hit@1"]["only_model"], rows["hit@1"]["only_baseline"]) == (gained, lost)
    assert rows["hit@1"]["p"] == scipy.stats.binomtest(gained, gained + lost).pvalue
    assert rows["mAP"]["p"] is None
    flips = compared.flips(1)
    assert (flips["model"].sum(), flips["baseline"].sum()) == (gained, lost)
    with pytest.raises(emm1.EmbeddingError, match="both were evaluated at 1, 5"):
        compared.flips(2)
    # The same from what was saved, and the intervals by hand.
    old.save(tmp_path / "old")
    assert new.compare(tmp_path / "old").to_frame().equals(compared.to_frame())
    assert (compared.save(tmp_path / "compared") / "comparison.txt").read_text(encoding="utf-8") == f"{compared}\n"
    with pytest.raises(emm1.FileNotFoundError, match="no saved report"):
        new.compare(tmp_path / "none")
    assert new.compare(new).to_frame().filter(pl.col("difference_high") != 0).is_empty()


def test_comparison_refuses_another_gallery_or_runs_on_what_both_have(store: emm1.Store, tmp_path: Path) -> None:
    noisy(store, tmp_path, "fewer_1m", drop=7)
    new, old = (store.retrieval("text_1m", name, resamples=0) for name in ("fewer_1m", "image_1m"))
    rows = len(store.embeddings("image_1m"))
    with pytest.raises(
        emm1.EmbeddingError,
        match=rf"differ in gallery.*common=True \(gallery: {rows - 7} and {rows}, {rows - 7} in both",
    ):
        new.compare(old)
    common = new.compare(old, common=True)
    pairs = old.outcome.pairs.filter(pl.col("id").is_in(store.embeddings("fewer_1m").ids.tolist()))
    for name, column in (("fewer_1m", "value"), ("image_1m", "baseline")):
        among = store.embeddings("fewer_1m").ids
        alone = emm1.retrieval(store.embeddings("text_1m"), store.embeddings(name), pairs, among=among, resamples=0)
        assert common.to_frame()[column].to_list() == alone.to_frame()["value"].to_list()
    assert set(common.to_frame()["gallery"]) == {rows - 7}
    old.save(tmp_path / "old")
    with pytest.raises(emm1.EmbeddingError, match="Evaluate the other model again"):
        new.compare(tmp_path / "old")
    with pytest.raises(emm1.EmbeddingError, match="cannot be run again"):
        new.compare(tmp_path / "old", common=True)
    near = {"query_id": [1, 2], "id": [3, 4]}
    one, other = (store.retrieval("image_1m", "image_1m", near, exclude_self=own, resamples=0) for own in (False, True))
    with pytest.raises(emm1.EmbeddingError, match=r"differ in protocol.*same exclude_self"):
        one.compare(other)
    disjoint = emm1.retrieval(
        store.embeddings("text_1m"), store.embeddings("image_1m"), {"query_id": [0], "id": [0]}, resamples=0
    )
    graded = {"query_id": [0], "id": [0], "grade": [2]}
    with pytest.raises(emm1.EmbeddingError, match="0 pairs in common"):
        disjoint.compare(
            emm1.retrieval(store.embeddings("text_1m"), store.embeddings("image_1m"), graded, resamples=0), common=True
        )


def test_pairs_from_files_and_frames(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(4, dtype=np.float32))
    frame = pl.DataFrame({"note": ["a", "b"], "id": [3, 1], "query_id": [2, 1], "grade": [2, 1]})
    frame.write_csv(tmp_path / "pairs.csv")
    frame.write_csv(tmp_path / "pairs.tsv", separator="\t")
    frame.write_ndjson(tmp_path / "pairs.jsonl")
    frame.write_json(tmp_path / "pairs.json")
    frame.write_parquet(tmp_path / "pairs.parquet")
    files = [tmp_path / f"pairs.{suffix}" for suffix in ("csv", "tsv", "jsonl", "json", "parquet")]
    relation = duckdb.sql("SELECT 2 AS query_id, 3 AS id, 2 AS grade UNION ALL SELECT 1, 1, 1")
    for pairs in [*files, *map(str, files), relation, frame, frame.to_arrow(), frame.to_dict(as_series=False)]:
        report = emm1.retrieval(tmp_path / "x.npy", tmp_path / "x.npy", pairs, [1], resamples=0)
        assert report.outcome.pairs.rows() == [(1, 1, 1), (2, 3, 2)]


@pytest.mark.parametrize("id_type", ["DECIMAL(38, 0)", "DECIMAL(38, 2)", "HUGEINT", "UBIGINT"])
def test_ids_of_any_type_are_not_rounded(id_type: str) -> None:
    """Float64 has no 2**53 + 1."""
    pairs = duckdb.sql(f"SELECT 1 AS query_id, {2**53 + 1}::{id_type} AS id")
    assert pairs_of(pairs).frame.rows() == [(1, 2**53 + 1, 1)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("query,id\n1,2\n", "has no column query_id: it needs query_id and id, and may have grade; it has query, id"),
        ("query_id,id\n1,2\nx,3\n", "'x', in row 2 of the column query_id, is not an integer"),
        ("query_id,id\n1,2.0\n", "'2.0', in row 1 of the column id, is not an integer"),
        ("query_id,id\n1,\n", "the value in row 1 of the column id is missing"),
        ("query_id,id\n1,2\n1,3\n1,2\n", "the query 1 with the id 2, in row 3, is there twice"),
        ("query_id,id,grade\n1,2,-1\n", "the grade -1, in row 1, is negative"),
        ("query_id,id\n1,99999999999999999999\n", "not an integer of 64 bits"),
        ("query_id,id\n", "no rows"),
    ],
)
def test_broken_files_of_pairs(tmp_path: Path, text: str, words: str) -> None:
    np.save(tmp_path / "x.npy", np.eye(4, dtype=np.float32))
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(emm1.EmbeddingError, match=rf"pairs\.csv.*{words}"):
        emm1.retrieval(tmp_path / "x.npy", tmp_path / "x.npy", tmp_path / "pairs.csv")


def test_a_sample_of_the_queries(store: emm1.Store, tmp_path: Path) -> None:
    whole = store.retrieval("text", "audio", "groups", resamples=0)
    some = store.retrieval("text", "audio", "groups", resamples=0, sample=100)
    assert (some.coverage.asked, len(some.per_query)) == (100, 100)
    assert some.per_query.equals(whole.per_query.join(some.per_query, on="query_id", how="semi"), null_equal=True)
    assert f"100 of 100; drawn at random from {whole.coverage.asked:,}, seed 0" in str(some)
    page = (some.save(tmp_path / "some") / "retrieval.html").read_text(encoding="utf-8")
    assert f"drawn at random from {whole.coverage.asked:,}" in page
    assert some.compare(store.retrieval("text", "audio", "groups", resamples=0, sample=100)).to_frame()["p"][0] == 1
    more = store.retrieval("text", "audio", "groups", resamples=0, sample=10**6)
    assert str(more) == str(whole)
    with pytest.raises(emm1.EmbeddingError, match="sample"):
        store.retrieval("text", "audio", "groups", sample=0)


def test_files_and_command_line(store: emm1.Store, tmp_path: Path) -> None:  # the last one: it closes the store
    command = ["retrieval", str(store.path), "text_1m", "image_1m", "--k", "1,3", "--resamples", "20"]
    report = store.retrieval("text_1m", "image_1m", k=[3, 1], resamples=20)
    store.close()
    result = CliRunner().invoke(app, [*command, "--output", str(tmp_path / "report"), "--by", "source_dataset"])
    assert result.exit_code == 0, result.output
    assert str(report).strip() in result.stdout
    assert "[source_dataset: COCO]" in result.stdout
    files = {file.name for file in (tmp_path / "report").iterdir()}
    assert files == {
        *("retrieval.txt", "retrieval.html", "retrieval.json", "retrieval.csv", "per_query.parquet", "hits.parquet"),
        "by.csv",
    }
    folder = tmp_path / "report"
    assert pl.read_csv(folder / "retrieval.csv").equals(report.to_frame())
    assert pl.read_parquet(folder / "per_query.parquet").equals(report.per_query)
    assert pl.read_parquet(folder / "hits.parquet").equals(report.hits)
    saved = json.loads((folder / "retrieval.json").read_text(encoding="utf-8"))
    assert saved["sha256"] == report.hashes.to_dict()
    assert saved["measures"] == report.to_frame().to_dicts()
    page = Reader((folder / "retrieval.html").read_text(encoding="utf-8")).root
    facts = {term.text.strip(): fact.text for term, fact in zip(page.all("dt"), page.all("dd"), strict=True)}
    assert facts["SHA-256, pairs"] == report.hashes.pairs
    assert facts["Gallery"].startswith("1m image, ")
    first = [cell.text.strip() for cell in page.one("table", **{"aria-label": "Measures"}).one("tbody").all("td")[:3]]
    value, low, high, worst, best = report.to_frame().select("value", "low", "high", "worst", "best").row(0)
    assert first == [f"{value:.4f} ({low:.4f} to {high:.4f})", f"{worst:.4f}", f"{best:.4f}"]
    assert not page.all("script")
    result = CliRunner().invoke(app, [*command, "--format", "csv"])
    assert pl.read_csv(result.stdout.encode()).equals(report.to_frame())
    result = CliRunner().invoke(app, [*command, "--output", str(tmp_path / "report" / "retrieval.html" / "new")])
    assert "retrieval.html is a file: name a folder" in str(result.exception)
    assert not result.stdout  # before anything is computed
    knn = ["knn", *command[1:4], "--exclude-self", "--output", str(tmp_path / "knn.parquet")]
    assert "equal ids are different items" in str(CliRunner().invoke(app, knn).exception)
    for option in (["--k", "0"], ["--missing", "keep"], ["--metric", "l1"]):
        assert CliRunner().invoke(app, [*command, *option]).exit_code == 2
