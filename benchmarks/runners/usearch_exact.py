"""usearch: exact search over an array."""

from pathlib import Path

import numpy as np
from usearch.index import MetricKind
from usearch.index import search as exact

from benchmarks.contenders import Search


def start(path: Path, threads: int) -> Search:
    vectors = np.load(path)
    return lambda queries, k: (
        exact(vectors, queries.astype(vectors.dtype), k, MetricKind.IP, exact=True, threads=threads).keys
    )
