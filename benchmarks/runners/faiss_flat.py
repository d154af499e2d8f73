"""FAISS: the flat index, Panorama (PCA and bounds on the remainder), and the scalar quantizer with float16."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks.contenders import Search


def start(path: Path, threads: int) -> Search:
    vectors = np.load(path)
    return filled(faiss.IndexFlatIP(vectors.shape[1]), vectors, threads)


def panorama(path: Path, threads: int) -> Search:
    vectors = np.load(path)
    dims = vectors.shape[1]
    axes = faiss.PCAMatrix(dims, dims)
    index = faiss.IndexPreTransform(axes, faiss.IndexFlatIPPanorama(dims, 8))
    index.train(vectors[:20_000])
    # The PCA would subtract the mean, which changes the order of inner products; the rotation alone keeps it.
    faiss.copy_array_to_vector(np.zeros(dims, np.float32), axes.b)
    return filled(index, vectors, threads)


def half(path: Path, threads: int) -> Search:
    vectors = np.load(path).astype(np.float32)
    kind = faiss.ScalarQuantizer.QT_fp16
    return filled(faiss.IndexScalarQuantizer(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT), vectors, threads)


def filled(index: Any, vectors: Any, threads: int) -> Search:
    faiss.omp_set_num_threads(threads)
    index.add(vectors)
    return lambda queries, k: index.search(np.atleast_2d(queries), k)[1].reshape(*queries.shape[:-1], k)
