"""The tasks: each runs with one contender in its own process and returns numbers by name (times in seconds)."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import emm1
from benchmarks.contenders import CONTENDERS, Search, Tunable
from benchmarks.data import Asked, Vectors, queries_for
from benchmarks.measure import (
    ASKED,
    anonymous,
    best_of,
    evict,
    mean_of_best,
    peak_of_anonymous,
    plain_read,
    touched,
    without_huge_pages,
)
from benchmarks.runners.emm1_codes import coded

BATCH_K = 16
BATCHES = (8, 64, 512)
PERCENTS = (1, 10)
JOINED = {"emm1": 16_384, "FAISS Flat": 2048}
"""Rows of a file whose neighbours in it are sought, which tells how long all of its rows take."""
Numbers = dict[str, float]


@dataclass(frozen=True)
class Case:
    """What a task does, besides the contender.

    Attributes:
        path: the file of vectors.
        threads: how many threads search.
        asked: which queries.
        ks: how many rows are sought; tasks that measure one number only seek the first.
    """

    path: Path
    threads: int
    asked: Asked
    ks: tuple[int, ...]

    @property
    def k(self) -> int:
        """How many rows are sought where only one number of them is."""
        return self.ks[0]

    def queries(self, count: int = BATCHES[-1]) -> Vectors:
        """The first queries of this kind."""
        return queries_for(self.path, count, self.asked)

    def score(self, queries: Vectors, found: Vectors) -> Vectors:
        """The scores of the rows found for each query, in double precision."""
        vectors = np.load(self.path, mmap_mode="r")
        return np.stack([vectors[ids].astype(float) @ query for query, ids in zip(queries, found, strict=True)])


def search(name: str, case: Case) -> Numbers:
    """One warm query, and warm batches. The answer is what the rows found for three queries score together."""
    queries = case.queries()
    found = CONTENDERS[name].search(case.path, case.threads)
    answers = [np.asarray(found(query, case.k), np.int64) for query in queries[:3]]
    numbers: Numbers = {"answer": float(case.score(queries[:3], np.stack(answers)).sum())}
    for at, k in enumerate(case.ks):
        numbers[f"k = {k}" if at else "1 query"] = mean_of_best(partial(lambda k, number: found(queries[number], k), k))
    for batch in BATCHES:
        if batch <= CONTENDERS[name].most:
            numbers[f"{batch} queries"] = best_of(partial(lambda some, _: found(some, BATCH_K), queries[:batch]), 5)
    return numbers


def among(name: str, case: Case) -> Numbers:
    """One query among random 1 % and 10 % of the rows: emm1, and NumPy on the gathered rows."""
    queries, k = case.queries(), case.k
    embeddings = coded(case.path)
    vectors = np.load(case.path) if name == "NumPy" else np.empty((0, 0))
    numbers: Numbers = {}
    for percent in PERCENTS:
        rows = len(embeddings)
        ids = np.random.default_rng(1).choice(rows, rows * percent // 100, replace=False)

        def gathered(number: int, ids: Vectors = ids) -> object:
            scores = vectors[ids] @ queries[number]
            best = np.argpartition(scores, -k)[-k:]
            return ids[best[np.argsort(-scores[best])]]

        def filtered(number: int, ids: Vectors = ids) -> object:
            return embeddings.search(queries[number], k, metric="dot", among=ids, threads=case.threads)

        numbers[f"among {percent} %"] = mean_of_best(gathered if name == "NumPy" else filtered)
    return numbers


def one(name: str, case: Case) -> Numbers:
    """A single warm query."""
    queries = case.queries()
    found = CONTENDERS[name].search(case.path, case.threads)
    return {"1 query": mean_of_best(lambda number: found(queries[number], case.k))}


def cold(name: str, case: Case) -> Numbers:
    """A single query on newly opened files, none of which is in the page cache."""
    path = case.path
    CONTENDERS[name].search(path, case.threads)  # writes the files that it needs
    times = []
    for query in case.queries(3):
        gc.collect()
        evict([path, Path(f"{path}.codes"), path.with_suffix(".lancedb"), path.with_suffix(".duckdb")])
        found = CONTENDERS[name].search(path, case.threads)
        started = time.perf_counter()
        found(query, case.k)
        times.append(time.perf_counter() - started)
        del found
    return {"1 query": min(times)}


def memory(_name: str, case: Case) -> Numbers:
    """The peak of anonymous memory of each of emm1's tasks, in bytes above the level after import."""
    path, k, threads = case.path, case.k, case.threads
    queries = case.queries()
    ids = np.random.default_rng(1).permutation(len(np.load(path, mmap_mode="r")))[:10_000]
    before = anonymous()
    embeddings = emm1.Embeddings(path)
    with TemporaryDirectory(dir=path.parent) as folder:
        calls: dict[str, Callable[[], object]] = {
            "1 query": lambda: embeddings.search(queries[0], k, "dot", threads=threads),
            "512 queries": lambda: embeddings.search(queries, BATCH_K, "dot", threads=threads),
            "among 10,000 ids": lambda: embeddings.search(queries[0], k, "dot", ids, threads=threads),
            "codes": lambda: embeddings.build_codes(Path(folder) / "codes", threads=threads),
            "knn, 4,096 queries": lambda: neighbours(path, 4096, BATCH_K, Path(folder), threads),
        }
        numbers: Numbers = {}
        for task, call in calls.items():
            peak: list[int] = []
            with peak_of_anonymous(peak):
                call()
            numbers[task] = peak[0] - before
    return numbers


def neighbours(path: Path, count: int, k: int, folder: Path, threads: int) -> None:
    """Write the neighbours of the first rows of a file in it."""
    from emm1.embeddings.knn_files import knn_to_parquet

    np.save(folder / "queries.npy", np.load(path, mmap_mode="r")[:count])
    queries, base = emm1.Embeddings(folder / "queries.npy"), emm1.Embeddings(path)
    knn_to_parquet(queries, base, folder / "knn.parquet", k, metric="dot", threads=threads)


def knn(name: str, case: Case) -> Numbers:
    """The neighbours of rows of a file in it: seconds for so many, and scaled to all."""
    rows = len(np.load(case.path, mmap_mode="r"))
    count = min(JOINED[name], rows)
    if name == "emm1":
        coded(case.path)
        with TemporaryDirectory(dir=case.path.parent) as folder:
            started = time.perf_counter()
            neighbours(case.path, count, case.k, Path(folder), case.threads)
            seconds = time.perf_counter() - started
    else:
        found = CONTENDERS[name].search(case.path, case.threads)
        queries = np.load(case.path, mmap_mode="r")[:count]
        started = time.perf_counter()
        found(queries, case.k)
        seconds = time.perf_counter() - started
    return {"queries": count, "seconds": seconds, "all": seconds * rows / count}


def approximate(name: str, case: Case) -> Numbers:
    """How many of the right rows a search finds and how fast; how long its index takes to build, and its bytes."""
    queries, contender = case.queries(), CONTENDERS[name]
    exact = coded(case.path)
    best = case.score(queries, exact.search(queries, case.k, "dot").ids)[:, -1:]
    before, started = anonymous(), time.perf_counter()
    if name == "emm1":
        place = Path(f"{case.path}.approximate.codes")
        exact.build_codes(place, threads=case.threads)
        numbers: Numbers = {"build": time.perf_counter() - started, "bytes": place.stat().st_size}
        place.unlink()
        searches = {"": contender.search(case.path, case.threads)}
    else:
        tunable = contender.tunable(case.path, case.threads)
        numbers = {"build": time.perf_counter() - started, "bytes": anonymous() - before}
        searches = {f"{contender.unit} = {effort}": tuned(tunable, effort) for effort in contender.efforts}
    for setting, found in searches.items():
        scores = case.score(queries, found(queries, case.k))
        # Rows that score as the last right one are right too, up to the rounding of the products.
        numbers[f"recall {setting}"] = float((scores >= best - 1e-6).mean())
        numbers[f"1 query {setting}"] = mean_of_best(
            partial(lambda found, number: found(queries[number], case.k), found)
        )
        numbers[f"512 queries {setting}"] = best_of(partial(lambda found, _: found(queries, case.k), found), 5)
    return numbers


def tuned(tunable: Tunable, effort: int) -> Search:
    return lambda queries, k: tunable(queries, k, effort)


def reads(_name: str, case: Case) -> Numbers:
    """The bytes that a query reads, and the speed at which the machine can read them."""
    path, threads = case.path, case.threads
    queries = case.queries()
    embeddings = coded(path)
    numbers: Numbers = {
        "mapped": plain_read(np.load(path, mmap_mode="r"), threads),
        "loaded": plain_read(np.load(path), threads),
        "file": path.stat().st_size,
    }
    found = partial(embeddings.search, k=case.k, metric="dot", threads=threads)
    numbers["1 query"] = mean_of_best(lambda number: found(queries[number]))
    without_huge_pages()
    found = partial(coded(path).search, k=case.k, metric="dot", threads=threads)
    numbers["read"] = float(np.mean([touched(path, partial(found, query)) for query in queries[:ASKED]]))
    return numbers


def codes(_name: str, case: Case) -> Numbers:
    """The speed of building codes, and their size."""
    embeddings = emm1.Embeddings(case.path, codes=False)
    place = Path(f"{case.path}.{case.threads}.codes")
    seconds = best_of(lambda _: embeddings.build_codes(place, threads=case.threads), 2)
    size = place.stat().st_size
    place.unlink()
    rows, dims = len(embeddings), embeddings.dim
    return {"rate": 4 * rows * dims / seconds, "bytes a row": size / rows, "dims": dims}


def call(name: str, case: Case) -> Numbers:
    """The overhead of a call: the best 10 of 10 vectors."""
    queries = case.queries(1)
    found = CONTENDERS[name].search(case.path, case.threads)
    return {"call": best_of(lambda _: found(queries[0], 10), 2000)}


TASKS: dict[str, Callable[[str, Case], Numbers]] = {
    task.__name__: task for task in (search, among, one, cold, memory, knn, approximate, reads, codes, call)
}
