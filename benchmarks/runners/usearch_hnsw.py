"""usearch: a navigable small-world graph (HNSW), with its default parameters. Approximate."""

from pathlib import Path

import numpy as np
from usearch.index import Index, MetricKind

from benchmarks.contenders import Tunable
from benchmarks.data import Vectors


def start(path: Path, threads: int) -> Tunable:
    vectors = np.load(path, mmap_mode="r")
    index = Index(ndim=vectors.shape[1], metric=MetricKind.IP, dtype="f32")
    index.add(np.arange(len(vectors)), vectors, threads=threads)

    def search(queries: Vectors, k: int, effort: int) -> Vectors:
        index.expansion_search = effort
        return np.asarray(index.search(queries, k, threads=threads).keys)

    return search
