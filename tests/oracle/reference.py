"""The reference score in NumPy, as `emm1-core/src/score.rs` defines it, and the hits that follow from it.

Everything is float64, in sixteen lanes, rounded once: the engine has to give the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emm1.embeddings.file import Metric

LANES = 16


def summed(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the last axis: lane j adds the elements i with i mod 16 = j, in order; then the lanes are folded in halves."""
    sums = np.zeros((*terms.shape[:-1], LANES))
    for begin in range(0, terms.shape[-1], LANES):
        part = terms[..., begin : begin + LANES]
        sums[..., : part.shape[-1]] += part
    for half in (8, 4, 2, 1):
        sums = sums[..., :half] + sums[..., half : 2 * half]
    result: NDArray[np.float64] = sums[..., 0]
    return result


def exact(metric: Metric, query: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores before rounding to float32, (rows,): of one query, (dims,), or of one query per row."""
    q, x = query.astype(np.float64), rows.astype(np.float64)
    if metric == "l2":
        return np.sqrt(summed((q - x) * (q - x)))
    dots = summed(q * x)
    if metric == "cosine":
        norms = np.sqrt(summed(q * q)) * np.sqrt(summed(x * x))
        dots = np.divide(dots, norms, out=np.zeros_like(dots), where=norms != 0)
    return dots


@np.errstate(over="ignore")  # a score beyond float32 is rounded to infinity
def scores(metric: Metric, query: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores of the rows, float32."""
    return exact(metric, query, rows).astype(np.float32)


def order(metric: Metric, found: NDArray[np.float32], ids: NDArray[np.int64]) -> NDArray[np.intp]:
    """Positions from the best score to the worst; equal scores by ascending id."""
    return np.lexsort((ids, found if metric == "l2" else -found))


def within(metric: Metric, found: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Which scores are at least the threshold, or for l2 at most."""
    wide = found.astype(np.float64)
    return wide <= threshold if metric == "l2" else wide >= threshold


def centroid(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The float64 mean of rows in file order, rounded once."""
    sums = np.zeros(rows.shape[1])
    for row in rows:
        sums += row
    return (sums / len(rows)).astype(np.float32)
