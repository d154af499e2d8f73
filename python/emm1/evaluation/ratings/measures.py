"""The measures of agreement between a model and people, for the rows of one ordered pair of modalities, with intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emm1.evaluation.ratings.agreement import COMPARED, Ranked, average_precision, ceiling
from emm1.evaluation.ratings.judgements import ANNOTATED, Judgements
from emm1.evaluation.report.estimates import defined
from emm1.evaluation.statistics.intervals import LEVEL, SEED

# The measures that have an interval; the ceiling has its number of repeats.
MEASURES = ("somers_d", *COMPARED, "auc_mean", "ap_good", "prevalence", "within_query")
LEAST_RESAMPLES = 10  # with a value, for an interval


class Measured:
    """What the measures need of rows, sorted once for any number of resamples.

    >>> import polars as pl
    >>> names = ("encord_text_id", "encord_paired_id", "encord_annotated_id", "annotation")
    >>> rows = pl.DataFrame([(0, 5, 1, 1), (0, 5, 2, 3), (2, 6, 1, 1), (4, 7, 1, 2)], schema=names, orient="row")
    >>> judged = Judgements("paired", "audio", "image", rows, np.array([0.9, 0.2, 0.7, 0.8], np.float32), {})
    >>> measured = Measured(judged)
    >>> measured.values()["auc_good_partial"], measured.values()["within_query"], measured.resampled(5).shape
    (0.5, 1.0, (5, 8))
    """

    def __init__(self, judgements: Judgements) -> None:
        self._judgements = judgements
        # In the order of similarity, so that resampled weights are read in sequence.
        order = np.argsort(judgements.similarity, kind="stable")
        similarity, annotation, query = (
            values[order] for values in (judgements.similarity, judgements.annotation, judgements.query)
        )
        self._captions, self._items = (judgements.codes(column)[order] for column in ("encord_text_id", ANNOTATED))
        self._all = Ranked.of(similarity, annotation)
        # Queries of one row, which most are, compare nothing.
        _, group, sizes = np.unique(query, return_inverse=True, return_counts=True)
        self._queries = len(sizes)
        self._compared = np.flatnonzero(sizes[group] > 1)
        self._by_query = Ranked.of(similarity[self._compared], annotation[self._compared], group[self._compared])

    def row(self, resamples: int) -> dict[str, float | int | str | None]:
        """The row of the report: values, then the bounds of their intervals; None where a value is not defined."""
        judgements = self._judgements
        highest, repeats = ceiling(judgements.items, judgements.annotation)
        values = self.values()
        bounds = self.bounds(resamples)
        return {
            "paired_modality": judgements.paired_modality,
            "annotated_modality": judgements.annotated_modality,
            "pairs": len(judgements.rows),
            "queries": self._queries,
            **{name: defined(values[name]) for name in MEASURES},
            "ceiling": defined(highest),
            "ceiling_pairs": repeats,
            **{f"{name}_{end}": defined(bounds[name][i]) for name in MEASURES for i, end in enumerate(("low", "high"))},
        }

    def values(self, weights: NDArray[np.int64] | None = None) -> dict[str, float]:
        """The measures, NaN where one is not defined; a row with weight n counts as n rows."""
        counts = self._all.counts(weights)
        compared = self._all.compare(counts)
        aucs = dict(zip(COMPARED, compared.aucs.tolist(), strict=True))
        rows = counts.sum()
        within = self._by_query.counts(None if weights is None else weights[self._compared])
        return {
            "somers_d": compared.somers_d,
            **aucs,
            "auc_mean": sum(aucs.values()) / len(aucs),
            "ap_good": average_precision(counts),
            "prevalence": float(counts[0].sum() / rows) if rows else np.nan,
            "within_query": self._by_query.compare(within).somers_d,
        }

    def bounds(self, resamples: int) -> dict[str, tuple[float, float]]:
        """The 95 % intervals of the measures by the pigeonhole bootstrap; NaN where there is none.

        Captions and annotated items are resampled independently of each other, with replacement, and a row counts as often as its
        caption was drawn, times as often as its item was: rows that share either are not independent. The interval lies
        between the 2.5 % and the 97.5 % percentiles. A paired item goes with its captions. Where rows hardly share captions
        and items the interval is too wide, by up to the root of three. A. B. Owen, "The pigeonhole bootstrap", Annals of
        Applied Statistics 1, 2007, 386–411. The same rows always give the same interval, with one version of NumPy.

        Args:
            resamples: how many; 0 for no intervals.
        """
        return {name: percentiles(values) for name, values in zip(MEASURES, self.resampled(resamples).T, strict=True)}

    def resampled(self, resamples: int) -> NDArray[np.float64]:
        """The measures of each resample, (resamples, measures); NaN where one is not defined.

        Two models that scored the same rows are resampled alike, so their differences are paired.
        """
        rng = np.random.default_rng(SEED)
        drawn = np.full((resamples, len(MEASURES)), np.nan)
        for values in drawn if len(self._captions) else ():
            found = self.values(_drawn(rng, self._captions) * _drawn(rng, self._items))
            values[:] = [found[name] for name in MEASURES]
        return drawn


def _drawn(rng: np.random.Generator, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often the caption or item of each row is drawn, if as many are drawn as there are."""
    count = int(codes.max()) + 1
    return np.bincount(rng.integers(count, size=count), minlength=count)[codes]


def percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    """The bounds of the resamples in which a measure is defined; NaN if these are few.

    >>> percentiles(np.append(np.full(20, 0.5), np.nan)), percentiles(np.ones(3))
    ((0.5, 0.5), (nan, nan))
    """
    known = values[~np.isnan(values)]
    if len(known) < LEAST_RESAMPLES:
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
