"""The contenders, one line each, with the parts of the benchmark that they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

Search = Callable[[Any, int], Any]
"""Queries, (dims,) or (queries, dims), and k → the rows found, (k,) or (queries, k), best first."""


Part = Literal["warm", "half", "growth", "cold"]


@dataclass(frozen=True)
class Contender:
    """One way to search.

    Attributes:
        module: its module in `benchmarks.runners`.
        package: the package that must be installed.
        parts: the parts that it runs: float32 files, float16 files, files of growing size, and cold files (for
            contenders that read the file only when they search).
        start: the function of the module that prepares the search.
        most: the largest batch of queries that it can search in a few seconds.
        instructions: the instruction set for emm1; by default the best available one.
    """

    module: str
    package: str
    parts: tuple[Part, ...]
    start: str = "start"
    most: int = 512
    instructions: str = ""

    @property
    def installed(self) -> bool:
        """Whether its package is installed."""
        return find_spec(self.package) is not None

    def search(self, path: Path, threads: int) -> Search:
        """Prepare the search; returns the function that searches."""
        function = getattr(import_module(f"benchmarks.runners.{self.module}"), self.start)
        search: Search = function(path, threads)
        return search


CONTENDERS = {
    "emm1": Contender("emm1_codes", "emm1", ("warm", "half", "growth", "cold")),
    "emm1, AVX2 alone": Contender("emm1_codes", "emm1", ("warm", "half"), instructions="avx2"),
    "emm1 without codes": Contender("emm1_codes", "emm1", ("warm", "half", "cold"), "without_codes"),
    "NumPy": Contender("numpy_matmul", "numpy", ("warm", "half", "growth")),
    "NumPy, mapped": Contender("numpy_matmul", "numpy", ("cold",), "mapped"),
    "FAISS Flat": Contender("faiss_flat", "faiss", ("warm", "growth")),
    "FAISS FlatPanorama": Contender("faiss_flat", "faiss", ("warm", "growth"), "panorama", most=8),
    "FAISS SQfp16": Contender("faiss_flat", "faiss", ("half",), "half"),
    "usearch exact": Contender("usearch_exact", "usearch", ("warm", "half", "growth"), most=8),
    "LanceDB flat": Contender("lancedb_flat", "lancedb", ("warm", "half", "cold"), most=1),
    "DuckDB arrays": Contender("duckdb_arrays", "duckdb", ("warm", "cold"), most=1),
}


def taking_part(part: Part) -> list[str]:
    return [name for name, contender in CONTENDERS.items() if part in contender.parts and contender.installed]
