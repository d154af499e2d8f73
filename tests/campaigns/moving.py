"""The data of the chaos campaign: versions of an embedding file and its ids, questions, and the right answers."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import reference
from numpy.typing import NDArray

from emm1.embeddings.file import METRICS, Metric

ROWS, DIMS, QUERIES = 900, 64, 40
NAME = "moving.npy"
THRESHOLDS: dict[Metric, float] = {"cosine": 0.5, "dot": 20.0, "l2": 9.0}


def clusters(seed: int, rows: int) -> NDArray[np.float32]:
    """Vectors that codes filter well; each seed has other clusters, so that codes of another version drop the wrong rows."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(20, DIMS))
    return (centres[chance.integers(0, 20, rows)] + 0.3 * chance.normal(size=(rows, DIMS))).astype(np.float32)


# Four with one shape and type, one with another type, one with another length, and one with another type but the same size.
VECTORS: tuple[NDArray[Any], ...] = (
    *(clusters(seed, ROWS) for seed in range(4)),
    clusters(4, ROWS).astype(np.float16),
    clusters(5, ROWS - 200),
    clusters(6, 2 * ROWS).astype(np.float16),
)
IDS = 3


@cache
def ids_of(version: int, rows: int) -> NDArray[np.int64]:
    """One of the lists of ids, for this number of rows."""
    return np.random.default_rng(100 + version).permutation(rows)


def content(array: NDArray[Any]) -> bytes:
    """The bytes of a `.npy` file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@cache
def queries() -> NDArray[np.float32]:
    """Vectors near some vectors of each version."""
    chance = np.random.default_rng(99)
    near = [VECTORS[n % len(VECTORS)][chance.integers(0, ROWS - 200)].astype(np.float32) for n in range(QUERIES)]
    return np.stack(near) + chance.normal(0, 0.1, (QUERIES, DIMS)).astype(np.float32)


@dataclass(frozen=True)
class Question:
    """A search: the numbers of its queries, its metric and k (0: within a threshold), and whether among some ids."""

    numbers: tuple[int, ...]
    metric: Metric
    k: int
    among: bool = False

    @property
    def ids(self) -> list[int] | None:
        """The ids to look among."""
        return list(range(0, ROWS, 2)) if self.among else None


QUESTIONS = [
    *(Question((number,), metric, 10) for number in range(QUERIES) for metric in METRICS),
    *(Question((number,), metric, 0) for number in range(0, QUERIES, 3) for metric in METRICS),
    *(Question((number,), "cosine", 5, among=True) for number in range(0, QUERIES, 3)),
    *(Question(tuple(range(begin, begin + 7)), metric, 3) for begin in range(0, 30, 5) for metric in METRICS),
    *(Question(tuple(range(QUERIES)), metric, 4) for metric in METRICS),
]


def digest(hits: Sequence[tuple[Any, Any]]) -> str:
    """A digest of the ids and scores of all queries."""
    summary = hashlib.sha256()
    for ids, scores in hits:
        summary.update(np.asarray(ids, np.int64).tobytes() + np.asarray(scores, np.float32).tobytes())
    return summary.hexdigest()[:16]


@cache
def scores(metric: Metric, number: int, vectors: int) -> NDArray[np.float32]:
    """The scores of a query with a version of the vectors."""
    return reference.scores(metric, queries()[number], VECTORS[vectors].astype(np.float32))


@cache
def right(question: int, vectors: int, ids: int) -> str:
    """A digest of the reference's answer."""
    asked, listed = QUESTIONS[question], ids_of(ids, len(VECTORS[vectors]))
    hits = []
    for number in asked.numbers:
        found = scores(asked.metric, number, vectors)
        best = reference.order(asked.metric, found, listed)
        if asked.among:
            best = best[np.isin(listed[best], asked.ids or [])]
        if asked.k:
            best = best[: asked.k]
        else:
            best = best[reference.within(asked.metric, found[best], THRESHOLDS[asked.metric])]
        hits.append((listed[best], found[best]))
    return digest(hits)


class SharedLock:
    """Searches share it; a change of mapped data excludes them, and searches that arrive later wait for it."""

    def __init__(self, folder: Path) -> None:
        self._queue, self._lock = (os.open(folder / name, os.O_CREAT | os.O_RDWR) for name in ("queue", "lock"))

    @contextmanager
    def held(self, *, exclusive: bool = False) -> Iterator[None]:
        """Hold the lock, shared or exclusively."""
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        fcntl.flock(self._queue, kind)
        fcntl.flock(self._lock, kind)
        if not exclusive:
            fcntl.flock(self._queue, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            fcntl.flock(self._queue, fcntl.LOCK_UN)


UNIQUE = count()


def put(path: Path, data: bytes, times: tuple[int, int] | None = None) -> None:
    """Replace a file by rename, with these times if they are given."""
    new = path.with_name(f"{path.name}.{os.getpid()}.{next(UNIQUE)}.new")
    new.write_bytes(data)
    if times:
        os.utime(new, ns=times)
    new.replace(path)
