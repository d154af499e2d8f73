"""NumPy: a matrix product and argpartition. The environment sets the number of BLAS threads."""

from pathlib import Path

import numpy as np

from benchmarks.contenders import Search
from benchmarks.data import Vectors

QUERIES, ROWS = 64, 20_000
"""Block sizes: neither the scores of all queries nor all float16 rows as float32 would fit into memory."""


def start(path: Path, _threads: int) -> Search:
    return search_in(np.load(path))


def mapped(path: Path, _threads: int) -> Search:
    return search_in(np.load(path, mmap_mode="r"))


def search_in(vectors: Vectors) -> Search:
    def products(queries: Vectors) -> Vectors:
        if vectors.dtype == np.float32:
            result: Vectors = queries @ vectors.T
            return result
        blocks = (vectors[begin : begin + ROWS].astype(np.float32) for begin in range(0, len(vectors), ROWS))
        return np.concatenate([queries @ block.T for block in blocks], axis=-1)

    def search(queries: Vectors, k: int) -> Vectors:
        found = []
        for begin in range(0, len(np.atleast_2d(queries)), QUERIES):
            scores = products(np.atleast_2d(queries)[begin : begin + QUERIES])
            best = np.argpartition(scores, -k, axis=1)[:, -k:]
            order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
            found.append(np.take_along_axis(best, order, 1))
        return np.concatenate(found).reshape(*queries.shape[:-1], k)

    return search
