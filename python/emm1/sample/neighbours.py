"""Finds the exact nearest items of every caption, from which the groups of a sample dataset are made."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

LANES = 16
BLOCK_SCORES = 1 << 24  # float32 scores held at once: 64 MB
CHUNK_VALUES = 1 << 22  # float32 components gathered at once for exact scores: 16 MB


def nearest_rows(queries: NDArray[np.float32], base: NDArray[np.float32], k: int) -> Iterator[NDArray[np.int64]]:
    """Find the k rows of `base` with the highest cosine to each row of `queries`.

    A float32 product, whose last bits depend on the machine's BLAS, only selects candidates: every row that
    could be among the best, given the bound on its rounding error, is scored again by `reference_cosine`, and
    only that score decides the order. Equal scores are ordered by ascending row.

    Args:
        queries: unit vectors, shape (n, dim).
        base: unit vectors, shape (rows, dim), at least `k` of them.
        k: neighbours per query.

    Yields:
        Blocks of consecutive queries: rows of `base`, shape (block, k), best first.

    >>> base = np.eye(3, dtype=np.float32)
    >>> np.concatenate(list(nearest_rows(base, base, 2)))
    array([[0, 1],
           [1, 0],
           [2, 0]])
    """
    # A float32 dot product of unit vectors, summed in any order, has an error below (dim + 4) * 2**-24, which
    # includes the rounding of the norms (Higham, Accuracy and Stability, 3.1). The errors of the k-th score and
    # of a candidate may have opposite signs, hence twice that.
    slack = np.float32((base.shape[1] + 8) * 2.0**-23)
    block = max(1, BLOCK_SCORES // len(base))
    for start in range(0, len(queries), block):
        batch = queries[start : start + block]
        approximate = batch @ base.T
        threshold = np.partition(approximate, -k, axis=1)[:, -k] - slack
        row, candidate = np.nonzero(approximate >= threshold[:, None])
        score = _cosine_of_pairs(batch, row, base, candidate)
        order = np.lexsort((candidate, -score, row))
        first = np.searchsorted(row, np.arange(len(batch)))
        yield candidate[order][first[:, None] + np.arange(k)]


def reference_cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """The reference cosine of pairs of rows, identical to the last bit on every machine.

    Args:
        a: vectors, shape (n, dim).
        b: vectors, shape (n, dim).

    Returns:
        dot / (sqrt(a.a) * sqrt(b.b)) in float64, rounded once to float32, shape (n,).

    >>> reference_cosine(np.float32([[3, 4]]), np.float32([[0, 2]]))
    array([0.8], dtype=float32)
    """
    score: NDArray[np.float64] = _dot(a, b) / (np.sqrt(_dot(a, a)) * np.sqrt(_dot(b, b)))
    return score.astype(np.float32)


def _dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum products in float64 in 16 lanes, then fold the lanes: the order of the reference score."""
    lanes = np.zeros((len(a), LANES))
    for start in range(0, a.shape[1], LANES):
        left, right = a[:, start : start + LANES], b[:, start : start + LANES]
        lanes[:, : left.shape[1]] += np.multiply(left, right, dtype=np.float64)
    width = LANES
    while width > 1:
        width //= 2
        lanes = lanes[:, :width] + lanes[:, width:]
    return lanes[:, 0]


def _cosine_of_pairs(
    a: NDArray[np.float32], a_rows: NDArray[np.int64], b: NDArray[np.float32], b_rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Score row a_rows[i] of `a` with row b_rows[i] of `b`, gathering few vectors at a time."""
    chunk = max(1, CHUNK_VALUES // a.shape[1])
    scores = np.empty(len(a_rows), np.float32)
    for start in range(0, len(a_rows), chunk):
        part = slice(start, start + chunk)
        scores[part] = reference_cosine(a[a_rows[part]], b[b_rows[part]])
    return scores
