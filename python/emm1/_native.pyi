"""The native part of emm1, as rust/emm1-python exports it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

@final
class Version:
    """What tells an embedding file from what lay in its place before; equal where nothing changed."""

    def __new__(cls, path: Path, ids_path: Path | None = None, codes_path: Path | None = None) -> Version: ...

@final
class EmbeddingFile:
    """Vectors in a file, memory-mapped, and the id of each."""

    def __new__(
        cls,
        path: Path,
        ids_path: Path | None = None,
        ids: NDArray[np.int64] | None = None,
        codes_path: Path | None = None,
    ) -> EmbeddingFile: ...
    @property
    def rows(self) -> int: ...
    @property
    def dims(self) -> int: ...
    @property
    def dtype(self) -> Literal["float32", "float16", "bfloat16", "int8", "uint8"]: ...
    @property
    def files(self) -> list[Path]: ...
    @property
    def ids_path(self) -> Path | None: ...
    @property
    def codes_path(self) -> Path | None: ...
    def build_codes(self, path: Path, threads: int, progress: Callable[[int], object]) -> None: ...
    def verify_codes(self, threads: int) -> bool: ...
    def why_no_codes(self) -> str | None: ...
    def remarks(self) -> list[str]: ...
    def ids(self) -> NDArray[np.int64]: ...
    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        metric: str,
        among: NDArray[np.int64] | None,
        threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
    def within(
        self,
        query: NDArray[np.float32],
        threshold: float,
        metric: str,
        among: NDArray[np.int64] | None,
        threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
    def score_pairs(
        self,
        ids: NDArray[np.int64],
        other: EmbeddingFile,
        other_ids: NDArray[np.int64],
        metric: str,
        threads: int,
    ) -> NDArray[np.float32]: ...
    def score(self, ids: NDArray[np.int64], query: NDArray[np.float32], metric: str) -> NDArray[np.float32]: ...
    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]: ...
    def slice(self, begin: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
    def centroid(self, ids: NDArray[np.int64]) -> NDArray[np.float32]: ...

    """The columns of lines of exactly `columns` non-negative integers each; None where any line is not that."""

def parse_records(
    data: NDArray[np.uint8],
    kinds: list[Literal["integer", "number", "text", "symbol", "skipped"]],
    crlf: bool,
    symbols: list[list[str]],
    most: int,
    last: bool,
) -> tuple[list[tuple[list[NDArray[Any]], NDArray[np.uint8] | None]], list[list[str]], int, int] | None: ...
