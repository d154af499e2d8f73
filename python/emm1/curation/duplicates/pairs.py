"""Every pair of items whose score reaches a threshold, exactly, in parts.

The nearest neighbours of a batch of rows are asked for with a small k. Rows whose neighbours all reach the threshold may have
more of them: these rows, and only these, are asked again with a larger k, and the last of them by themselves for all that
reach it. So no pair is lost, and memory does not depend on how many partners the rows have, except for those of one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.curation.duplicates.asked import Asked
from emm1.embeddings.file import Embeddings
from emm1.embeddings.knn import BATCH, PART
from emm1.parts import write_part
from emm1.store.registration import norms_of

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("score", pa.float32())])
# Neighbours asked for, one after the other, of rows that had no fewer partners.
WIDTHS = (16, 256, 4096)
# Pairs that are gathered into one row group of a part.
GATHERED = 1 << 17

Told = Callable[[str, int, int], object]
# Positions among the rows of a batch, ids of their partners, and scores, all (pairs,).
Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


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
        for positions, partners, scores in _found(asked, other, vectors):
            a = ids[positions]
            wanted = np.ones(len(a), np.bool_)
            if asked.within:
                wanted = partners > a
            elif asked.same_items:
                wanted = partners != a
            if len(zero):
                wanted &= ~np.isin(partners, zero)
            yield pa.table([a[wanted], partners[wanted], scores[wanted]], schema=SCHEMA)


def _found(asked: Asked, base: Embeddings, vectors: NDArray[np.float32]) -> Iterator[Found]:
    """All of the base that reaches the threshold, for each vector, in the order of the vectors."""
    found: list[Found] = []
    left = np.arange(len(vectors))
    for k in WIDTHS:
        if not len(left) or not len(base):
            break
        hits = base.search(vectors[left], k, asked.metric)
        near = asked.reach(hits.scores)
        more = near[:, -1] & (hits.scores.shape[1] < len(base))
        near[more] = False
        which, _ = np.nonzero(near)
        found.append((left[which], hits.ids[near], hits.scores[near]))
        left = left[more]
    positions, partners, scores = (np.concatenate(column) for column in zip(*found, strict=True)) if found else _NONE
    order = np.argsort(positions, kind="stable")
    positions, partners, scores = positions[order], partners[order], scores[order]
    begin = 0
    for row in left if len(base) else ():
        end = int(np.searchsorted(positions, row))
        yield positions[begin:end], partners[begin:end], scores[begin:end]
        within = base.within(vectors[row], asked.threshold, asked.metric)
        yield np.full(len(within), row), within.ids, within.scores
        begin = end
    yield positions[begin:], partners[begin:], scores[begin:]


_NONE: Found = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


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
