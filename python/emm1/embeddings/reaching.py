"""Every row that reaches a score, exactly, for many queries.

The nearest neighbours of all queries are asked for with a small k. Queries whose neighbours all reach the score may have
more of them: these, and only these, are asked again with a larger k, and the last of them by themselves for all that
reach it. So nothing is lost, and memory does not depend on how many there are, except for those of one query.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from emm1.embeddings.file import Embeddings, Metric

# Neighbours asked for, one after the other, of queries that had no fewer.
WIDTHS = (16, 256, 4096)
# Positions among the queries, ids of rows, and scores, all (found,).
Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
_NONE: Found = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def reaches(scores: NDArray[np.float32], threshold: float, metric: Metric) -> NDArray[np.bool_]:
    """Which scores are at least the threshold; for l2, at most. They are compared in float64, as numbers are written."""
    exact = scores.astype(np.float64)
    return exact <= threshold if metric == "l2" else exact >= threshold


def reaching(
    base: Embeddings, vectors: NDArray[np.float32], threshold: float, metric: Metric, threads: int | None = None
) -> Iterator[Found]:
    """All rows of a base whose score reaches the threshold, for each vector, in the order of the vectors.

    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.array([[1, 0], [0, 1], [1, 0.1]], dtype="float32"))
    >>> base = Embeddings(path)
    >>> [[column.tolist() for column in found] for found in reaching(base, base.vectors([0, 1]), 0.9, "cosine")]
    [[[0, 0, 1], [0, 2, 1], [1.0, 0.9950371980667114, 1.0]]]
    """
    found: list[Found] = []
    left = np.arange(len(vectors))
    for k in WIDTHS:
        if not len(left) or not len(base):
            break
        hits = base.search(vectors[left], k, metric, threads=threads)
        near = reaches(hits.scores, threshold, metric)
        more = near[:, -1] & (hits.scores.shape[1] < len(base))
        near[more] = False
        which, _ = np.nonzero(near)
        found.append((left[which], hits.ids[near], hits.scores[near]))
        left = left[more]
    positions, partners, scores = (np.concatenate(column) for column in zip(*found, strict=True)) if found else _NONE
    order = np.argsort(positions, kind="stable")
    positions, partners, scores = positions[order], partners[order], scores[order]
    begin = 0
    for row in left if len(base) else ():
        end = int(np.searchsorted(positions, row))
        yield positions[begin:end], partners[begin:end], scores[begin:end]
        within = base.within(vectors[row], threshold, metric, threads=threads)
        yield np.full(len(within), row), within.ids, within.scores
        begin = end
    yield positions[begin:], partners[begin:], scores[begin:]
