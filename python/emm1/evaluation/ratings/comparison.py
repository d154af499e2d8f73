"""Several models' agreement with people, side by side, over the rated rows that all of them can score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import polars as pl

from emm1.evaluation.ratings.judgements import Judgements
from emm1.evaluation.ratings.measures import MEASURES, Measured, percentiles
from emm1.evaluation.report.estimates import defined

COLUMNS = {
    "model": pl.String,
    "paired_modality": pl.String,
    "annotated_modality": pl.String,
    "measure": pl.String,
    "pairs": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "baseline": pl.String,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
}


def compare(models: Mapping[str, Sequence[Judgements]], baseline: str | None, resamples: int) -> pl.DataFrame:
    """The measures of several models, and how much they differ from those of one of them.

    For each ordered pair of modalities, only the rows count that every model with this pair has scored, so that all are measured
    on the same rows. Differences are resampled in pairs: a resample draws the same captions and annotated items for both.

    Args:
        models: by name, what `judge` gives for the model.
        baseline: the model that the others are compared with; None for no differences.
        resamples: resamples for the intervals; 0 for none.

    Returns:
        One row for each ordered pair, measure and model: model, paired_modality, annotated_modality, measure, pairs (the rows
        that count), value, and its interval, low and high; then, for models other than the baseline, where the
        baseline has this pair: baseline, difference (this value minus the baseline's), difference_low and difference_high.
    """
    by_pair: dict[tuple[str, str], dict[str, Judgements]] = {}
    for name, judged in models.items():
        for each in judged:
            by_pair.setdefault((each.paired_modality, each.annotated_modality), {})[name] = each
    rows = [row for _, own in sorted(by_pair.items()) for row in _of_pair(own, baseline, resamples)]
    return pl.DataFrame(rows, schema=COLUMNS)


def _of_pair(models: Mapping[str, Judgements], baseline: str | None, resamples: int) -> list[dict[str, Any]]:
    common = reduce(np.intersect1d, (each.rows["triplet"].to_numpy() for each in models.values()))
    kept = {name: each.where(np.isin(each.rows["triplet"].to_numpy(), common)) for name, each in models.items()}
    measured = {name: Measured(each) for name, each in kept.items()}
    values = {name: each.values() for name, each in measured.items()}
    drawn = {name: each.resampled(resamples) for name, each in measured.items()}
    rows = []
    for place, measure in enumerate(MEASURES):
        for name, each in kept.items():
            low, high = percentiles(drawn[name][:, place])
            row = {
                "model": name,
                "paired_modality": each.paired_modality,
                "annotated_modality": each.annotated_modality,
                "measure": measure,
                "pairs": len(each.rows),
                "value": defined(values[name][measure]),
                "low": defined(low),
                "high": defined(high),
            }
            if baseline is not None and baseline in kept and name != baseline:
                less, more = percentiles(drawn[name][:, place] - drawn[baseline][:, place])
                row |= {
                    "baseline": baseline,
                    "difference": defined(values[name][measure] - values[baseline][measure]),
                    "difference_low": defined(less),
                    "difference_high": defined(more),
                }
            rows.append(row)
    return rows
