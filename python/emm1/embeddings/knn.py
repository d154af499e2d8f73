"""The nearest neighbours of every vector of one file in another: how the groups of E-MM1 were made."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.embeddings.file import Embeddings, Metric, as_embeddings
from emm1.errors import EmbeddingError, Error, WriteError
from emm1.frames import Frames

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

    As a frame (`pl`, `df`, `arrow`) it has one row for each neighbour: query_id, rank (from 1), id, score.
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
        return dict(zip(SCHEMA.names, values, strict=True))


def knn(
    queries: Embeddings | str | os.PathLike[str],
    base: Embeddings | str | os.PathLike[str],
    k: int = 16,
    *,
    metric: Metric = "cosine",
    threads: int | None = None,
) -> Iterator[Neighbours]:
    """The k exact nearest vectors of one file for each vector of another, in batches, in row order.

    Memory use does not depend on the size of the files. A vector that is in both files finds itself.

    Args:
        queries: the vectors to find neighbours of, or the path of their file.
        base: the vectors to search, or the path of their file; codes (`Embeddings.build_codes`) make it several times as fast.
        k: how many per query; all vectors if there are fewer.
        metric: ``cosine``, ``dot`` or ``l2``.
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
    _check_dims(queries, base)
    at_least_one(k, "k")
    return _batches(queries, base, k, metric, threads)


def _batches(
    queries: Embeddings, base: Embeddings, k: int, metric: Metric, threads: int | None
) -> Iterator[Neighbours]:
    for begin in range(0, len(queries), BATCH):
        ids, vectors = queries.rows(begin, min(begin + BATCH, len(queries)))
        hits = base.search(vectors, k, metric, threads=threads)
        yield Neighbours(ids, hits.ids, hits.scores)


def knn_to_parquet(
    queries: Embeddings | str | os.PathLike[str],
    base: Embeddings | str | os.PathLike[str],
    output: str | os.PathLike[str],
    k: int = 16,
    *,
    metric: Metric = "cosine",
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
    _check_dims(queries, base)
    at_least_one(k, "k")
    target = Path(output)
    if target.exists():
        raise EmbeddingError(f"{target} exists: remove it or name another file")
    parts = target.with_name(f"{target.name}.parts")
    try:
        _begin(parts, {"k": k, "metric": metric, "queries": _version(queries), "base": _version(base)})
        count = -(-len(queries) // (BATCH * PART))
        for number in range(count):
            part = parts / f"{number:06}.parquet"
            begin, end = number * BATCH * PART, min((number + 1) * BATCH * PART, len(queries))
            if part.exists():
                continue
            progress(begin)
            unfinished = part.with_suffix(".writing")
            with pq.ParquetWriter(unfinished, SCHEMA) as writer:
                for first in range(begin, end, BATCH):
                    ids, vectors = queries.rows(first, min(first + BATCH, end))
                    hits = base.search(vectors, k, metric, threads=threads)
                    writer.write_table(Neighbours(ids, hits.ids, hits.scores).to_arrow())
                    progress(first + len(ids))
            unfinished.replace(part)
        progress(len(queries))
        rows = _join([parts / f"{number:06}.parquet" for number in range(count)], target)
        shutil.rmtree(parts)
    except OSError as error:
        if isinstance(error, Error):
            raise
        raise WriteError(f"{target} cannot be written: {error.strerror or error}") from error
    return rows


def _check_dims(queries: Embeddings, base: Embeddings) -> None:
    if queries.dim != base.dim:
        raise EmbeddingError(
            f"the vectors of {queries.path} have {queries.dim:,} components, those of {base.path} {base.dim:,}"
        )


def _version(embeddings: Embeddings) -> str:
    """A digest that changes when the content of the files changes."""
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in embeddings.files]
    return hashlib.sha256(repr((stats, embeddings.ids_path)).encode()).hexdigest()


def _begin(parts: Path, run: dict[str, object]) -> None:
    """Make a folder for the parts of this run, or continue the same run if it was started before."""
    description = parts / "run.json"
    if description.exists():
        if json.loads(description.read_text(encoding="utf-8")) == run:
            return
        raise EmbeddingError(
            f"{parts} holds parts of a run with other files or settings: remove the folder to start again"
        )
    parts.mkdir(parents=True, exist_ok=True)
    unfinished = description.with_suffix(".writing")
    unfinished.write_text(json.dumps(run), encoding="utf-8")
    unfinished.replace(description)


def _join(parts: list[Path], target: Path) -> int:
    """Join the parts in one file, which is written next to its place and renamed; returns the number of rows."""
    unfinished = target.with_name(f"{target.name}.writing")
    rows = 0
    with pq.ParquetWriter(unfinished, SCHEMA) as writer:
        for part in parts:
            for batch in pq.ParquetFile(part).iter_batches(1 << 20):
                writer.write_batch(batch)
                rows += batch.num_rows
    unfinished.replace(target)
    return rows
