"""The measures of some queries together, with their intervals, and with ties broken one way and the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.errors import EmbeddingError
from emm1.evaluation.report.estimates import defined
from emm1.evaluation.retrieval.answers import Answers, Real, Whole
from emm1.evaluation.retrieval.measures import AT_K, MEDIAN, WHOLE, measure, measures_at
from emm1.evaluation.statistics.bootstrap import percentiles, resampled_means, resampled_medians

SCHEMA = {
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "queries": pl.Int64,
    "gallery": pl.Int64,
    "coverage": pl.Float64,
    "best": pl.Float64,
    "worst": pl.Float64,
    "clusters": pl.Int64,
}
# The columns of `RetrievalReport.per_query` that have another name than the measure of which they are the values.
PER_QUERY = {MEDIAN: "rank", "mAP": "ap", "MRR": "rr", "R-precision": "r_precision"}
LEAST_CLUSTERS = 2  # for an interval


def chosen(metrics: Sequence[str] | str | None, ks: Sequence[int]) -> list[str]:
    """The names of the measures that a text shows.

    Args:
        metrics: names such as ``recall@5``, ``recall`` for all k, ``all``; None for the six of the default, or as many as there
            are k: hit@k, nDCG at the largest k, mAP and median_rank.
        ks: the cut-offs.

    Raises:
        EmbeddingError: there is no such measure.

    >>> chosen(None, [1, 5, 10])
    ['hit@1', 'hit@5', 'hit@10', 'nDCG@10', 'mAP', 'median_rank']
    >>> chosen(["mrr", "recall"], [1, 5])
    ['MRR', 'recall@1', 'recall@5']
    """
    names = measures_at(ks)
    if metrics is None:
        return [*(f"hit@{k}" for k in ks), f"nDCG@{max(ks)}", "mAP", MEDIAN]
    known = {name.casefold(): [name] for name in names}
    known |= {family.casefold(): [name for name in names if name.startswith(f"{family}@")] for family in AT_K}
    known["all"] = names
    found: list[str] = []
    for name in [metrics] if isinstance(metrics, str) else metrics:
        if not isinstance(name, str) or name.casefold() not in known:
            families = ", ".join([*(f"{family}@K" for family in AT_K), *WHOLE])
            raise EmbeddingError(f"no metric {name!r}: all, or {families}, where K is one of {', '.join(map(str, ks))}")
        found += known[name.casefold()]
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Measured:
    """The measures of each query.

    Attributes:
        answers: where the right answers rank.
        ks: the cut-offs.
        cluster: what is resampled together: equal numbers, (queries,).
    """

    answers: Answers
    ks: Sequence[int]
    cluster: Whole

    @cached_property
    def values(self) -> dict[str, Real]:
        """Each measure of each query, (queries,)."""
        return measure(self.answers, self.ks)

    @cached_property
    def best(self) -> dict[str, Real]:
        """The same with ties broken in favour of the right answers."""
        return measure(self.answers.best(), self.ks)

    @cached_property
    def worst(self) -> dict[str, Real]:
        """The same with ties broken against them."""
        return measure(self.answers.worst(), self.ks)

    def rows(self, resamples: int, of: NDArray[np.bool_] | slice = slice(None)) -> list[dict[str, Any]]:
        """A row for each measure: its value over some of the queries, and so on; gallery and coverage are left to the caller."""
        cluster = np.unique(self.cluster[of], return_inverse=True)[1]
        clusters = int(cluster.max(initial=-1)) + 1
        sides = [{name: values[of] for name, values in each.items()} for each in (self.values, self.best, self.worst)]
        bounds = intervals(sides[0], cluster, resamples if clusters >= LEAST_CLUSTERS else 0)
        rows = []
        for name, values in sides[0].items():
            value, best, worst = (defined(overall(name, side[name])) for side in sides)
            low, high = bounds.get(name, (None, None))
            row = {
                "metric": name,
                "value": value,
                "low": low,
                "high": high,
                "queries": len(values),
                "clusters": clusters,
            }
            rows.append(row | {"best": best, "worst": worst})
        return rows


def overall(name: str, values: Real) -> float:
    """The value of a measure over queries: their mean, or median; NaN if there are none."""
    if not len(values):
        return np.nan
    if (values == values[0]).all():
        return float(values[0])  # as in the bootstrap, without rounding
    return float(np.median(values) if name == MEDIAN else values.mean())


def draws(values: Mapping[str, Real], cluster: Whole, resamples: int) -> dict[str, Real]:
    """The values of measures in the resamples, (resamples,) each."""
    means = [name for name in values if name != MEDIAN]
    drawn = resampled_means(np.stack([values[name] for name in means], axis=1), cluster, resamples)
    return {**dict(zip(means, drawn.T, strict=True)), MEDIAN: resampled_medians(values[MEDIAN], cluster, resamples)}


def intervals(values: Mapping[str, Real], cluster: Whole, resamples: int) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each measure; empty without resamples."""
    if not resamples:
        return {}
    bounds = {name: percentiles(drawn) for name, drawn in draws(values, cluster, resamples).items()}
    return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}
