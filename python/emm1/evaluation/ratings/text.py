"""The report on agreement with people as text: one table for each of the two similarities, then what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from emm1.evaluation.ratings.threshold import PRECISION
from emm1.evaluation.report.estimates import percent
from emm1.evaluation.report.provenance import LeftOut
from emm1.evaluation.report.text import NONE, heading
from emm1.evaluation.statistics.intervals import SEED

PAIR = ("paired_modality", "annotated_modality")
TITLES = {
    "paired": "Agreement with people: paired and annotated item",
    "caption": "Agreement with people: caption and annotated item",
}
BOOTSTRAP = "percentile pigeonhole bootstrap over captions and annotated items"
# The measures that the text shows, by their headings.
SHOWN = {
    "AUC mean": "auc_mean",
    "good/bad": "auc_good_bad",
    "good/partial": "auc_good_partial",
    "partial/bad": "auc_partial_bad",
    "Somers' D": "somers_d",
    "within query": "within_query",
    "AP good": "ap_good",
    "prevalence": "prevalence",
}


def agreement(
    frame: pl.DataFrame, thresholds: pl.DataFrame, scores: pl.DataFrame, coverage: pl.DataFrame, against: str
) -> Iterator[str]:
    """The lines about one of the two similarities.

    Args:
        frame: the measures, as in `RatingsReport.to_frame`.
        thresholds: as in `RatingsReport.thresholds`.
        scores: as in `Calibration.scores`.
        coverage: as in `RatingsReport.coverage`.
        against: ``paired`` or ``caption``.
    """
    yield from heading(TITLES[against])
    frames = (frame, thresholds, scores)
    for row, threshold, score in zip(*(each.iter_rows(named=True) for each in frames), strict=True):
        yield from ("", f"[{pair(row)}]", f"  Rows: {row['pairs']:,} ({row['queries']:,} queries)")
        yield from (f"  {title}: {_estimate(row, name)}" for title, name in SHOWN.items())
        yield f"  Ceiling of Somers' D: {_number(row['ceiling'])} ({row['ceiling_pairs']:,} repeats)"
        yield from _good(threshold, score)
    yield from ("", "Coverage:")
    for row in coverage.iter_rows(named=True):
        yield f"  {pair(row)}: {_covered(row)}"


def protocol(resamples: int, excluded: LeftOut) -> Iterator[str]:
    """The lines about how all numbers were made.

    Args:
        resamples: of the intervals of the measures; 0 if they have none.
        excluded: what counted as not there.
    """
    method = f"{BOOTSTRAP}, {resamples:,} resamples, seed {SEED}" if resamples else "none"
    yield from (
        "",
        "Similarity: cosine",
        "Ties: count half in AUCs and Somers' D; average precision finds equal similarities together",
        f"Intervals: {method}; precision and recall of the threshold: Wilson score",
    )
    if excluded:
        yield f"Excluded: {excluded}"


def slices(frame: pl.DataFrame) -> Iterator[str]:
    """A line for each row of `RatingsReport.by`.

    >>> row = {"paired_modality": "audio", "annotated_modality": "image", "auc_mean": 0.5, "pairs": 9}
    >>> bounds = {"auc_mean_low": None, "auc_mean_high": None}
    >>> [*slices(pl.DataFrame([{"caption_words": "06–10", **row, **bounds}]))]
    ['', '[Audio → Image]', '  06–10: AUC mean 0.5000, 9 rows']
    """
    before = None
    for row in frame.iter_rows(named=True):
        value = row[frame.columns[0]]
        if pair(row) != before:
            before = pair(row)
            yield from ("", f"[{before}]")
        yield f"  {NONE if value is None else value}: AUC mean {_estimate(row, 'auc_mean')}, {row['pairs']:,} rows"


def pair(row: Mapping[str, Any]) -> str:
    """An ordered pair of modalities, as titles have it.

    >>> pair({"paired_modality": "audio", "annotated_modality": "image"})
    'Audio → Image'
    """
    return f"{row['paired_modality'].capitalize()} → {row['annotated_modality'].capitalize()}"


def _good(threshold: Mapping[str, Any], score: Mapping[str, Any]) -> Iterator[str]:
    """From which similarity on rows are Good, and how probable it is at any: both as other captions say."""
    title = f"Threshold for {percent(PRECISION, 0)} Good"
    if threshold["threshold"] is None:
        yield f"  {title}: none"
    else:
        yield f"  {title}: similarity {threshold['threshold']:.4f}, on other captions"
        yield f"    Precision: {_estimate(threshold, 'test_precision')}"
        yield f"    Recall: {_estimate(threshold, 'test_recall')}"
    for loss, name in (("Brier Score", "brier"), ("Log Loss", "log_loss")):
        constant = _number(score[f"{name}_prevalence"])
        yield f"  Calibrated P(Good), {loss}: {_number(score[name])} (prevalence alone {constant})"


def _covered(row: dict[str, int]) -> str:
    counts = f"{row['scored']:,}/{row['rows']:,} rows"
    if row["missing"]:
        return f"{counts}, no embeddings of {row['missing']}"
    reasons = (("without_vector", "without a vector"), ("without_rating", "without a rating"))
    return ", ".join([counts, *(f"{row[name]:,} {words}" for name, words in reasons if row[name])])


def _estimate(row: Mapping[str, Any], name: str) -> str:
    """A column with its interval, if it has one."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{_number(row[name])}{'' if low is None else f' (95% interval {low:.4f} to {high:.4f})'}"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"
