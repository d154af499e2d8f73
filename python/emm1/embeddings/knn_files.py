"""Nearest neighbours as a file: in parts that one process writes, or several, and that are joined to the same bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.embeddings.blocks import MOST
from emm1.embeddings.file import Embeddings, Metric, as_embeddings
from emm1.embeddings.identity import check_contents, contents_of, version_of
from emm1.embeddings.knn import BATCH, Neighbours, check_dims, neighbours_of
from emm1.errors import EmbeddingError
from emm1.parts import (
    check_complete,
    do_parts,
    made,
    of_size,
    part_in,
    refusals,
    run_of,
    tables_of,
    write_part,
    write_rows,
)
from emm1.work import Engine, Progress, Shard, here, shard_of_each, spans

SCHEMA = pa.schema([("query_id", pa.int64()), ("rank", pa.int32()), ("id", pa.int64()), ("score", pa.float32())])
# A part has the same number of hits for each query, also where hits are lacking (id -1, score NaN).
IN_PARTS = pa.schema([("query_id", pa.int64()), ("id", pa.int64()), ("score", pa.float32())])
# Queries of a part, at most, where an engine has several workers to feed.
FINE = 4 * BATCH


@dataclass(frozen=True)
class Nearest:
    """The work: each part has some queries, and some rows of the base; it can be done wherever the same files are.

    Attributes:
        queries: the vectors to find neighbours of.
        base: the vectors to search.
        k: how many for each query.
        metric: ``cosine``, ``dot`` or ``l2``.
        exclude_self: whether the row of the base with the query's own id is left out.
        threads: threads of each search; all cores if None.
        run: what the parts depend on.
    """

    queries: Embeddings
    base: Embeddings
    k: int
    metric: Metric
    exclude_self: bool
    threads: int | None
    run: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        queries: Embeddings | str | os.PathLike[str],
        base: Embeddings | str | os.PathLike[str],
        k: int,
        metric: Metric,
        *,
        exclude_self: bool,
        threads: int | None,
        shards: int = 1,
        base_shards: int = 1,
        part: int = MOST,
        anywhere: bool,
    ) -> Self:
        """The work, checked.

        Args:
            queries: as above.
            base: as above.
            k: as above.
            metric: as above.
            exclude_self: as above.
            threads: as above.
            shards: how many have a share of the queries.
            base_shards: how many have a share of the base.
            part: the most queries of a part.
            anywhere: whether other machines do parts: then files are known by checksums, not by their places and times.
        """
        queries, base = as_embeddings(queries), as_embeddings(base)
        check_dims(queries, base)
        if base_shards > max(1, len(base)):
            raise EmbeddingError(f"{base.path} has {len(base):,} rows, which are not enough for {base_shards:,} shards")
        identity = contents_of if anywhere else version_of
        run: dict[str, Any] = {
            "k": at_least_one(k, "k"),
            "metric": metric,
            "exclude_self": bool(exclude_self),
            "queries": identity(queries),
            "base": identity(base),
            "rows": len(queries),
            "base_rows": len(base),
            "part": part,
            "shards": shards,
            "base_shards": base_shards,
        }
        return cls(queries, base, run["k"], metric, run["exclude_self"], threads, run)

    @cached_property
    def _spans(self) -> list[range]:
        return _spans(self.run)

    @cached_property
    def sizes(self) -> Sequence[int]:
        """The queries of each part."""
        return [len(rows) for rows in self._spans for _ in range(self.run["base_shards"])]

    def numbers(self, shard: Shard, base_shard: Shard) -> list[int]:
        """The parts of a shard."""
        return [span * base_shard.of + base_shard.number - 1 for span in shard.share(range(len(self._spans)))]

    def write(self, folder: Path, number: int, progress: Progress) -> None:
        """Write a part."""
        write_part(folder, number, IN_PARTS, self._tables(number, progress), self.run)

    def _tables(self, number: int, progress: Progress) -> Iterator[pa.Table]:
        self.check()
        span, share = divmod(number, self.run["base_shards"])
        rows, of_base = self._spans[span], _of_base(self.run, share)
        among = None if len(of_base) == len(self.base) else self.base.ids[of_base.start : of_base.stop]
        found = neighbours_of(
            self.queries,
            self.base,
            rows,
            self.k,
            self.metric,
            among,
            exclude_self=self.exclude_self,
            threads=self.threads,
        )
        done = 0
        for neighbours in found:
            yield _table(neighbours, _width(self.run, share))
            done += len(neighbours.query_ids)
            progress(done, len(rows))
        self.check()  # that nothing has changed meanwhile

    def check(self) -> None:
        """Refuse other files than those that the work began with, if other machines do parts of it."""
        if isinstance(self.run["base"], dict):
            check_contents(self.queries, self.run["queries"])
            check_contents(self.base, self.run["base"])


def _spans(run: Mapping[str, Any]) -> list[range]:
    """The queries of the parts, once for each share of the base."""
    return spans(run["rows"], run["part"], run["shards"])


def _of_base(run: Mapping[str, Any], share: int) -> range:
    """The rows in a share of the base."""
    return Shard(share + 1, run["base_shards"]).share(range(run["base_rows"]))


def _width(run: Mapping[str, Any], share: int) -> int:
    """Hits for each query in a part of this share of the base; one where there are none, so that queries can be counted."""
    return max(1, min(int(run["k"]), len(_of_base(run, share))))


def _table(found: Neighbours, width: int) -> pa.Table:
    """The hits, filled up to so many for each query."""
    lacking = ((0, 0), (0, width - found.ids.shape[1]))
    ids = np.pad(found.ids, lacking, constant_values=-1)
    scores = np.pad(found.scores, lacking, constant_values=np.nan)
    return pa.table([np.repeat(found.query_ids, width), ids.ravel(), scores.ravel()], schema=IN_PARTS)


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
    engine: Engine | None = None,
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
        engine: what does the parts; this process by default. The bytes of the file do not depend on it.

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
    work = Nearest.of(
        queries,
        base,
        k,
        metric,
        exclude_self=exclude_self,
        threads=threads,
        part=MOST if engine is None else FINE,
        anywhere=engine is not None,
    )
    with made(work, Path(output), lambda done, _all: progress(done), engine=engine or here) as folder:
        progress(len(work.queries))
        return _join(folder, Path(output), work.run)


def knn_shard(
    queries: Embeddings | str | os.PathLike[str],
    base: Embeddings | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    k: int = 16,
    *,
    shard: tuple[int, int] = (1, 1),
    base_shard: tuple[int, int] = (1, 1),
    metric: Metric = "cosine",
    exclude_self: bool = False,
    threads: int | None = None,
    progress: Progress = lambda _done, _all: None,
) -> None:
    """Do one of several equal shares of `knn_to_parquet`, so that processes on several machines do all of it together.

    Each writes parts into the same folder; `merge_knn` joins them to the bytes that one process would have written. A part states
    size and checksum of both files, which each process reads for it once. A shard that was interrupted goes on where it was if it
    is run again.

    Args:
        queries: the vectors to find neighbours of, or the path of their file.
        base: the vectors to search, or the path of their file.
        folder: where the parts are written.
        k: how many per query.
        shard: which share of the queries this is, from 1, and how many shares there are.
        base_shard: likewise for the rows of the base: a machine then needs memory for these only. Each share of the queries
            meets each share of the base once.
        metric: ``cosine``, ``dot`` or ``l2``.
        exclude_self: leave out the vector of `base` that has the id of the query.
        threads: threads to use; all cores by default.
        progress: called from time to time with the number of queries done, and of all in this shard.

    Raises:
        emm1.errors.EmbeddingError: as for `knn`; no such shard; or the folder has parts from other files, settings or numbers of
            shards, or cannot be written.

    >>> import numpy as np, emm1
    >>> folder = getfixture("tmp_path")
    >>> np.save(folder / "x.npy", np.eye(5, dtype="float32"))
    >>> for shard in (1, 2):
    ...     emm1.knn_shard(folder / "x.npy", folder / "x.npy", folder / "parts", k=2, shard=(shard, 2))
    >>> emm1.merge_knn(folder / "parts", folder / "neighbours.parquet")
    10
    """
    own, own_base = Shard(*shard), Shard(*base_shard)
    work = Nearest.of(
        queries,
        base,
        k,
        metric,
        exclude_self=exclude_self,
        threads=threads,
        shards=own.of,
        base_shards=own_base.of,
        anywhere=True,
    )
    do_parts(work, Path(folder), work.numbers(own, own_base), progress)


def merge_knn(folder: str | os.PathLike[str], output: str | os.PathLike[str]) -> int:
    """Join the parts that all shards of `knn_shard` wrote: the k best of each query, by score, then by id.

    Args:
        folder: where the shards wrote their parts; it stays.
        output: the Parquet file to write; it must not exist.

    Returns:
        The number of rows written: query_id, rank, id, score.

    Raises:
        emm1.errors.EmbeddingError: a part is missing, damaged or of another run: the message names it and its shard; or the output
            exists or cannot be written.

    >>> import numpy as np, emm1
    >>> folder = getfixture("tmp_path")
    >>> np.save(folder / "x.npy", np.eye(5, dtype="float32"))
    >>> emm1.knn_shard(folder / "x.npy", folder / "x.npy", folder / "parts", k=2, shard=(1, 2))
    >>> emm1.merge_knn(folder / "parts", folder / "neighbours.parquet")
    Traceback (most recent call last):
    emm1.errors.EmbeddingError: ...parts lacks 1 of 2 parts: 000001.parquet; run shard 2/2 again
    """
    place, target = Path(folder), Path(output)
    run = run_of(place)
    if not {"k", "rows", "shards", "base_shards"} <= run.keys():
        raise EmbeddingError(f"{place} holds parts of other work, not of nearest neighbours")
    if target.exists():
        raise EmbeddingError(f"{target} exists: remove it or name another file")
    shares = run["base_shards"]
    parts = [
        (
            span * shares + share,
            shard if shares == 1 else f"{shard} of the queries and {share + 1}/{shares} of the base",
        )
        for span, shard in shard_of_each(len(_spans(run)), run["shards"])
        for share in range(shares)
    ]
    check_complete(place, run, parts)
    with refusals(target):
        return _join(place, target, run)


def _join(folder: Path, target: Path, run: Mapping[str, Any]) -> int:
    """Write the hits of all parts; of those in the shares of the base, the best are chosen here."""

    def tables() -> Iterator[pa.Table]:
        shares = range(run["base_shards"])
        for span in range(len(_spans(run))):
            parts = [part_in(folder, span * len(shares) + share) for share in shares]
            batches = [_batches(part, _width(run, share)) for share, part in enumerate(parts)]
            for found in zip(*batches, strict=True):
                yield _best(found, run["k"], run["metric"]).arrow()

    return write_rows(tables(), target, SCHEMA)


def _batches(part: Path, width: int) -> Iterator[Neighbours]:
    """The hits of a part, so many for each query, a batch of queries at a time."""
    for table in of_size(BATCH * width, tables_of(part)):
        query_ids, ids, scores = (table[name].to_numpy().reshape(-1, width) for name in IN_PARTS.names)
        yield Neighbours(query_ids[:, 0], ids, scores)


def _best(found: Sequence[Neighbours], k: int, metric: Metric) -> Neighbours:
    """The k best hits of each query in several shares of the base."""
    if len(found) == 1:
        return found[0]
    ids = np.hstack([each.ids for each in found])
    scores: NDArray[np.float32] = np.hstack([each.scores for each in found])
    # NaN comes last, and -0.0 equals 0.0.
    order = np.lexsort((ids, scores if metric == "l2" else -scores))[:, :k]
    return Neighbours(found[0].query_ids, np.take_along_axis(ids, order, 1), np.take_along_axis(scores, order, 1))
