"""How long ranks take: ``python -m benchmarks.ranks WORK [QUERIES]``.

For each query and the row that is right for it, the number of rows with a better score: `Embeddings.rank_of` and NumPy, which
multiplies block by block and compares. Queries are rows with noise, from a little (the right row comes first) to so much that a
right row is anywhere, and those of another distribution. NumPy ranks fewer queries, and its time is multiplied.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import emm1
from benchmarks.data import write
from benchmarks.jobs import ROWS, SYNTHETIC
from benchmarks.record import Row, measured
from benchmarks.report import finish

QUERIES = 10_000
BLOCK = 16_384
ASKED_NUMPY = 512
NOISE = {"little noise": 0.5, "as much noise": 1.0, "three times": 3.0, "thirty times": 30.0}


def main(work: Path, asked: int) -> None:
    rows = []
    work.mkdir(parents=True, exist_ok=True)
    for kind in reversed(SYNTHETIC):
        path = write(work / f"{kind}-{ROWS}.npy")
        e = emm1.Embeddings(path)
        if e.codes_path is None:
            e.build_codes()
        x = np.load(path, mmap_mode="r")
        norms = np.linalg.norm(x, axis=1)
        for noise, factor in NOISE.items():
            random = np.random.default_rng(1)
            ids = np.sort(random.integers(0, len(x), asked))
            queries = x[ids] / norms[ids, None]
            queries += factor / np.sqrt(x.shape[1]) * random.standard_normal(queries.shape, dtype=np.float32)
            ours, above = timed(e, ids, queries)
            theirs, counted = numpy_timed(x, norms, ids[:ASKED_NUMPY], queries[:ASKED_NUMPY])
            assert np.abs(above[:ASKED_NUMPY] - counted).max() <= 5  # noqa: PLR2004 - float32 products are not exact
            theirs *= asked / min(asked, ASKED_NUMPY)
            task = f"{kind}, {noise}"
            rows.append(Row(task, "emm1", {"seconds": ours, "median rank": float(np.median(above)) + 1}))
            rows.append(Row(task, "NumPy", {"seconds": theirs}))
    record = measured("ranks", rows, queries=asked, base=ROWS, dims=x.shape[1], metric="cosine")
    finish(record, work, documented=asked == QUERIES)


def timed(e: emm1.Embeddings, ids: NDArray[np.int64], queries: NDArray[np.float32]) -> tuple[float, NDArray[np.int64]]:
    e.rank_of(ids[:64], queries[:64])  # the codes are checked when they are first read
    started = time.perf_counter()
    above, _ = e.rank_of(ids, queries)
    return time.perf_counter() - started, above


def numpy_timed(
    x: NDArray[np.float32], norms: NDArray[np.float32], ids: NDArray[np.int64], queries: NDArray[np.float32]
) -> tuple[float, NDArray[np.int64]]:
    started = time.perf_counter()
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    scores = np.einsum("ij,ij->i", unit, x[ids] / norms[ids, None])
    above = np.zeros(len(ids), np.int64)
    for begin in range(0, len(x), BLOCK):
        products = unit @ x[begin : begin + BLOCK].T
        above += (products / norms[begin : begin + BLOCK] > scores[:, None]).sum(axis=1)
    return time.perf_counter() - started, above


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else QUERIES)  # noqa: PLR2004
