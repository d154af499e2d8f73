"""Files that can be searched as they are: read to be joined with others, or to be normalized."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from emm1.convert.input_file import BLOCK, InputFile
from emm1.embeddings.file import Embeddings


class Searchable(InputFile):
    """An embedding file; its keys are its ids, if it has any."""

    VECTORS = "array"
    IDS = "ids"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._embeddings = Embeddings(path, codes=False)
        self.default_key = None if self._embeddings.ids_path is None else self.IDS

    def columns(self) -> dict[str, str]:
        """The vectors, and the ids if there are any."""
        rows, dims = self._embeddings.shape
        vectors = {self.VECTORS: f"{self._embeddings.dtype} of shape ({rows}, {dims})"}
        return vectors | ({self.IDS: f"int64 of shape ({rows},)"} if self.default_key else {})

    def vector_columns(self) -> list[str]:
        """The vectors."""
        return [self.VECTORS]

    def rows(self, _column: str) -> int:
        """The number of rows."""
        return len(self._embeddings)

    def blocks(self, _column: str, begin: int = 0) -> Iterator[NDArray[Any]]:
        """The rows."""
        for first in range(begin, len(self._embeddings), BLOCK):
            yield self._embeddings[first : first + BLOCK]

    def keys(self, column: str) -> Iterator[pa.Array]:
        """The ids."""
        if column != self.IDS:
            raise self.wrong_key(column)
        yield pa.array(self._embeddings.ids)

    def files(self) -> list[Path]:
        """The files of the vectors and of the ids."""
        ids = self._embeddings.ids_path
        return [*self._embeddings.files, *([ids] if ids else [])]
