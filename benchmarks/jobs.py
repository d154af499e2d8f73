"""The measurements, each of which runs in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.contenders import BEFORE, CONTENDERS, taking_part
from benchmarks.data import KINDS, Asked
from benchmarks.tasks import JOINED, TASKS, Case, Numbers

ROWS = 400_000
"""Vectors of the isotropic and clustered files."""
SYNTHETIC = ("isotropic", "clustered")
CROSS_MODAL = ("clustered", "minilm")
"""Files that are also asked for vectors of another modality."""
GROWTH = (10_000, 30_000, 100_000, 300_000, 1_000_000)
APPROXIMATE = {"minilm": ROWS, "glove": 100_000, "clustered": 100_000}
"""Files in which approximate rivals search, and their most vectors: building a graph takes long."""
TINY = "tiny-10.npy"
THREADS = (2, 1)
KS = (10, 100)


@dataclass(frozen=True)
class Job:
    """One task of one contender on one file with a number of threads.

    Attributes:
        task: its name in `benchmarks.tasks`.
        contender: its name in `benchmarks.contenders`.
        file: the file of vectors.
        threads: how many threads search.
        asked: which queries.
        ks: how many rows are sought.
    """

    task: str
    contender: str
    file: str
    threads: int
    asked: Asked = "held out"
    ks: tuple[int, ...] = KS

    def __str__(self) -> str:
        numbers = ",".join(map(str, self.ks))
        return f"{self.task} · {self.contender} · {self.file} · {self.asked} · {numbers} · {self.threads}"

    @property
    def kind(self) -> str:
        """The kind of vectors."""
        return self.file.split("-")[0]

    def conditions(self, work: Path) -> dict[str, str | int]:
        """What the numbers depend on."""
        vectors = np.load(work / self.file, mmap_mode="r")
        rows, dims = vectors.shape
        held = {} if self.asked == "held out" else {"queries": self.asked}
        of = {"vectors": self.kind, "rows": rows, "dims": dims, "dtype": str(vectors.dtype), "threads": self.threads}
        return of | held

    def run(self, work: Path) -> Numbers:
        """The numbers, measured in a process with as many processors as threads."""
        count, contender = str(self.threads), CONTENDERS[self.contender]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
        environment |= {f"{name}_NUM_THREADS": count for name in ("OMP", "OPENBLAS", "MKL")}
        environment |= {"EMM1_SIMD": contender.instructions, "LANCE_CPU_THREADS": count}
        if "before" in contender.parts:
            environment["PYTHONPATH"] = os.environ[BEFORE]
        command = [sys.executable, "-m", "benchmarks", str(work), "--job", json.dumps(asdict(self))]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        numbers: Numbers = json.loads(output.splitlines()[-1])
        return numbers

    def numbers(self, work: Path) -> Numbers:
        """The numbers, measured in this process."""
        return TASKS[self.task](self.contender, Case(work / self.file, self.threads, self.asked, self.ks))


def job(fields: str) -> Job:
    """The job that another process has described."""
    described = json.loads(fields)
    return Job(**{**described, "ks": tuple(described["ks"])})


def jobs(rows: int, kinds: tuple[str, ...] = KINDS, threads: tuple[int, ...] = THREADS) -> list[Job]:
    """All jobs, ordered so that those that are compared run one after another.

    Args:
        rows: vectors of the isotropic and clustered files; real ones have as many as there are, but not more.
        kinds: which files.
        threads: how many threads search one file after another; all else is measured with two.
    """
    return [*compared(rows, kinds, threads), *others(rows, kinds), *approximate(rows, kinds)]


def compared(rows: int, kinds: tuple[str, ...], threads: tuple[int, ...]) -> Iterator[Job]:
    """Exact search by all contenders, for each file and number of threads."""
    for count in threads:
        for kind in kinds:
            file = f"{kind}-{rows}.npy"
            slow = taking_part("slow") if kind in SYNTHETIC and count == max(threads) else []
            found = [Job("search", name, file, count) for name in [*taking_part("warm"), *slow]]
            yield from found
            if kind in CROSS_MODAL:
                fast = (job for job in found if job.contender not in slow)
                yield from (replace(job, asked="cross-modal") for job in fast)
            yield from (Job("among", name, file, count) for name in ("emm1", "emm1, AVX2 alone", "NumPy"))
            yield from (Job(task, "emm1", file, count) for task in ("reads", "codes"))


def others(rows: int, kinds: tuple[str, ...]) -> Iterator[Job]:
    """What is measured with two threads on synthetic files only."""
    growth = [count for count in GROWTH if rows == ROWS or count <= rows]
    for kind in (kind for kind in SYNTHETIC if kind in kinds):
        file = f"{kind}-{rows}.npy"
        yield from (Job("search", name, f"{kind}-{rows}-f16.npy", 2) for name in taking_part("half"))
        yield from (Job("knn", name, file, 2) for name in JOINED if CONTENDERS[name].installed)
        yield Job("memory", "emm1", file, 2)
        yield from (Job("one", name, f"{kind}-{count}.npy", 2) for count in growth for name in taking_part("growth"))
    if "clustered" in kinds:
        yield from (Job("cold", name, f"clustered-{rows}.npy", 2) for name in taking_part("cold"))
    yield from (Job("call", name, TINY, 2) for name in ("emm1", "NumPy"))


def approximate(rows: int, kinds: tuple[str, ...]) -> Iterator[Job]:
    """Approximate search, beside exact search of the same file."""
    for kind, most in APPROXIMATE.items():
        if kind in kinds:
            file = f"{kind}-{min(rows, most)}.npy"
            yield from (Job("approximate", name, file, 2) for name in taking_part("approximate"))
