"""FAISS: an inverted file of four times the square root of the number of vectors lists. Approximate."""

from pathlib import Path

import faiss
import numpy as np

from benchmarks.contenders import Tunable
from benchmarks.data import Vectors


def start(path: Path, threads: int) -> Tunable:
    faiss.omp_set_num_threads(threads)
    vectors = np.load(path, mmap_mode="r")
    lists = round(4 * len(vectors) ** 0.5)
    index = faiss.index_factory(vectors.shape[1], f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)

    def search(queries: Vectors, k: int, effort: int) -> Vectors:
        index.nprobe = effort
        found: Vectors = index.search(np.atleast_2d(queries), k)[1]
        return found

    return search
