"""The nearest neighbours of every vector of one file in another: how the groups of E-MM1 were made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.embeddings.blocks import USUAL, block_of
from emm1.embeddings.file import Embeddings, Metric, as_embeddings
from emm1.embeddings.hits import Hits, without_filling
from emm1.embeddings.others import search_others
from emm1.errors import EmbeddingError
from emm1.frames import Frames

# Queries per batch, and batches per part of an output, where the base stays in memory.
BATCH = USUAL
PART = 16


@dataclass(frozen=True, eq=False)
class Neighbours(Frames):
    """The neighbours of some queries, best first.

    Attributes:
        query_ids: int64, (queries,).
        ids: int64, (queries, k).
        scores: float32, (queries, k).

    As a frame (`pl`, `df`, `arrow`) it has one row for each neighbour: query_id, rank (from 1), id, score. The id -1 with the
    score NaN, where `exclude_self` left one query with fewer than others, is no neighbour and no row.
    """

    query_ids: NDArray[np.int64]
    ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def to_arrow(self) -> pa.Table:
        """The same as `arrow`."""
        return self.arrow()

    def _columns(self) -> dict[str, NDArray[Any]]:
        queries, k = self.ids.shape
        ranks = np.tile(np.arange(1, k + 1, dtype=np.int32), queries)
        query_ids = np.repeat(self.query_ids, k)
        return without_filling(
            {"query_id": query_ids, "rank": ranks, "id": self.ids.ravel(), "score": self.scores.ravel()}
        )


def knn(
    queries: Embeddings | str | os.PathLike[str],
    base: Embeddings | str | os.PathLike[str],
    k: int = 16,
    *,
    metric: Metric = "cosine",
    exclude_self: bool = False,
    threads: int | None = None,
) -> Iterator[Neighbours]:
    """The k exact nearest vectors of one file for each vector of another, in batches, in row order.

    Memory use does not depend on the size of the files. Where the base does not fit in memory, as many queries are searched for at
    once as fit in a quarter of what is free, and the base is read from disk once for all of them. A vector that is in both files
    finds itself, unless it is excluded.

    Args:
        queries: the vectors to find neighbours of, or the path of their file.
        base: the vectors to search, or the path of their file; codes (`Embeddings.build_codes`) make it several times as fast.
        k: how many per query; all vectors if there are fewer.
        metric: ``cosine``, ``dot`` or ``l2``.
        exclude_self: leave out the vector of `base` that has the id of the query; k others are found, also those that are
            equal to it under other ids.
        threads: threads to use; all cores by default.

    Raises:
        emm1.errors.EmbeddingError: vectors of different dimensions, k < 1, NaN or infinity in a file.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.eye(3, dtype="float32"))
    >>> x = emm1.Embeddings(path)
    >>> [neighbours.ids.tolist() for neighbours in emm1.knn(x, path, k=2)]
    [[[0, 1], [1, 0], [2, 0]]]
    """
    queries, base = as_embeddings(queries), as_embeddings(base)
    check_dims(queries, base)
    at_least_one(k, "k")
    return neighbours_of(queries, base, range(len(queries)), k, metric, exclude_self=exclude_self, threads=threads)


def neighbours_of(
    queries: Embeddings,
    base: Embeddings,
    rows: range,
    k: int,
    metric: Metric,
    among: NDArray[np.int64] | None = None,
    *,
    exclude_self: bool,
    threads: int | None,
) -> Iterator[Neighbours]:
    """The neighbours of some rows of the queries, in batches; `among` has the ids that are searched, if not all are."""

    def search(ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> Hits:
        if exclude_self:
            return search_others(base, vectors, k, metric, among, ids, threads)
        return base.search(vectors, k, metric, among, threads)

    block = block_of(len(rows), base, k, threads, rows=None if among is None else len(among)).queries
    for begin in range(rows.start, rows.stop, block):
        ids, vectors = queries.rows(begin, min(begin + block, rows.stop))
        hits = search(ids, vectors)
        for batch in (slice(at, at + BATCH) for at in range(0, len(ids), BATCH)):
            yield Neighbours(ids[batch], hits.ids[batch], hits.scores[batch])


def check_dims(queries: Embeddings, base: Embeddings) -> None:
    """Refuse vectors of different dimensions, which have no score.

    Raises:
        emm1.errors.EmbeddingError: names both files.
    """
    if queries.dim != base.dim:
        raise EmbeddingError(
            f"the vectors of {queries.path} have {queries.dim:,} components, those of {base.path} {base.dim:,}"
        )
