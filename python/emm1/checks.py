"""Checks what callers pass where that needs no NumPy: text, lists, amounts of memory, paths."""

from __future__ import annotations

import operator
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emm1.errors import EmbeddingError, Error, StoreError

MEMORY = re.compile(r"\s*(\d+(\.\d+)?)\s*([KMGT]i?)?B\s*", re.IGNORECASE)
POINTER = b"version https://git-lfs"
PathLike = str | os.PathLike[str]


def shown(value: object, most: int = 60) -> str:
    """The repr of a value, shortened for a message."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"


def listed(values: Any, what: str) -> list[Any]:
    """The values of an argument that takes several; a string is refused, because it would be split into letters.

    >>> listed({"100m"}, "splits")
    ['100m']
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise StoreError(f"{what} must be a list, such as [{values!r}], not {shown(values)}")
    return list(values)


def memory_size(limit: Any) -> str:
    """An amount of memory in DuckDB's syntax.

    >>> memory_size("4GB")
    '4GB'
    """
    found = MEMORY.fullmatch(limit) if isinstance(limit, str) else None
    if found is None or not float(found[1]):
        raise StoreError(f"the memory limit {shown(limit)} is not an amount of memory: write it as 4GB or 512MB")
    return str(limit)


def duckdb_threads(threads: Any) -> int:
    """The number of threads for DuckDB: at most one per processor, because DuckDB starts all of them at once."""
    try:
        count = 0 if isinstance(threads, bool) else operator.index(threads)
    except TypeError:
        count = 0
    if count < 1:
        raise StoreError(f"threads must be a whole number of at least 1, not {shown(threads)}")
    return min(count, os.cpu_count() or 1)


def check_text(value: object, kind: type[Error] = EmbeddingError) -> None:
    """Refuse text that is not valid UTF-8, which file names need not be: DuckDB accepts only UTF-8.

    Raises:
        emm1.errors.Error: the text is not valid; `kind` is the class of the error.
    """
    try:
        str(value).encode()
    except UnicodeEncodeError as error:
        raise kind(f"{value} is not valid UTF-8") from error


def check_regular(path: Path, kind: type[Error] = EmbeddingError) -> None:
    """Refuse a path that is neither a file nor a folder: opening a pipe or a device may block forever.

    Raises:
        emm1.errors.Error: the path is something else; `kind` is the class of the error.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # opening it will raise the right error
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise kind(f"{path} is not a regular file")


def is_pointer(path: Path) -> bool:
    """Whether a file is a Git LFS pointer: about 130 bytes of text in place of the real file."""
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER
