"""Finds hard negatives: the best rows of a gallery for each query that do not belong to it, exactly, a block of queries at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emm1.checks import PathLike
from emm1.embeddings.file import Metric
from emm1.embeddings.identity import version_of
from emm1.errors import EmbeddingError
from emm1.evaluation.report.provenance import LeftOut
from emm1.evaluation.retrieval.run import Options, task_of
from emm1.evaluation.retrieval.task import Task
from emm1.hashing import digest_of
from emm1.negatives.belonging import Belonging, distinct
from emm1.negatives.rules import Rules
from emm1.negatives.search import SCHEMA, Search
from emm1.parts import join, parts_of, write_part

if TYPE_CHECKING:
    from emm1.store.store import Store

Whole = NDArray[np.int64]
# Queries that share a scan of the gallery; blocks in a part, which an interrupted run repeats.
BLOCK, PART = 1024, 16


@dataclass(frozen=True)
class NegativesReport:
    """What `Store.negatives` wrote: `str(report)` says it in words.

    Attributes:
        rows: the rows, one for each negative.
        queries: the queries that negatives were looked for.
        fewer: those of them that have fewer than were asked for, none among them.
        none: those that have none.
        without_vector: queries that have no vector, for which none were looked for.
        without_positive: those that have one, but no right answer with a vector in the gallery, likewise.
        excluded: what counted as not there.
    """

    rows: int
    queries: int
    fewer: int
    none: int
    without_vector: int
    without_positive: int
    excluded: LeftOut

    def __str__(self) -> str:
        lines = [f"{self.rows:,} negatives for {self.queries:,} queries"]
        if self.fewer:
            lines.append(f"Queries with fewer than asked for: {self.fewer:,}, of which {self.none:,} have none")
        for count, what in (
            (self.without_vector, "a vector"),
            (self.without_positive, "a right answer in the gallery"),
        ):
            if count:
                lines.append(f"Queries without {what}, which have none: {count:,}")
        if self.excluded:
            lines.append(f"Excluded: {self.excluded}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Asked:
    """The queries that count, and their right answers that have a vector: (queries,), and (pairs,) by query."""

    queries: Whole
    of: Whole
    positives: Whole
    without_vector: int
    without_positive: int

    @classmethod
    def by(cls, task: Task, right: tuple[Whole, Whole]) -> _Asked:
        of, positives = right
        every = distinct(of)
        has_vector = np.isin(every, task.queries.embeddings.ids)
        there = np.isin(positives, task.base.embeddings.ids)
        if task.among is not None:
            there &= np.isin(positives, task.among)
        has_positive = np.isin(every, of[there])
        queries = every[has_vector & has_positive]
        if not len(queries):
            raise EmbeddingError(
                f"none of the {len(every):,} queries has a vector in {task.queries.name} and a right answer with a vector in {task.base.name}"
            )
        kept = there & np.isin(of, queries)
        lost = int((~has_vector).sum()), int((has_vector & ~has_positive).sum())
        if not kept.all():
            of, positives = of[kept], positives[kept]
        return cls(queries, of, positives, *lost)

    def block(self, rows: slice) -> tuple[Whole, Whole, Whole]:
        """Some queries, and of each of their right answers its query and its id."""
        own = self.queries[rows]
        pairs = slice(*np.searchsorted(self.of, [own[0], own[-1] + 1]))
        return own, self.of[pairs], self.positives[pairs]


def mine(
    store: Store,
    queries: PathLike,
    base: PathLike,
    output: PathLike,
    pairs: Any,
    rules: Rules,
    metric: Metric | None,
    exclude: Sequence[str],
    available: bool,
    progress: Callable[[int, int], object],
) -> NegativesReport:
    """Write hard negatives to a Parquet file; `Store.negatives` says how.

    Raises:
        emm1.errors.Error: what `Store.negatives` refuses.
    """
    options = Options(metric=metric, exclude=exclude, available=available)
    task, _ = task_of(store, queries, base, pairs, None, options)
    rules.check(task.rules.metric)
    one, other = task.queries.embeddings, task.base.embeddings
    if one.dim != other.dim:
        raise EmbeddingError(
            f"the vectors of {task.queries.name} have {one.dim:,} components, those of {task.base.name} {other.dim:,}: embed both with one model"
        )
    known = task.pairs.frame.lazy().filter(pl.col("grade") > 0).select("query_id", "id").collect()
    right = known["query_id"].to_numpy(), known["id"].to_numpy()
    asked = _Asked.by(task, right)
    with store.cursor() as connection:
        belonging = Belonging(connection, task, right)
    run = {
        "negatives": {"queries": version_of(one), "base": version_of(other)},
        "rules": asdict(rules),
        "metric": task.rules.metric,
        "belonging": belonging.identity,
        "asked": digest_of(asked.of, asked.positives),
        "among": None if task.among is None else digest_of(task.among),
        "block": [BLOCK, PART],
    }
    search = Search(task, rules, belonging)
    with parts_of(Path(output), run) as folder:
        parts = []
        for number, begin in enumerate(range(0, len(asked.queries), BLOCK * PART)):
            rows = range(begin, min(begin + BLOCK * PART, len(asked.queries)))
            parts.append(write_part(folder, number, SCHEMA, _part(asked, search, rows, progress)))
        progress(len(asked.queries), len(asked.queries))
        found = [
            np.unique(pq.read_table(part, columns=["query_id"])[0].to_numpy(), return_counts=True)[1] for part in parts
        ]
        some = sum(map(len, found))
        full = sum(int((counts == rules.num_negatives).sum()) for counts in found)
        written = join(parts, Path(output), SCHEMA)
    count = len(asked.queries)
    lost = asked.without_vector, asked.without_positive
    return NegativesReport(written, count, count - full, count - some, *lost, task.excluded)


def _part(asked: _Asked, search: Search, rows: range, progress: Callable[[int, int], object]) -> Iterator[pa.Table]:
    """The negatives of some queries, a table for each block."""
    for begin in range(rows.start, rows.stop, BLOCK):
        progress(begin, len(asked.queries))
        yield search.block(*asked.block(slice(begin, min(begin + BLOCK, rows.stop))))
