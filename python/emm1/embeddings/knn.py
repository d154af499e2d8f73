"""The nearest neighbours of every vector of one file in another: how the groups of E-MM1 were made."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.embeddings.file import Embeddings, Metric, as_embeddings
from emm1.embeddings.hits import Hits, without_filling
from emm1.embeddings.others import search_others
from emm1.errors import EmbeddingError
from emm1.frames import Frames
from emm1.parts import join, parts_of, write_part

# Queries per search: the codes of the base are read once for all of them.
BATCH = 1024
# Batches per part of the output: an interrupted run repeats at most this much.
PART = 16
SCHEMA = pa.schema([("query_id", pa.int64()), ("rank", pa.int32()), ("id", pa.int64()), ("score", pa.float32())])


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
        values = [np.repeat(self.query_ids, k), ranks, self.ids.ravel(), self.scores.ravel()]
        return without_filling(dict(zip(SCHEMA.names, values, strict=True)))


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

    Memory use does not depend on the size of the files. A vector that is in both files finds itself,
    unless it is excluded.

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
    search = _search(base, k, metric, threads, exclude_self=exclude_self)
    return _batches(queries, search, range(len(queries)))


def _search(
    base: Embeddings, k: int, metric: Metric, threads: int | None, *, exclude_self: bool
) -> Callable[[NDArray[np.int64], NDArray[np.float32]], Hits]:
    """The search for queries with these ids and vectors."""
    if exclude_self:
        return lambda ids, vectors: search_others(base, vectors, k, metric, None, ids, threads)
    return lambda _ids, vectors: base.search(vectors, k, metric, threads=threads)


def _batches(
    queries: Embeddings, search: Callable[[NDArray[np.int64], NDArray[np.float32]], Hits], rows: range
) -> Iterator[Neighbours]:
    for begin in range(rows.start, rows.stop, BATCH):
        ids, vectors = queries.rows(begin, min(begin + BATCH, rows.stop))
        hits = search(ids, vectors)
        yield Neighbours(ids, hits.ids, hits.scores)


def knn_to_parquet(
    queries: Embeddings | str | os.PathLike[str],
    base: Embeddings | str | os.PathLike[str],
    output: str | os.PathLike[str],
    k: int = 16,
    *,
    metric: Metric = "cosine",
    exclude_self: bool = False,
    threads: int | None = None,
    progress: Callable[[int], object] = lambda _queries: None,
) -> int:
    """Write the result of `knn` to a Parquet file: query_id, rank, id, score.

    Finished parts are kept in ``OUTPUT.parts`` until all are done, so an interrupted run continues where it stopped.

    Args:
        queries: the vectors to find neighbours of, or the path of their file.
        base: the vectors to search, or the path of their file.
        output: the file to write; it must not exist.
        k: how many per query.
        metric: ``cosine``, ``dot`` or ``l2``.
        exclude_self: leave out the vector of `base` that has the id of the query; k others are found, also those that are
            equal to it under other ids.
        threads: threads to use; all cores by default.
        progress: called from time to time with the number of queries done.

    Returns:
        The number of rows written.

    Raises:
        emm1.errors.EmbeddingError: as for `knn`; or the output exists, cannot be written, or has parts from another run.

    >>> import numpy as np, emm1, polars as pl
    >>> folder = getfixture("tmp_path")
    >>> np.save(folder / "x.npy", np.eye(3, dtype="float32"))
    >>> x = emm1.Embeddings(folder / "x.npy")
    >>> emm1.knn_to_parquet(x, x, folder / "neighbours.parquet", k=2)
    6
    >>> pl.read_parquet(folder / "neighbours.parquet").row(1)
    (0, 2, 1, 0.0)
    """
    queries, base = as_embeddings(queries), as_embeddings(base)
    check_dims(queries, base)
    at_least_one(k, "k")
    run = {
        "k": k,
        "metric": metric,
        "part": BATCH * PART,
        "exclude_self": exclude_self,
        "queries": version_of(queries),
        "base": version_of(base),
    }

    search = _search(base, k, metric, threads, exclude_self=exclude_self)

    def part(rows: range) -> Iterator[pa.Table]:
        done = rows.start
        progress(done)
        for neighbours in _batches(queries, search, rows):
            yield neighbours.to_arrow()
            done += len(neighbours.query_ids)
            progress(done)

    with parts_of(Path(output), run) as folder:
        starts = range(0, len(queries), BATCH * PART)
        ranges = [range(begin, min(begin + BATCH * PART, len(queries))) for begin in starts]
        parts = [write_part(folder, number, SCHEMA, part(rows)) for number, rows in enumerate(ranges)]
        progress(len(queries))
        return join(parts, Path(output), SCHEMA)


def check_dims(queries: Embeddings, base: Embeddings) -> None:
    """Refuse vectors of different dimensions, which have no score.

    Raises:
        emm1.errors.EmbeddingError: names both files.
    """
    if queries.dim != base.dim:
        raise EmbeddingError(
            f"the vectors of {queries.path} have {queries.dim:,} components, those of {base.path} {base.dim:,}"
        )


def version_of(embeddings: Embeddings) -> str:
    """A digest that changes when the files of the vectors, or the ids of the rows, change.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.eye(3, dtype="float32"))
    >>> version_of(emm1.Embeddings(path)) == version_of(emm1.Embeddings(path, ids=[2, 1, 0]))
    False
    """
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in embeddings.files]
    return hashlib.sha256(repr(stats).encode() + embeddings.ids.tobytes()).hexdigest()
