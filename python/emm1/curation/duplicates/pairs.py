"""Every pair of items whose score reaches a threshold, exactly, in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.curation.duplicates.asked import Asked
from emm1.embeddings.file import Embeddings
from emm1.embeddings.identity import check_contents
from emm1.embeddings.knn import BATCH
from emm1.embeddings.reaching import reaching
from emm1.parts import write_part
from emm1.store.registration import norms_of
from emm1.work import Progress, spans

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("score", pa.float32())])
# Pairs that are gathered into one row group of a part.
GATHERED = 1 << 17

Told = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Pairing:
    """The work: each part has the pairs of some rows of `one`, in their order, the best partner of each first.

    Attributes:
        asked: what is asked for.
        one: the embeddings of the items `a`.
        other: those of the items `b`.
        zero: ids of `other` that are left out, sorted; rows of `one` without a direction are left out too.
        run: what the parts depend on.
        threads: threads of a search; all cores if None.
    """

    asked: Asked
    one: Embeddings
    other: Embeddings
    zero: NDArray[np.int64]
    run: Mapping[str, Any]
    threads: int | None = None

    @cached_property
    def _spans(self) -> list[range]:
        return spans(len(self.one), self.run["part"], self.run["shards"])

    @cached_property
    def sizes(self) -> Sequence[int]:
        """The rows of each part."""
        return [len(rows) for rows in self._spans]

    def write(self, folder: Path, number: int, progress: Progress) -> None:
        """Write a part."""
        write_part(folder, number, SCHEMA, _gathered(self._pairs(self._spans[number], progress)), self.run)

    def _pairs(self, rows: range, progress: Progress) -> Iterator[pa.Table]:
        self.check()
        yield SCHEMA.empty_table()
        for begin in range(rows.start, rows.stop, BATCH):
            progress(begin - rows.start, len(rows))
            yield from self._pairs_of(range(begin, min(begin + BATCH, rows.stop)))
        self.check()  # that nothing has changed meanwhile

    def _pairs_of(self, rows: range) -> Iterator[pa.Table]:
        asked = self.asked
        ids, vectors = self.one.rows(rows.start, rows.stop)
        if asked.metric == "cosine":
            has = vectors.any(axis=1)
            ids, vectors = ids[has], vectors[has]
        for positions, partners, scores in reaching(self.other, vectors, asked.threshold, asked.metric, self.threads):
            a = ids[positions]
            wanted = np.ones(len(a), np.bool_)
            if asked.within:
                wanted = partners > a
            elif asked.same_items:
                wanted = partners != a
            if len(self.zero):
                wanted &= ~np.isin(partners, self.zero)
            yield pa.table([a[wanted], partners[wanted], scores[wanted]], schema=SCHEMA)

    def check(self) -> None:
        """Refuse files that are not those that the work began with, where it is shared with other machines."""
        for embeddings, stated in ((self.one, self.run["pairs of"]), (self.other, self.run["with"])):
            if isinstance(stated, dict):
                check_contents(embeddings, stated)


def without_direction(asked: Asked, embeddings: Embeddings, told: Told) -> NDArray[np.int64]:
    """The ids of zero vectors, sorted, where directions are compared: a zero vector has none."""
    if asked.metric != "cosine" or not len(embeddings):
        return np.empty(0, np.int64)
    norms = norms_of(embeddings, lambda rows: told("norms", rows, len(embeddings)))
    return np.sort(embeddings.ids[norms == 0])


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in fewer tables."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= GATHERED:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()
