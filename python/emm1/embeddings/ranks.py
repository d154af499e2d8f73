"""Ranks of vectors: how many others have a better score, and how many the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emm1 import _native
from emm1.errors import EmbeddingError


class Ranks(NamedTuple):
    """The result of `Embeddings.rank_of`.

    Attributes:
        above: vectors with a better score, int64, (queries,).
        equal: other vectors with the same score, int64, (queries,).
    """

    above: NDArray[np.int64]
    equal: NDArray[np.int64]


def rank_of(
    file: _native.EmbeddingFile,
    ids: NDArray[np.int64],
    queries: NDArray[np.float32],
    how: _native.How,
    *,
    exclude_self: bool,
) -> Ranks:
    """The ranks of ids, each for its own query, (queries, dim).

    Raises:
        EmbeddingError: see `Embeddings.rank_of`.
    """
    if queries.ndim == 1:
        queries = np.broadcast_to(queries, (len(ids), *queries.shape)) if queries.size else queries.reshape(0, 0)
    if len(queries) != len(ids):
        raise EmbeddingError(f"each id has its own query: there are {len(ids):,} ids and {len(queries):,} queries")
    if not len(ids):
        return Ranks(np.empty(0, np.int64), np.empty(0, np.int64))
    above, equal = file.rank_of(ids, np.ascontiguousarray(queries), how)
    if exclude_self:
        for number, query in enumerate(queries):
            same = _same(file, query, how)
            same = same[same != ids[number]]
            if how["among"] is not None:
                same = same[np.isin(same, how["among"])]
            if same.size:
                # They all have the same score, and no row has a better one by cosine and l2.
                best, target = (_score(file, item, query, how["metric"]) for item in (same[0], ids[number]))
                if best == target:
                    equal[number] -= same.size
                elif (best < target) == (how["metric"] == "l2"):
                    above[number] -= same.size
    return Ranks(above, equal)


def _score(file: _native.EmbeddingFile, item: np.int64, query: NDArray[np.float32], metric: str) -> float:
    """The score of an item; infinity for a product of a query with itself that is beyond float32."""
    try:
        return float(file.score(np.array([item]), query, metric)[0])
    except EmbeddingError:
        return np.inf


def _same(file: _native.EmbeddingFile, query: NDArray[np.float32], how: _native.How) -> NDArray[np.int64]:
    """The ids of the rows that have exactly the components of a query."""
    alike: _native.How = {**how, "metric": "l2"}
    ids: NDArray[np.int64] = file.within(query[np.newaxis], 0.0, alike)[0][0]
    return ids
