"""The contenders, one line each, with the parts of the benchmark that they run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

Search = Callable[[Any, int], Any]
"""Queries, (dims,) or (queries, dims), and k → the rows found, (k,) or (queries, k), best first."""
Tunable = Callable[[Any, int, int], Any]
"""Queries, k and effort → the rows found. The more effort, the more of the right rows are among them."""


Part = Literal["warm", "slow", "half", "growth", "cold", "before", "approximate"]
BEFORE = "EMM1_BEFORE"
"""The variable with the folder of the package `emm1` of the version before, if there is one to compare with."""


@dataclass(frozen=True)
class Contender:
    """One way to search.

    Attributes:
        module: its module in `benchmarks.runners`.
        package: the package that must be installed.
        parts: the parts that it runs: float32 files (slow contenders only the synthetic ones, with two threads), float16
            files, files of growing size, cold files (for contenders that read the file only when they search), and
            approximate search. `before` needs a version before to compare with.
        start: the function of the module that prepares the search.
        most: the largest batch of queries that it can search in a few seconds.
        instructions: the instruction set for emm1; by default the best available one.
        efforts: for approximate search: what it is told to spend on a query, from little to much.
        unit: the name of the effort.
    """

    module: str
    package: str
    parts: tuple[Part, ...]
    start: str = "start"
    most: int = 512
    instructions: str = ""
    efforts: tuple[int, ...] = ()
    unit: str = ""

    @property
    def installed(self) -> bool:
        """Whether its package is installed."""
        return find_spec(self.package) is not None and ("before" not in self.parts or BEFORE in os.environ)

    def search(self, path: Path, threads: int) -> Search:
        """Prepare the search; returns the function that searches."""
        function = getattr(import_module(f"benchmarks.runners.{self.module}"), self.start)
        search: Search = function(path, threads)
        return search

    def tunable(self, path: Path, threads: int) -> Tunable:
        """Build the index of an approximate search; returns the function that searches."""
        search: Tunable = import_module(f"benchmarks.runners.{self.module}").start(path, threads)
        return search


GRAPH: dict[str, Any] = {"parts": ("approximate",), "efforts": (16, 64, 256), "unit": "ef"}
CONTENDERS = {
    "emm1": Contender("emm1_codes", "emm1", ("warm", "half", "growth", "cold", "approximate")),
    "emm1, AVX2 alone": Contender("emm1_codes", "emm1", ("warm", "half"), instructions="avx2"),
    "emm1 before": Contender("emm1_codes", "emm1", ("warm", "before"), "before"),
    "emm1 without codes": Contender("emm1_codes", "emm1", ("warm", "half", "cold"), "without_codes"),
    "NumPy": Contender("numpy_matmul", "numpy", ("warm", "half", "growth")),
    "NumPy, mapped": Contender("numpy_matmul", "numpy", ("cold",), "mapped"),
    "FAISS Flat": Contender("faiss_flat", "faiss", ("warm", "growth")),
    "FAISS FlatPanorama": Contender("faiss_flat", "faiss", ("warm", "growth"), "panorama", most=8),
    "FAISS SQfp16": Contender("faiss_flat", "faiss", ("half",), "half", most=64),
    "usearch exact": Contender("usearch_exact", "usearch", ("warm", "growth"), most=8),
    "LanceDB flat": Contender("lancedb_flat", "lancedb", ("slow", "half", "cold"), most=1),
    "DuckDB arrays": Contender("duckdb_arrays", "duckdb", ("slow", "cold"), most=1),
    "hnswlib HNSW": Contender("hnswlib_hnsw", "hnswlib", **GRAPH),
    "usearch HNSW": Contender("usearch_hnsw", "usearch", **GRAPH),
    "FAISS IVF": Contender("faiss_ivf", "faiss", ("approximate",), efforts=(8, 32, 128), unit="lists"),
}


def taking_part(part: Part) -> list[str]:
    return [name for name, contender in CONTENDERS.items() if part in contender.parts and contender.installed]
