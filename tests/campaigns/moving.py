"""What the chaos campaign asks about: versions of an embedding file with their ids, questions, and the right answers."""

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
    """Vectors of which codes leave out most; those of each seed lie elsewhere, so that codes of others leave out the wrong."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(20, DIMS))
    return (centres[chance.integers(0, 20, rows)] + 0.3 * chance.normal(size=(rows, DIMS))).astype(np.float32)


# Four of one shape and type; one of another type, one of another length, one of another type that has the same size.
VECTORS: tuple[NDArray[Any], ...] = (
    *(clusters(seed, ROWS) for seed in range(4)),
    clusters(4, ROWS).astype(np.float16),
    clusters(5, ROWS - 200),
    clusters(6, 2 * ROWS).astype(np.float16),
)
IDS = 3


@cache
def ids_of(version: int, rows: int) -> NDArray[np.int64]:
    """One of the lists of ids, for so many rows."""
    return np.random.default_rng(100 + version).permutation(rows)


def content(array: NDArray[Any]) -> bytes:
    """The bytes of a `.npy` file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@cache
def queries() -> NDArray[np.float32]:
    """Vectors near some of each version."""
    chance = np.random.default_rng(99)
    near = [VECTORS[n % len(VECTORS)][chance.integers(0, ROWS - 200)].astype(np.float32) for n in range(QUERIES)]
    return np.stack(near) + chance.normal(0, 0.1, (QUERIES, DIMS)).astype(np.float32)


@dataclass(frozen=True)
class Question:
    """A search: which queries, and how; `within` a threshold where k is 0; `among` some ids."""

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
    """Ids and scores of each query, in short."""
    summary = hashlib.sha256()
    for ids, scores in hits:
        summary.update(np.asarray(ids, np.int64).tobytes() + np.asarray(scores, np.float32).tobytes())
    return summary.hexdigest()[:16]


@cache
def scores(metric: Metric, number: int, vectors: int) -> NDArray[np.float32]:
    """Of a query with a version."""
    return reference.scores(metric, queries()[number], VECTORS[vectors].astype(np.float32))


@cache
def right(question: int, vectors: int, ids: int) -> str:
    """The answer by the reference."""
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


class Room:
    """Who searches is inside with others; who changes what is mapped is inside alone, and before those who came later."""

    def __init__(self, folder: Path) -> None:
        self._door, self._inside = (os.open(folder / name, os.O_CREAT | os.O_RDWR) for name in ("door", "inside"))

    @contextmanager
    def entered(self, *, alone: bool = False) -> Iterator[None]:
        """Inside, with others or alone."""
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        fcntl.flock(self._door, kind)
        fcntl.flock(self._inside, kind)
        if not alone:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._inside, fcntl.LOCK_UN)
            fcntl.flock(self._door, fcntl.LOCK_UN)


UNIQUE = count()


def put(path: Path, data: bytes, times: tuple[int, int] | None = None) -> None:
    """Replace a file by rename, with these times where they are given."""
    new = path.with_name(f"{path.name}.{os.getpid()}.{next(UNIQUE)}.new")
    new.write_bytes(data)
    if times:
        os.utime(new, ns=times)
    new.replace(path)
