"""Every pair of items whose score reaches a threshold, exactly, in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.curation.duplicates.asked import Asked
from emm1.embeddings.file import Embeddings
from emm1.embeddings.knn import BATCH, PART
from emm1.embeddings.reaching import reaching
from emm1.parts import write_part
from emm1.store.registration import norms_of

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("score", pa.float32())])
# Pairs that are gathered into one row group of a part.
GATHERED = 1 << 17

Told = Callable[[str, int, int], object]


def write_pairs(
    asked: Asked, one: Embeddings, other: Embeddings, zero: NDArray[np.int64], folder: Path, told: Told
) -> list[Path]:
    """Write the pairs in parts, in the order of the rows of `one`, the best partner of each first; finished parts are kept.

    Args:
        asked: what is asked for.
        one: the embeddings of the items `a`.
        other: those of the items `b`.
        zero: ids of `other` that are left out, sorted; rows of `one` without a direction are left out too.
        folder: the folder of the parts.
        told: called with what is being done, the rows done and how many there are.

    Returns:
        The files of the parts.
    """
    rows, part = len(one), BATCH * PART
    return [
        write_part(
            folder,
            number,
            SCHEMA,
            _gathered(_pairs(asked, one, other, zero, range(begin, min(begin + part, rows)), told)),
        )
        for number, begin in enumerate(range(0, rows, part))
    ]


def without_direction(asked: Asked, embeddings: Embeddings, told: Told) -> NDArray[np.int64]:
    """The ids of zero vectors, sorted, where directions are compared: a zero vector has none."""
    if asked.metric != "cosine" or not len(embeddings):
        return np.empty(0, np.int64)
    norms = norms_of(embeddings, lambda rows: told("norms", rows, len(embeddings)))
    return np.sort(embeddings.ids[norms == 0])


def _pairs(
    asked: Asked, one: Embeddings, other: Embeddings, zero: NDArray[np.int64], rows: range, told: Told
) -> Iterator[pa.Table]:
    for begin in range(rows.start, rows.stop, BATCH):
        told("searching", begin, len(one))
        ids, vectors = one.rows(begin, min(begin + BATCH, rows.stop))
        if asked.metric == "cosine":
            has = vectors.any(axis=1)
            ids, vectors = ids[has], vectors[has]
        for positions, partners, scores in reaching(other, vectors, asked.threshold, asked.metric):
            a = ids[positions]
            wanted = np.ones(len(a), np.bool_)
            if asked.within:
                wanted = partners > a
            elif asked.same_items:
                wanted = partners != a
            if len(zero):
                wanted &= ~np.isin(partners, zero)
            yield pa.table([a[wanted], partners[wanted], scores[wanted]], schema=SCHEMA)


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
