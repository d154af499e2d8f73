"""The tasks: each runs with one contender in its own process and returns numbers by name (times in seconds)."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import numpy as np

import emm1
from benchmarks.contenders import CONTENDERS
from benchmarks.data import Vectors, queries_for
from benchmarks.measure import anonymous, best_of, evict, peak_of_anonymous, plain_read, touched, without_huge_pages
from benchmarks.runners.emm1_codes import coded
from emm1.embeddings.knn import knn_to_parquet

K, MORE, BATCH_K = 10, 100, 16
BATCHES = (8, 64, 512)
PERCENTS = (1, 10)
Numbers = dict[str, float]


def search(name: str, path: Path, threads: int) -> Numbers:
    """One warm query, and warm batches."""
    queries = queries_for(path)
    found = CONTENDERS[name].search(path, threads)
    answer = found(queries[0], K)
    for number in range(3):
        found(queries[number], K)
    numbers: Numbers = {
        "answer": crc32(np.asarray(answer, np.int64).tobytes()),
        "1 query": best_of(lambda number: found(queries[number], K)),
        f"k = {MORE}": best_of(lambda number: found(queries[number], MORE)),
    }
    for batch in BATCHES:
        if batch <= CONTENDERS[name].most:
            numbers[f"{batch} queries"] = best_of(partial(lambda some, _: found(some, BATCH_K), queries[:batch]), 5)
    return numbers


def among(name: str, path: Path, threads: int) -> Numbers:
    """One query among random 1 % and 10 % of the rows: emm1, and NumPy on the gathered rows."""
    queries = queries_for(path)
    embeddings = coded(path)
    vectors = np.load(path) if name == "NumPy" else np.empty((0, 0))
    numbers: Numbers = {}
    for percent in PERCENTS:
        rows = len(embeddings)
        ids = np.random.default_rng(1).choice(rows, rows * percent // 100, replace=False)

        def gathered(number: int, ids: Vectors = ids) -> object:
            scores = vectors[ids] @ queries[number]
            best = np.argpartition(scores, -K)[-K:]
            return ids[best[np.argsort(-scores[best])]]

        def filtered(number: int, ids: Vectors = ids) -> object:
            return embeddings.search(queries[number], K, metric="dot", among=ids, threads=threads)

        numbers[f"among {percent} %"] = best_of(gathered if name == "NumPy" else filtered)
    return numbers


def one(name: str, path: Path, threads: int) -> Numbers:
    """A single warm query."""
    queries = queries_for(path, 30)
    found = CONTENDERS[name].search(path, threads)
    for number in range(3):
        found(queries[number], K)
    return {"1 query": best_of(lambda number: found(queries[number], K), 30)}


def cold(name: str, path: Path, threads: int) -> Numbers:
    """A single query on newly opened files, none of which is in the page cache."""
    queries = queries_for(path, 3)
    CONTENDERS[name].search(path, threads)  # writes the files that it needs
    times = []
    for query in queries:
        gc.collect()
        evict([path, Path(f"{path}.codes"), path.with_suffix(".lancedb"), path.with_suffix(".duckdb")])
        found = CONTENDERS[name].search(path, threads)
        started = time.perf_counter()
        found(query, K)
        times.append(time.perf_counter() - started)
        del found
    return {"1 query": min(times)}


def memory(_name: str, path: Path, threads: int) -> Numbers:
    """The peak of anonymous memory of each of emm1's tasks, in bytes above the level after import."""
    queries = queries_for(path)
    ids = np.random.default_rng(1).permutation(len(np.load(path, mmap_mode="r")))[:10_000]
    before = anonymous()
    embeddings = emm1.Embeddings(path)
    with TemporaryDirectory(dir=path.parent) as folder:
        calls: dict[str, Callable[[], object]] = {
            "1 query": lambda: embeddings.search(queries[0], K, "dot", threads=threads),
            "512 queries": lambda: embeddings.search(queries, BATCH_K, "dot", threads=threads),
            "among 10,000 ids": lambda: embeddings.search(queries[0], K, "dot", ids, threads=threads),
            "codes": lambda: embeddings.build_codes(Path(folder) / "codes", threads=threads),
            "knn, 4,096 queries": lambda: knn(path, Path(folder), threads),
        }
        numbers: Numbers = {}
        for task, call in calls.items():
            peak: list[int] = []
            with peak_of_anonymous(peak):
                call()
            numbers[task] = peak[0] - before
    return numbers


def knn(path: Path, folder: Path, threads: int) -> None:
    np.save(folder / "queries.npy", np.load(path, mmap_mode="r")[:4096])
    queries, base = emm1.Embeddings(folder / "queries.npy"), emm1.Embeddings(path)
    knn_to_parquet(queries, base, folder / "knn.parquet", BATCH_K, metric="dot", threads=threads)


def reads(_name: str, path: Path, threads: int) -> Numbers:
    """The bytes that a query reads, and the speed at which the machine can read them."""
    queries = queries_for(path, 15)
    embeddings = coded(path)
    numbers: Numbers = {
        "mapped": plain_read(np.load(path, mmap_mode="r"), threads),
        "loaded": plain_read(np.load(path), threads),
        "file": path.stat().st_size,
    }
    found = partial(embeddings.search, k=K, metric="dot", threads=threads)
    numbers["1 query"] = best_of(lambda number: found(queries[number]))
    without_huge_pages()
    found = partial(coded(path).search, k=K, metric="dot", threads=threads)
    numbers["read"] = float(np.mean([touched(path, partial(found, query)) for query in queries[:3]]))
    return numbers


def codes(_name: str, path: Path, threads: int) -> Numbers:
    """The speed of building codes, and their size."""
    embeddings = emm1.Embeddings(path, codes=False)
    place = Path(f"{path}.{threads}.codes")
    seconds = best_of(lambda _: embeddings.build_codes(place, threads=threads), 2)
    size = place.stat().st_size
    place.unlink()
    rows, dims = len(embeddings), embeddings.dim
    return {"rate": 4 * rows * dims / seconds, "bytes a row": size / rows, "dims": dims}


def call(name: str, path: Path, threads: int) -> Numbers:
    """The overhead of a call: the best 10 of 10 vectors."""
    queries = queries_for(path, 1)
    found = CONTENDERS[name].search(path, threads)
    return {"call": best_of(lambda _: found(queries[0], K), 2000)}


TASKS: dict[str, Callable[[str, Path, int], Numbers]] = {
    task.__name__: task for task in (search, among, one, cold, memory, reads, codes, call)
}
