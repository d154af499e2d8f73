"""The interface of a format: a file of named columns, one of them vectors, perhaps another the keys of the rows."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.errors import EmbeddingError

BLOCK = 4096  # rows at a time: 16 MB of 1,024 float32

# What the libraries that read these files raise for damaged ones.
DAMAGED = (
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    pa.ArrowException,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class InputFile(ABC):
    """A file of columns, which can be read from the beginning any number of times.

    Args:
        path: the file or folder, for messages.

    Attributes:
        default_key: the column of keys if none is named; None for the row numbers.
    """

    default_key: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def columns(self) -> dict[str, str]:
        """A description of every column, by name."""

    @abstractmethod
    def vector_columns(self) -> list[str]:
        """The columns that look like vectors."""

    @abstractmethod
    def blocks(self, column: str, begin: int = 0) -> Iterator[NDArray[Any]]:
        """The vectors of a column in order, as arrays of (at most `BLOCK`, dims) of one type.

        Args:
            column: as `vector_column` gives it.
            begin: the row to begin with; those before it are read only where they cannot be skipped.

        Raises:
            EmbeddingError: a row is missing or of another length, or the file is damaged; names the row.
        """

    @abstractmethod
    def rows(self, column: str) -> int | None:
        """The number of rows of a column of vectors; None if only reading it tells."""

    @abstractmethod
    def keys(self, column: str) -> Iterator[pa.Array]:
        """The keys of the rows in order: arrays of int64 or of large_string.

        Raises:
            EmbeddingError: a row has no key, or the column holds neither integers nor text.
        """

    def place(self, row: int) -> tuple[Path, int]:
        """The file that a row is in, and its number there, for messages."""
        return self.path, row

    def files(self) -> list[Path]:
        """The files and folders that are read."""
        return [self.path]

    def vector_column(self, wanted: str | None) -> str:
        """The column of vectors: the one that is wanted, or else the only one that looks like it.

        Raises:
            EmbeddingError: there is no such column, or several that might be meant.
        """
        candidates = self.vector_columns()
        if wanted is not None:
            self.check_column(wanted)
            if wanted not in candidates:
                raise EmbeddingError(
                    f"{self.path}: column {wanted!r} holds {self.columns()[wanted]}, expected vectors "
                    "(float16, float32, float64, int8 or uint8; rows × dims)"
                )
            return wanted
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise EmbeddingError(
                f"{self.path} holds several columns of vectors: name one of them ({', '.join(candidates)})"
            )
        listing = ", ".join(f"{name} ({what})" for name, what in self.columns().items())
        raise EmbeddingError(f"{self.path} holds no column of vectors: {listing or 'it has no columns'}")

    def check_column(self, name: str) -> None:
        """Refuse a column that does not exist.

        Raises:
            EmbeddingError: lists those that are.
        """
        if name not in self.columns():
            listing = ", ".join(self.columns()) or "none"
            raise EmbeddingError(f"{self.path} has no column {name!r}: it has {listing}")

    def wrong_key(self, column: str) -> EmbeddingError:
        """The error for a key column of an unsupported type."""
        return EmbeddingError(
            f"{self.path}: column {column!r} holds {self.columns()[column]}, expected keys: integers (ids) or text "
            "(file names or youtube ids)"
        )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of the libraries that read a file into emm1's, which name the file."""
    try:
        yield
    except EmbeddingError:
        raise
    except DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise EmbeddingError(f"{path} cannot be read: {reason}") from error


def after(blocks: Iterator[Any], begin: int) -> Iterator[Any]:
    """Blocks of rows, from a row on."""
    for block in blocks:
        if begin < len(block):
            yield block[begin:]
        begin = max(begin - len(block), 0)


def key_numbers(path: Path, column: str, block: NDArray[Any], first: int) -> pa.Array:
    """Keys that are numbers, as int64: integers, and floating-point numbers if they are whole (pandas writes ids so).

    Args:
        path: the file, for messages.
        column: the column, for messages.
        block: some of its keys.
        first: the row of the first of them.

    Raises:
        EmbeddingError: a number is not whole or does not fit; names the row.
    """
    if block.dtype.kind == "f":
        # 2.0**63 is the first that does not fit.
        wrong = ~((block == np.floor(block)) & (np.abs(block) < 2.0**63))
    elif block.dtype.kind == "u":
        wrong = block > np.iinfo(np.int64).max
    else:
        return pa.array(block.astype(np.int64))
    if wrong.any():
        at = int(np.argmax(wrong))
        what = "is not a whole number" if block.dtype.kind == "f" else "does not fit a signed 64-bit integer"
        raise EmbeddingError(f"{path}: column {column!r} has the id {block[at]} in row {first + at}, which {what}")
    return pa.array(block.astype(np.int64))
