"""hnswlib: a navigable small-world graph (HNSW), with the parameters of its own example. Approximate."""

from pathlib import Path

import hnswlib
import numpy as np

from benchmarks.contenders import Tunable
from benchmarks.data import Vectors


def start(path: Path, threads: int) -> Tunable:
    vectors = np.load(path, mmap_mode="r")
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=16, ef_construction=200)
    index.add_items(vectors, num_threads=threads)

    def search(queries: Vectors, k: int, effort: int) -> Vectors:
        index.set_ef(effort)
        found: Vectors = index.knn_query(queries, k, num_threads=threads)[0]
        return found

    return search
