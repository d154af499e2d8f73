"""Several files, which are read one after the other as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from emm1.convert.input_file import InputFile
from emm1.errors import EmbeddingError


class Several(InputFile):
    """The rows of several files, in their order.

    Args:
        path: what names them, for messages.
        parts: the files, at least one.
    """

    def __init__(self, path: Path, parts: Sequence[InputFile]) -> None:
        super().__init__(path)
        self._parts = parts
        self._columns = [""] * len(parts)
        self._starts: list[int] = []
        defaults = {part.default_key for part in parts}
        if len(defaults) > 1:
            lacks = next(part for part in parts if part.default_key is None)
            has = next(part for part in parts if part.default_key is not None)
            raise EmbeddingError(
                f"{has.path} has ids beside it, but {lacks.path} has none: give all of them ids, or none"
            )
        self.default_key = defaults.pop()

    def columns(self) -> dict[str, str]:
        """The columns of the first file."""
        return self._parts[0].columns()

    def check_column(self, name: str) -> None:
        """Refuse a column that one of the files does not have."""
        for part in self._parts:
            part.check_column(name)

    def vector_columns(self) -> list[str]:
        """The columns of vectors of the first file."""
        return self._parts[0].vector_columns()

    def vector_column(self, wanted: str | None) -> str:
        """The column of vectors; if none is wanted, each file may have its own."""
        self._columns = [part.vector_column(wanted) for part in self._parts]
        return self._columns[0]

    def rows(self, _column: str) -> int | None:
        """The number of rows of all files; None if only reading them tells."""
        counts = [part.rows(column) for part, column in zip(self._parts, self._columns, strict=True)]
        return None if None in counts else sum(filter(None, counts))

    def place(self, row: int) -> tuple[Path, int]:
        """The file that a row is in, and its number there."""
        starts = self._first_rows()
        number = max(number for number, start in enumerate(starts) if start <= row)
        return self._parts[number].place(row - starts[number])

    def files(self) -> list[Path]:
        """The files and folders that are read."""
        return [file for part in self._parts for file in part.files()]

    def blocks(self, _column: str, begin: int = 0) -> Iterator[NDArray[Any]]:
        """The vectors of all files; those before the row to begin with are not opened."""
        starts = self._first_rows() if begin else [0] * len(self._parts)
        for number, (part, column) in enumerate(zip(self._parts, self._columns, strict=True)):
            if not begin or number + 1 == len(starts) or begin < starts[number + 1]:
                yield from part.blocks(column, max(begin - starts[number], 0))

    def keys(self, column: str) -> Iterator[pa.Array]:
        """The keys of all files, which must be of one kind."""
        kind = None
        for part in self._parts:
            for keys in part.keys(column):
                kind = kind or keys.type
                if keys.type != kind:
                    what = {pa.int64(): "integers"}
                    raise EmbeddingError(
                        f"{part.path}: column {column!r} holds {what.get(keys.type, 'text')}, but "
                        f"{what.get(kind, 'text')} in the files before it"
                    )
                yield keys

    def _first_rows(self) -> list[int]:
        """The number that the first row of each file has among all; an Arrow stream is read for this."""
        if not self._starts:
            counts = []
            for part, column in zip(self._parts, self._columns, strict=True):
                count = part.rows(column)
                counts.append(sum(map(len, part.blocks(column))) if count is None else count)
            self._starts = [0, *accumulate(counts)][:-1]
        return self._starts
