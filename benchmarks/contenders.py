"""Who takes part, and in what: one line each."""

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
    """A way to search.

    Attributes:
        module: in `benchmarks.runners`.
        package: what must be installed.
        parts: what it takes part in: float32 files, float16 files, files of growing size, and cold ones (those that
            read the file only when they search).
        start: the function of the module.
        most: the largest batch of queries that it does in some seconds.
        instructions: the instruction set for emm1; all there are by default.
    """

    module: str
    package: str
    parts: tuple[Part, ...]
    start: str = "start"
    most: int = 512
    instructions: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can take part."""
        return find_spec(self.package) is not None

    def search(self, path: Path, threads: int) -> Search:
        """What it needs once, and the search."""
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
