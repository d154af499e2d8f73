"""Thresholds and calibrated probabilities against scikit-learn, and against what they are on rows that were not fitted."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, log_loss, precision_recall_curve, precision_score, recall_score

import emm1
from emm1.evaluation.ratings.calibration import Calibration, Curve, losses, reliability_of
from emm1.evaluation.ratings.halves import fitted_on
from emm1.evaluation.ratings.judgements import Judgements
from emm1.evaluation.ratings.report import RatingsReport
from emm1.evaluation.ratings.threshold import smallest_threshold
from emm1.evaluation.report.provenance import Provenance
from emm1.evaluation.statistics.intervals import wilson

ROWS = st.lists(st.tuples(st.integers(-20, 20).map(lambda x: x / 16), st.booleans()), min_size=1, max_size=60)
Rows = list[tuple[float, bool]]


def columns(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def splitmix64(value: int) -> int:
    """As its authors' C does it, in Python's integers."""
    x = (value + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def test_halves_are_those_of_splitmix64() -> None:
    assert splitmix64(0) == 0xE220A8397B1DCDAF  # the first number of its published sequence
    ids = [*range(1000), 2**31 - 1, -1]
    assert fitted_on(ids).tolist() == [splitmix64(i % 2**64) % 2 == 0 for i in ids]
    assert 0.49 < fitted_on(np.arange(100_000)).mean() < 0.51


@given(ROWS, st.sampled_from([0.2, 0.5, 0.9]))
def test_the_threshold_is_the_smallest_that_passes(rows: Rows, precision: float) -> None:
    similarity, good = columns(rows)
    passing = [
        threshold
        for threshold in np.unique(similarity)
        if wilson(good[similarity >= threshold].sum(), (similarity >= threshold).sum())[0] >= precision
    ]
    assert smallest_threshold(similarity, good, precision) == (min(passing) if passing else None)


def test_precisions_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    similarity = rng.normal(size=3000).round(2)
    good = rng.random(3000) < 1 / (1 + np.exp(-4 * similarity))
    threshold = smallest_threshold(similarity, good)
    precision, recall, thresholds = precision_recall_curve(good, similarity)
    above = recall[:-1] * good.sum() / precision[:-1]
    passing = thresholds[wilson(precision[:-1] * above, above)[0] >= 0.9]
    assert threshold == passing.min()


@given(ROWS)
def test_the_curve_is_the_isotonic_regression_of_scikit_learn(rows: Rows) -> None:
    similarity, good = columns(rows)
    curve = Curve.fitted(similarity, good)
    # The two rows that are added: a Good one at the lowest similarity, another one at the highest.
    x = np.append(similarity, [similarity.min(), similarity.max()])
    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, np.append(good, [True, False]))
    points = np.linspace(-1.5, 1.5, 121)
    assert curve(points) == pytest.approx(theirs.predict(points), abs=1e-9)
    assert (np.diff(curve.similarity) > 0).all()
    assert (np.diff(curve.probability) >= 0).all()
    assert 0 < curve.probability.min() <= curve.probability.max() < 1


@given(ROWS)
def test_losses_and_bins_are_those_of_scikit_learn(rows: Rows) -> None:
    similarity, good = columns(rows)
    probability = 1 / (1 + np.exp(-similarity))
    found = losses(probability, good)
    assert found["brier"] == pytest.approx(brier_score_loss(good, probability))
    assert found["log_loss"] == pytest.approx(log_loss(good, probability, labels=[False, True]))
    bins = reliability_of(probability, good)
    observed, predicted = calibration_curve(good, probability, n_bins=10) if len({*good}) == 2 else (None, None)
    assert sum(each["pairs"] for each in bins) == len(rows)
    if observed is not None:
        assert [each["observed"] for each in bins] == pytest.approx(observed)
        assert [each["predicted"] for each in bins] == pytest.approx(predicted)


def judgements(seed: int, rows: int, captions: int, *, luck: float = 4) -> Judgements:
    """Rows whose probability of Good is logistic in their similarity."""
    rng = np.random.default_rng(seed)
    similarity = rng.uniform(-1, 1, rows).astype(np.float32)
    good = rng.random(rows) < 1 / (1 + np.exp(-luck * similarity))
    frame = pl.DataFrame(
        {
            "encord_text_id": rng.integers(captions, size=rows),
            "encord_paired_id": np.arange(rows),
            "encord_annotated_id": np.arange(rows),
            "annotation": np.where(good, 1, 3),
        }
    )
    return Judgements("paired", "audio", "image", frame, similarity, {})


def report_of(judged: Judgements) -> RatingsReport:
    none = pl.DataFrame()
    return RatingsReport(None, none, {}, [judged], [], 0, Provenance.now())  # type: ignore[arg-type]


def test_thresholds_are_tested_on_other_captions() -> None:
    judged = judgements(1, 4000, 500)
    (row,) = report_of(judged).thresholds(0.8).to_dicts()
    fit = fitted_on(judged.rows["encord_text_id"].to_numpy())
    good, above = judged.annotation == 1, judged.similarity >= row["threshold"]
    assert row["threshold"] == smallest_threshold(judged.similarity[fit], good[fit], 0.8)
    assert row["fit_precision"] == pytest.approx(precision_score(good[fit], above[fit]))
    assert row["test_precision"] == pytest.approx(precision_score(good[~fit], above[~fit]))
    assert row["test_recall"] == pytest.approx(recall_score(good[~fit], above[~fit]))
    assert row["test_prevalence"] == pytest.approx(good[~fit].mean())
    assert (row["fit_pairs"], row["test_pairs"]) == (fit.sum(), (~fit).sum())
    assert (row["fit_above"], row["test_above"]) == ((above & fit).sum(), (above & ~fit).sum())
    assert row["fit_precision_low"] >= 0.8
    low, high = wilson((good & above & ~fit).sum(), (above & ~fit).sum())
    assert (row["test_precision_low"], row["test_precision_high"]) == (low, high)


def test_choosing_is_luck_and_testing_is_not() -> None:
    """Of a model without any skill, thresholds that pass are passed by luck: only the other half says so.

    A bound that is wrong for 2.5 % of single thresholds is passed by some threshold of many far more often.
    """
    rows = [report_of(judgements(seed, 2000, 10_000, luck=0)).thresholds(0.5).to_dicts()[0] for seed in range(200)]
    chosen = [row for row in rows if row["threshold"] is not None]
    assert len(chosen) > 3 * 0.025 * len(rows)
    shares = {
        half: sum(row[f"{half}_precision"] * row[f"{half}_above"] for row in chosen if row[f"{half}_above"])
        / sum(row[f"{half}_above"] for row in chosen)
        for half in ("fit", "test")
    }
    assert shares["fit"] > 0.53
    assert shares["test"] == pytest.approx(0.5, abs=0.01)


def test_no_threshold() -> None:
    (row,) = report_of(judgements(3, 200, 50, luck=0)).thresholds(0.99).to_dicts()
    filled = {name for name, value in row.items() if value is not None}
    assert filled == {"paired_modality", "annotated_modality", "fit_pairs", "test_pairs", "test_prevalence"}


@pytest.mark.parametrize("precision", [0, 1, -1, float("nan"), 90])
def test_a_precision_is_between_0_and_1(precision: float) -> None:
    with pytest.raises(emm1.EmbeddingError, match="between 0 and 1"):
        report_of(judgements(1, 10, 10)).thresholds(precision)


def test_probabilities_are_those_of_the_rows() -> None:
    judged = judgements(4, 40_000, 10_000)
    found = report_of(judged).calibration()
    points = np.linspace(-0.8, 0.8, 9)
    assert found.probability("audio", "image", points) == pytest.approx(1 / (1 + np.exp(-4 * points)), abs=0.05)
    (scores,) = found.scores.to_dicts()
    fit, good = fitted_on(judged.rows["encord_text_id"].to_numpy()), judged.annotation == 1
    probability = found.probability("audio", "image", judged.similarity[~fit])
    assert scores["brier"] == pytest.approx(brier_score_loss(good[~fit], probability))
    assert scores["log_loss"] == pytest.approx(log_loss(good[~fit], probability))
    assert scores["prevalence"] == pytest.approx(good[fit].mean(), abs=1e-3)
    constant = np.full((~fit).sum(), scores["prevalence"])
    assert scores["brier_prevalence"] == pytest.approx(brier_score_loss(good[~fit], constant))
    assert scores["log_loss_prevalence"] == pytest.approx(log_loss(good[~fit], constant))
    assert found.reliability["pairs"].sum() == (~fit).sum()
    held = found.reliability.filter(pl.col("predicted").is_between("observed_low", "observed_high"))
    assert len(held) >= 8
    curve = found.curve
    interpolated = np.interp(points, curve["similarity"], curve["probability"])
    assert found.probability("audio", "image", points).tolist() == interpolated.tolist()
    with pytest.raises(emm1.EmbeddingError, match="no probabilities of image → audio: audio → image"):
        found.probability("image", "audio", 0.5)


def test_a_single_caption_is_fitted_or_tested_and_not_both() -> None:
    found = Calibration.of([judgements(5, 20, 1)])  # caption 0 is in the half that is tested on
    assert found.scores.select("fit_pairs", "test_pairs", "brier").rows() == [(0, 20, None)]
    assert found.reliability.is_empty()
    assert found.curve.is_empty()


def test_both_similarities_of_a_store(tree: Path, store_path: Path) -> None:
    files = {m: tree / f"embeddings/1m/{m}.npy" for m in ("text", "image", "audio", "video", "points")}
    with emm1.open(store_path, read_only=True) as store:
        report = store.ratings(files, resamples=0)
    pairs = report.to_frame().select("paired_modality", "annotated_modality").rows()
    for against in ("paired", "caption"):
        for frame in (report.thresholds(against=against), report.calibration(against).scores):
            assert frame.select("paired_modality", "annotated_modality").rows() == pairs
            assert (frame["fit_pairs"] + frame["test_pairs"]).equals(report.to_frame()["pairs"], check_names=False)
    assert not report.calibration("paired").curve.equals(report.calibration("caption").curve)
