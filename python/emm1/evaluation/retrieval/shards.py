"""Retrieval that several processes share: each ranks the right answers of some queries; the numbers come when all are ranked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emm1.embeddings.file import Embeddings
from emm1.embeddings.identity import check_contents, contents_of
from emm1.evaluation.retrieval.answers import Whole
from emm1.evaluation.retrieval.ranking import BATCH, rank_answers
from emm1.evaluation.retrieval.task import Asked, Outcome, Rules, Task, asked, outcome
from emm1.hashing import digest_of
from emm1.parts import check_complete, do_shard, part_in, run_of, write_part
from emm1.work import Engine, Progress, Shard, here, shard_of_each, spans

SCHEMA = pa.schema([("above", pa.int64()), ("equal", pa.int64())])
# Queries of a part, at most: an interrupted shard repeats at most one part.
PART = 16 * BATCH
# The same where an engine has several workers to feed.
FINE = 4 * BATCH


@dataclass(frozen=True)
class Ranking:
    """The work: each part has the ranks of the right answers of some queries.

    Attributes:
        queries: the vectors of the queries.
        base: those of the gallery.
        query_ids: the query of each right answer, ascending, (answers,).
        ids: the right answers, (answers,).
        rules: the score, and whether the row with the query's own id is left out.
        among: the ids that the gallery is restricted to; None for all rows.
        run: what the parts depend on.
        threads: threads of a search; all cores if None.
    """

    queries: Embeddings
    base: Embeddings
    query_ids: Whole
    ids: Whole
    rules: Rules
    among: Whole | None
    run: Mapping[str, Any]
    threads: int | None = None

    @classmethod
    def of(cls, what: Asked, shards: int, part: int) -> Self:
        """The work of ranking what is asked for, in parts of so many queries at most."""
        task = what.task
        query_ids, ids = (what.ranked[name].to_numpy() for name in ("query_id", "id"))
        run = {
            "queries": contents_of(task.queries.embeddings),
            "base": contents_of(task.base.embeddings),
            "pairs": digest_of(query_ids, ids),
            "among": None if task.among is None else digest_of(task.among),
            "metric": task.rules.metric,
            "exclude_self": task.rules.exclude_self,
            "part": part,
            "shards": shards,
        }
        return cls(task.queries.embeddings, task.base.embeddings, query_ids, ids, task.rules, task.among, run)

    @cached_property
    def _slices(self) -> list[slice]:
        """The right answers of each part."""
        first = np.append(np.unique(self.query_ids, return_index=True)[1], len(self.query_ids))
        return [
            slice(int(first[rows.start]), int(first[rows.stop]))
            for rows in spans(len(first) - 1, self.run["part"], self.run["shards"])
        ]

    @cached_property
    def sizes(self) -> Sequence[int]:
        """The right answers of each part."""
        return [part.stop - part.start for part in self._slices]

    def write(self, folder: Path, number: int, progress: Progress) -> None:
        """Write a part."""
        write_part(folder, number, SCHEMA, self._tables(self._slices[number], progress), self.run)

    def _tables(self, part: slice, progress: Progress) -> Iterator[pa.Table]:
        self.check()
        ranks = rank_answers(
            self.queries,
            self.base,
            self.query_ids[part],
            self.ids[part],
            self.rules,
            self.among,
            progress,
            self.threads,
        )
        self.check()  # that nothing has changed meanwhile
        yield pa.table(list(ranks), schema=SCHEMA)

    def check(self) -> None:
        """Refuse files that are not those that the work began with."""
        check_contents(self.queries, self.run["queries"])
        check_contents(self.base, self.run["base"])


def rank_shard(task: Task, folder: Path, shard: Shard, progress: Progress, engine: Engine | None) -> None:
    """Rank the right answers of a share of the queries, and write them as parts into a folder."""
    work = Ranking.of(asked(task), shard.of, PART if engine is None else FINE)
    do_shard(work, folder, shard, progress, engine or here)


def merged(task: Task, folder: Path) -> Outcome:
    """What all shards ranked.

    Raises:
        EmbeddingError: a part is missing, damaged or of another task.
    """
    what, run = asked(task), run_of(folder)
    work = Ranking.of(what, int(run.get("shards", 1)), int(run.get("part", PART)))
    check_complete(folder, work.run, shard_of_each(len(work.sizes), work.run["shards"]))
    found = pa.concat_tables(pq.read_table(part_in(folder, number)) for number in range(len(work.sizes)))
    return outcome(what, found["above"].to_numpy(), found["equal"].to_numpy())
