"""The report on agreement with people as text: one table for each of the two similarities, then what was left out."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from emm1.evaluation.report.text import RULE

PAIR = ("paired_modality", "annotated_modality")
TITLES = {
    "paired": "Agreement with people: paired and annotated item",
    "caption": "Agreement with people: caption and annotated item",
}
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
NONE = "–"


def agreement(frame: pl.DataFrame, coverage: pl.DataFrame, against: str) -> Iterator[str]:
    """The lines about one of the two similarities.

    Args:
        frame: the measures, as in `RatingsReport.to_frame`.
        coverage: as in `RatingsReport.coverage`.
        against: ``paired`` or ``caption``.
    """
    yield from ("", RULE, TITLES[against], RULE)
    for row in frame.iter_rows(named=True):
        yield ""
        yield f"[{row['paired_modality'].capitalize()} → {row['annotated_modality'].capitalize()}]"
        yield f"  Rows: {row['pairs']} ({row['queries']} queries)"
        for heading, name in SHOWN.items():
            low, high = row[f"{name}_low"], row[f"{name}_high"]
            interval = "" if low is None else f" (95% interval {low:.4f} to {high:.4f})"
            yield f"  {heading}: {_number(row[name])}{interval}"
        yield f"  Ceiling of Somers' D: {_number(row['ceiling'])} ({row['ceiling_pairs']} repeats)"
    yield from ("", "Coverage:")
    for row in coverage.iter_rows(named=True):
        yield f"  {row['paired_modality'].capitalize()} → {row['annotated_modality'].capitalize()}: {_covered(row)}"


def _covered(row: dict[str, int]) -> str:
    counts = f"{row['scored']}/{row['rows']} rows"
    if row["missing"]:
        return f"{counts}, no embeddings of {row['missing']}"
    reasons = (("without_vector", "without a vector"), ("without_rating", "without a rating"))
    return ", ".join([counts, *(f"{row[name]} {words}" for name, words in reasons if row[name])])


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"
