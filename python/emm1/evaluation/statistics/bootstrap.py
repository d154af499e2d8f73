"""The bootstrap over clusters: samples of one cluster are not independent, so clusters are drawn, with all their samples.

A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8. The draws depend only on the number of
clusters and of resamples, so those of two models that answered the same queries are paired: their differences can be taken one by
one. The same numbers always give the same draws, with one version of NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.evaluation.statistics.intervals import LEVEL, SEED

Real = NDArray[np.float64]
# Numbers that are drawn at a time.
BLOCK = 1 << 22


def resampled_means(values: ArrayLike, cluster: ArrayLike, resamples: int) -> Real:
    """The means of resamples.

    Args:
        values: of several quantities for each sample, (samples, quantities).
        cluster: the cluster of each sample, a number from 0 of which none is left out, (samples,).
        resamples: how many.

    Returns:
        (resamples, quantities).

    >>> resampled_means([[1.0], [1.0], [1.0]], [0, 1, 1], 2).tolist()
    [[1.0], [1.0]]
    """
    samples, of = np.asarray(values, np.float64), np.asarray(cluster, np.int64)
    clusters = int(of.max()) + 1
    sums = np.stack([np.bincount(of, column, clusters) for column in samples.T] + [np.bincount(of)], axis=1)
    drawn = np.concatenate([counts @ sums for counts in _counts(clusters, resamples)])
    means: Real = drawn[:, :-1] / drawn[:, -1:]
    same = (samples == samples[0]).all(axis=0)
    means[:, same] = samples[0, same]  # but for rounding, by which the mean of all would lie outside the interval
    return means


def resampled_medians(values: ArrayLike, cluster: ArrayLike, resamples: int) -> Real:
    """The medians of resamples, (resamples,); values may be infinite. The arguments are those of `resampled_means`, of one quantity.

    >>> resampled_medians([3.0, 3.0, 3.0], [0, 1, 1], 2).tolist()
    [3.0, 3.0]
    """
    samples, of = np.asarray(values, np.float64), np.asarray(cluster, np.int64)
    order = np.argsort(samples, kind="stable")
    samples, of = samples[order], of[order]
    medians = []
    for counts in _counts(int(of.max()) + 1, resamples):
        for drawn in counts.astype(np.int64):
            upto = np.cumsum(drawn[of])
            middle = np.searchsorted(upto, [(upto[-1] + 1) // 2, upto[-1] // 2 + 1])
            medians.append(samples[middle].mean())
    return np.array(medians)


def percentiles(drawn: Real) -> tuple[Real, Real]:
    """The bounds of the 95 % percentile interval of each quantity.

    Args:
        drawn: its values in the resamples, (resamples, …).

    >>> percentiles(np.arange(41.0))
    (array(1.), array(39.))
    """
    # Between an infinite value and another there is nothing to interpolate.
    method: Literal["linear", "inverted_cdf"] = "linear" if np.isfinite(drawn).all() else "inverted_cdf"
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0, method=method)
    return np.asarray(low), np.asarray(high)


def _counts(clusters: int, resamples: int) -> Iterator[Real]:
    """How often each cluster is drawn if as many are drawn as there are, (some resamples, clusters)."""
    rng = np.random.default_rng(SEED)
    block = max(1, BLOCK // clusters)
    for begin in range(0, resamples, block):
        rows = min(block, resamples - begin)
        drawn = rng.integers(clusters, size=(rows, clusters)) + clusters * np.arange(rows)[:, np.newaxis]
        yield np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(np.float64)
