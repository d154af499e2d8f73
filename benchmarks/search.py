"""Exact top-k search beside its rivals, in one run: isotropic, clustered and real vectors; one query, batches, filters.

    python benchmarks/search.py WORK [ROWS]

WORK is a folder for the vectors (ROWS × 1,024 of float32 each; 400,000 by default). Every contender runs in a process
of its own, for each number of threads; rivals that are not installed are left out (`make bench` installs them). Times
are the best of several runs, warm, with everything in the page cache.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMS, K, BATCH_K = 1024, 10, 16
BATCHES = (8, 64, 512)
Search = Callable[[Any, int], Any]
Vectors = NDArray[Any]


def isotropic(rows: int, random: np.random.Generator) -> Iterator[Vectors]:
    for begin in range(0, rows, 20_000):
        yield random.standard_normal((min(20_000, rows - begin), DIMS), dtype=np.float32)


def clustered(rows: int, random: np.random.Generator) -> Iterator[Vectors]:
    """Two thousand clusters, and eight dimensions that stand out, as those of trained models do."""
    centres = random.standard_normal((2000, DIMS), dtype=np.float32)
    centres[:, :8] *= 8
    for part in isotropic(rows, random):
        yield centres[random.integers(0, len(centres), len(part))] + 0.4 * part


def real(rows: int, random: np.random.Generator) -> Iterator[Vectors]:
    """Latent semantic analysis of text at hand: lines of the Python files of this machine, 256 dimensions."""
    lines: list[str] = []
    for root in sorted({*map(Path, sys.path), Path(os.__file__).parent}):
        for file in sorted(root.rglob("*.py")) if root.is_dir() and len(lines) < 4 * rows else ():
            lines += [line for line in file.read_text("utf-8", "ignore").splitlines() if len(line.split()) >= WORDS]
    lines = list(dict.fromkeys(lines))
    random.shuffle(lines)
    lines = lines[: min(rows, 100_000)]
    words = [[hash_of(word) for word in line.lower().split()] for line in lines]
    counts = np.zeros(FEATURES)
    for line in words:
        counts[list(set(line))] += 1
    weights = np.log(len(lines) / (1 + counts)).astype(np.float32)
    matrix = np.zeros((len(lines), FEATURES), np.float32)
    for row, line in zip(matrix, words, strict=True):
        np.add.at(row, line, weights[line])
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    _, vectors = np.linalg.eigh(matrix.T @ matrix)
    yield matrix @ vectors[:, -256:]


FEATURES, WORDS = 2048, 6
KINDS = {"isotropic": isotropic, "clustered": clustered, "real": real}


def hash_of(word: str) -> int:
    return int.from_bytes(word.encode()[:16].ljust(16), "little") % 4_294_967_291 % FEATURES


def write(kind: str, folder: Path, rows: int) -> Path:
    """A file of unit vectors of a kind, made once."""
    path = folder / f"{kind}-{rows}.npy"
    if not path.exists():
        parts = []
        for part in KINDS[kind](rows, np.random.default_rng(7)):
            norms = np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9)
            parts.append((part / norms).astype(np.float32))
        np.save(path, np.concatenate(parts))
    return path


def queries_for(path: Path, count: int = 512) -> Vectors:
    """Vectors of the file, moved a little; for isotropic ones new ones, since there nothing is near anything."""
    vectors = np.load(path, mmap_mode="r")
    random = np.random.default_rng(11)
    noise = random.standard_normal((count, vectors.shape[1]), dtype=np.float32) / np.float32(vectors.shape[1] ** 0.5)
    if "isotropic" in path.name:
        return noise
    return np.ascontiguousarray(vectors[random.integers(0, len(vectors), count)] + 0.3 * noise)


# One function a contender: what it needs once, and the search.


def emm1(path: Path, threads: int) -> Search:
    import emm1 as library

    embeddings = library.Embeddings(path)
    if embeddings.codes_path is None:
        started = time.perf_counter()
        embeddings.build_codes()
        seconds = time.perf_counter() - started
        rate = path.stat().st_size / seconds / 1e6
        print(f"codes of {path.name}: {seconds:.1f} s, {rate:.0f} MB/s", file=sys.stderr)
    return lambda q, k: embeddings.search(q, k, metric="dot", threads=threads).ids


def emm1_without_codes(path: Path, threads: int) -> Search:
    import emm1 as library

    embeddings = library.Embeddings(path, codes=False)
    return lambda q, k: embeddings.search(q, k, metric="dot", threads=threads).ids


def numpy(path: Path, _threads: int) -> Search:
    vectors = np.load(path)

    def search(q: Vectors, k: int) -> Vectors:
        found = []
        for begin in range(0, len(np.atleast_2d(q)), 64):  # scores of all at once would not fit
            scores = np.atleast_2d(q)[begin : begin + 64] @ vectors.T
            best = np.argpartition(scores, -k, axis=1)[:, -k:]
            order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
            found.append(np.take_along_axis(best, order, 1))
        return np.concatenate(found).reshape(*q.shape[:-1], k)

    return search


def faiss_index(kind: str, path: Path, threads: int) -> Search:
    import faiss

    faiss.omp_set_num_threads(threads)
    vectors = np.load(path)
    if kind == "flat":
        index = faiss.IndexFlatIP(vectors.shape[1])
    else:
        pca = faiss.PCAMatrix(vectors.shape[1], vectors.shape[1])
        index = faiss.IndexPreTransform(pca, faiss.IndexFlatIPPanorama(vectors.shape[1], 8))
        index.train(vectors[:20_000])
    index.add(vectors)
    return lambda q, k: index.search(np.atleast_2d(q), k)[1].reshape(*q.shape[:-1], k)


def faiss_flat(path: Path, threads: int) -> Search:
    return faiss_index("flat", path, threads)


def faiss_panorama(path: Path, threads: int) -> Search:
    return faiss_index("panorama", path, threads)


def usearch(path: Path, threads: int) -> Search:
    from usearch.index import MetricKind
    from usearch.index import search as exact

    vectors = np.load(path)
    return lambda q, k: exact(vectors, q, k, MetricKind.IP, exact=True, threads=threads).keys


CONTENDERS: dict[str, tuple[Callable[[Path, int], Search], str]] = {
    "emm1": (emm1, "emm1"),
    "emm1 without codes": (emm1_without_codes, "emm1"),
    "NumPy": (numpy, "numpy"),
    "FAISS Flat": (faiss_flat, "faiss"),
    "FAISS FlatPanorama": (faiss_panorama, "faiss"),
    "usearch exact": (usearch, "usearch"),
}


def best_of(repeats: int, call: Callable[[int], object]) -> float:
    times = []
    for number in range(repeats):
        started = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - started)
    return min(times)


def run(name: str, path: Path, threads: int) -> dict[str, float | str]:
    """Every task of one contender: milliseconds."""
    queries = queries_for(path)
    search = CONTENDERS[name][0](path, threads)
    found: dict[str, float | str] = {"answer": str(np.asarray(search(queries[0], K)).tolist())}
    for number in range(3):
        search(queries[number], K)
    found["1 query"] = best_of(15, lambda number: search(queries[number], K))
    for batch in BATCHES:
        largest = batch == max(BATCHES)
        if largest and name in ("usearch exact", "FAISS FlatPanorama"):
            continue  # minutes
        some = queries[:batch]
        found[f"{batch} queries"] = best_of(2 if largest else 3, partial(lambda some, _: search(some, BATCH_K), some))
    if name in ("emm1", "NumPy"):
        found |= filtered(name, path, threads, queries)
    found["memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return found


def filtered(name: str, path: Path, threads: int, queries: Vectors) -> dict[str, float]:
    """One query among 1 % and 10 % of the rows, in no order."""
    import emm1 as library

    vectors, embeddings = np.load(path, mmap_mode="r"), library.Embeddings(path)
    found = {}
    for percent in (1, 10):
        ids = np.random.default_rng(1).choice(len(vectors), len(vectors) * percent // 100, replace=False)

        def gathered(number: int, ids: Vectors = ids) -> object:
            scores = vectors[ids] @ queries[number]
            return ids[np.argsort(-scores)[:K]]

        def among(number: int, ids: Vectors = ids) -> object:
            return embeddings.search(queries[number], K, metric="dot", among=ids, threads=threads)

        found[f"among {percent} %"] = best_of(7, among if name == "emm1" else gathered)
    return found


def main() -> None:
    folder, *rest = sys.argv[1:]
    if rest[1:]:  # one contender, in a process of its own
        print(json.dumps(run(rest[0], Path(rest[1]), int(rest[2]))))
        return
    work, rows = Path(folder), int(rest[0]) if rest else 400_000
    work.mkdir(parents=True, exist_ok=True)
    print(about_machine())
    for kind in KINDS:
        path = write(kind, work, rows)
        shape = np.load(path, mmap_mode="r").shape
        for threads in (2, 1):
            results = {
                name: subprocess_run(folder, name, path, threads)
                for name in CONTENDERS
                if find_spec(CONTENDERS[name][1])
            }
            table(f"{kind}, {shape[0]:,} × {shape[1]:,} float32, {threads} thread{'s' * (threads > 1)}", results)


def about_machine() -> str:
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = next((line.split(": ")[1] for line in flags.splitlines() if line.startswith("model name")), "")
    kernels = "AVX-512 VNNI" if "avx512_vnni" in flags else "AVX2" if "avx2" in flags else "neither AVX"
    return f"{platform.machine()}, {os.cpu_count()} cores, {model}, {kernels}"


def subprocess_run(folder: str, name: str, path: Path, threads: int) -> dict[str, float]:
    count = str(threads)
    environment = {**os.environ, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count}
    command = [sys.executable, __file__, folder, name, str(path), count]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    sys.stderr.write(output.stderr)
    result: dict[str, float] = json.loads(output.stdout.splitlines()[-1])
    return result


def table(title: str, results: dict[str, dict[str, Any]]) -> None:
    """Milliseconds, and in brackets how many times as long as emm1."""
    mine = results["emm1"]
    tasks = [task for task in mine if task not in ("answer", "memory, MB")]
    print(f"\n### {title}\n\n| | {' | '.join(tasks)} | peak memory, MB |")
    print("|---|" + "---:|" * (len(tasks) + 1))
    for name, result in results.items():
        cells = []
        for task in tasks:
            if task not in result:
                cells.append("")
            else:
                cells.append(f"{result[task] * 1e3:.4g} ms ({result[task] / mine[task]:.2g}×)")
        wrong = "" if result["answer"] == mine["answer"] else " (another answer)"
        print(f"| {name}{wrong} | {' | '.join(cells)} | {result['memory, MB']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
