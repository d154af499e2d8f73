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
    of: NDArray[np.int64] | None = None,
) -> Ranks:
    """The ranks of ids.

    Args:
        file: what to search.
        ids: (pairs,).
        queries: (queries, dim); one, (dim,), is that of all ids.
        how: see `how_to_search`; `exclude` has an id for each query, not for each pair.
        of: the position of the query of each id, (pairs,): where ids share a query, it is compared with every row once. None
            if each id has its own.

    Raises:
        EmbeddingError: see `Embeddings.rank_of`.
    """
    if queries.ndim == 1 and queries.size:
        queries, of = queries[np.newaxis], np.zeros(len(ids), np.int64)
    pairs = len(queries) if of is None else len(of)
    if pairs != len(ids):
        raise EmbeddingError(f"each id has its own query: there are {len(ids):,} ids and {pairs:,} queries")
    if not len(ids):
        return Ranks(np.empty(0, np.int64), np.empty(0, np.int64))
    return Ranks(*file.rank_of(ids, np.ascontiguousarray(queries), how, of))
