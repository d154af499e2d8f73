"""The measurements, each of which runs in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from benchmarks.contenders import CONTENDERS, taking_part
from benchmarks.data import KINDS
from benchmarks.tasks import Numbers

ROWS = 400_000
"""Vectors of the isotropic and clustered files."""
GROWING = ("isotropic", "clustered")
GROWTH = (10_000, 30_000, 100_000, 300_000, 1_000_000)
TINY = "tiny-10.npy"
THREADS = (2, 1)


@dataclass(frozen=True)
class Job:
    """One task of one contender on one file with a number of threads."""

    task: str
    contender: str
    file: str
    threads: int

    def __str__(self) -> str:
        return f"{self.task} · {self.contender} · {self.file} · {self.threads}"

    def conditions(self, work: Path) -> dict[str, str | int]:
        """What the numbers depend on."""
        vectors = np.load(work / self.file, mmap_mode="r")
        rows, dims = vectors.shape
        kind = self.file.split("-")[0]
        return {"vectors": kind, "rows": rows, "dims": dims, "dtype": str(vectors.dtype), "threads": self.threads}

    def run(self, work: Path) -> Numbers:
        """The numbers, measured in a process with as many processors as threads."""
        count = str(self.threads)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
        environment |= {f"{name}_NUM_THREADS": count for name in ("OMP", "OPENBLAS", "MKL")}
        environment |= {"EMM1_SIMD": CONTENDERS[self.contender].instructions, "LANCE_CPU_THREADS": count}
        command = [sys.executable, "-m", "benchmarks", str(work), "--job", *map(str, astuple(self))]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        numbers: Numbers = json.loads(output.splitlines()[-1])
        return numbers


def jobs(rows: int) -> list[Job]:
    """All jobs, ordered so that those that are compared run one after another."""
    found = []
    for threads in THREADS:
        for kind in KINDS:
            file = f"{kind}-{rows}.npy"
            found += [Job("search", name, file, threads) for name in taking_part("warm")]
            found += [Job("among", name, file, threads) for name in ("emm1", "emm1, AVX2 alone", "NumPy")]
            found += [Job(task, "emm1", file, threads) for task in ("reads", "codes")]
    for kind in GROWING:
        found += [Job("search", name, f"{kind}-{rows}-f16.npy", 2) for name in taking_part("half")]
        found += [Job("one", name, f"{kind}-{count}.npy", 2) for count in GROWTH for name in taking_part("growth")]
        found += [Job("memory", "emm1", f"{kind}-{rows}.npy", 2)]
    found += [Job("cold", name, f"clustered-{rows}.npy", 2) for name in taking_part("cold")]
    found += [Job("call", name, TINY, 2) for name in ("emm1", "NumPy")]
    return found
