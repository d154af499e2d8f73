"""Finds hard negatives: the best rows of a gallery for each query that do not belong to it, exactly, a block of queries at a time."""

from __future__ import annotations

import hashlib
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
from emm1.embeddings.pairs import score_pairs
from emm1.errors import EmbeddingError
from emm1.evaluation.report.provenance import LeftOut
from emm1.evaluation.retrieval.run import Options, task_of
from emm1.evaluation.retrieval.task import Task
from emm1.negatives.belonging import Belonging
from emm1.negatives.rules import Rules
from emm1.parts import join, parts_of, write_part

if TYPE_CHECKING:
    from emm1.store.store import Store

Whole = NDArray[np.int64]
Scores = NDArray[np.float32]
# Queries that share a scan of the gallery; blocks in a part, which an interrupted run repeats; pairs that are scored at once.
BLOCK, PART, PAIRS = 1024, 16, 1 << 20
SCHEMA = pa.schema(
    [
        ("query_id", pa.int64()),
        ("positive_id", pa.int64()),
        ("negative_id", pa.int64()),
        ("rank", pa.int32()),
        ("score", pa.float32()),
        ("positive_score", pa.float32()),
    ]
)


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
    def by(cls, task: Task) -> _Asked:
        right = task.pairs.frame.filter(pl.col("grade") > 0)
        of, positives = right["query_id"].to_numpy(), right["id"].to_numpy()
        every = np.unique(of)
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
        return cls(queries, of[kept], positives[kept], *lost)


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
    asked = _Asked.by(task)
    with store.cursor() as connection:
        belonging = Belonging(connection, task)
    run = {
        "negatives": {"queries": version_of(one), "base": version_of(other)},
        "rules": asdict(rules),
        "metric": task.rules.metric,
        "belonging": belonging.identity,
        "asked": hashlib.sha256(asked.of.tobytes() + asked.positives.tobytes()).hexdigest(),
        "among": None if task.among is None else hashlib.sha256(task.among.tobytes()).hexdigest(),
        "block": [BLOCK, PART],
    }
    with parts_of(Path(output), run) as folder:
        parts = []
        for number, begin in enumerate(range(0, len(asked.queries), BLOCK * PART)):
            rows = range(begin, min(begin + BLOCK * PART, len(asked.queries)))
            parts.append(write_part(folder, number, SCHEMA, _part(task, rules, asked, belonging, rows, progress)))
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


def _part(
    task: Task, rules: Rules, asked: _Asked, belonging: Belonging, rows: range, progress: Callable[[int, int], object]
) -> Iterator[pa.Table]:
    """The negatives of some queries, a table for each block."""
    for begin in range(rows.start, rows.stop, BLOCK):
        progress(begin, len(asked.queries))
        own = asked.queries[begin : min(begin + BLOCK, rows.stop)]
        yield _block(task, rules, asked, belonging, own)


def _block(task: Task, rules: Rules, asked: _Asked, belonging: Belonging, own: Whole) -> pa.Table:
    """The negatives of a block of queries."""
    base, metric = task.base.embeddings, task.rules.metric
    pairs = slice(*np.searchsorted(asked.of, [own[0], own[-1] + 1]))
    of, positives = np.searchsorted(own, asked.of[pairs]), asked.positives[pairs]
    scores = score_pairs(task.queries.embeddings, asked.of[pairs], base, positives, metric)
    # The right answer that is the least similar: a negative is compared with it, to be safe. Of equal ones the lowest id.
    order = np.lexsort((positives, -scores if metric == "l2" else scores, of))
    starts = np.searchsorted(of, np.arange(len(own)))
    worst, worst_score = positives[order][starts], scores[order][starts]
    hits = base.search(task.queries.embeddings.vectors(own), rules.range_max, metric, task.among)
    ranks = np.arange(1, hits.ids.shape[1] + 1)
    query, place = np.nonzero(np.broadcast_to(ranks > rules.range_min, hits.ids.shape))
    ids, score = hits.ids[query, place], hits.scores[query, place]
    kept = ~belonging.has(own[query], ids)
    limit = worst_score[query].astype(np.float64)
    if rules.relative_margin is not None:
        kept &= score <= limit - np.abs(limit) * rules.relative_margin
    if rules.max_score is not None:
        kept &= score.astype(np.float64) <= rules.max_score
    query, place, ids, score = query[kept], place[kept], ids[kept], score[kept]
    if rules.near_duplicates is not None:
        near = _near(task, rules.near_duplicates, query, ids, starts, positives)
        query, place, ids, score = query[~near], place[~near], ids[~near], score[~near]
    number = np.arange(len(query)) - np.searchsorted(query, query)
    taken = number < rules.num_negatives
    query = query[taken]
    columns = [
        own[query],
        worst[query],
        ids[taken],
        ranks[place[taken]].astype(np.int32),
        score[taken],
        worst_score[query],
    ]
    return pa.table(columns, schema=SCHEMA)


def _near(task: Task, threshold: float, query: Whole, ids: Whole, starts: Whole, positives: Whole) -> NDArray[np.bool_]:
    """Which candidates are near duplicates of any right answer of their query, by the cosine of the two, (candidates,)."""
    base = task.base.embeddings
    counts = np.diff(starts, append=len(positives))[query]
    near = np.zeros(len(query), np.bool_)
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(query):
        before = int(ends[begin] - counts[begin])
        end = max(int(np.searchsorted(ends, before + PAIRS, side="right")), begin + 1)
        many = counts[begin:end]
        candidate = np.repeat(np.arange(begin, end), many)
        number = np.arange(len(candidate)) - np.repeat(np.cumsum(many) - many, many)
        scores = score_pairs(base, positives[starts[query[candidate]] + number], base, ids[candidate], "cosine")
        near[candidate[scores.astype(np.float64) >= threshold]] = True
        begin = end
    return near
