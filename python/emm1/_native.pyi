"""The native part of emm1, as rust/emm1-python exports it."""

from pathlib import Path
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

@final
class EmbeddingFile:
    """Vectors in a file, memory-mapped, and the id of each."""

    def __new__(
        cls, path: Path, ids_path: Path | None = None, ids: NDArray[np.int64] | None = None
    ) -> EmbeddingFile: ...
    @property
    def rows(self) -> int: ...
    @property
    def dims(self) -> int: ...
    @property
    def dtype(self) -> Literal["float32", "float16"]: ...
    def ids(self) -> NDArray[np.int64]: ...
    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        metric: str,
        among: NDArray[np.int64] | None,
        threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
    def score(self, ids: NDArray[np.int64], query: NDArray[np.float32], metric: str) -> NDArray[np.float32]: ...
    def within(
        self, query: NDArray[np.float32], threshold: float, metric: str
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]: ...
    def centroid(self, ids: NDArray[np.int64]) -> NDArray[np.float32]: ...

def parse_integers(data: NDArray[np.uint8], columns: int) -> list[NDArray[np.int32]] | None:
    """The columns of lines of exactly `columns` non-negative integers each; None where any line is not that."""

def score_pairs(
    a: EmbeddingFile, a_ids: NDArray[np.int64], b: EmbeddingFile, b_ids: NDArray[np.int64], metric: str
) -> NDArray[np.float32]:
    """The score of each pair of rows: the i-th id of one file and the i-th of another."""
