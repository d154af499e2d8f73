"""Checks what callers pass (ids, queries, counts, paths) and converts it to what the core expects."""

from __future__ import annotations

import operator
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.errors import EmbeddingError, Error, FileNotFoundError, StoreError

MEMORY = re.compile(r"\s*(\d+(\.\d+)?)\s*([KMGT]i?)?B\s*", re.IGNORECASE)
MAGIC = b"\x93NUMPY"
POINTER = b"version https://git-lfs"
INT64 = np.iinfo(np.int64)
PathLike = str | os.PathLike[str]


def as_ids(ids: ArrayLike, what: str = "ids") -> NDArray[np.int64]:
    """Ids as int64, (ids,); `what` names the argument in messages."""
    _refuse_mask(ids, what)
    try:
        array = np.atleast_1d(np.asarray(ids))
    except ValueError as error:
        raise EmbeddingError(f"{what} must be a list of integers: {error}") from error
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.dtype == object and array.ndim == 1:  # NumPy's dtype for integers that fit none of its own
        too_large = next((x for x in array if isinstance(x, int) and not INT64.min <= x <= INT64.max), None)
        if too_large is not None:
            raise EmbeddingError(f"{what} has the id {too_large}, which does not fit a signed 64-bit integer")
    if array.ndim != 1 or array.dtype.kind not in "iu":
        given = f"{array.dtype} of shape {array.shape}" if array.ndim and array.dtype != object else shown(ids)
        raise EmbeddingError(f"{what} must be a list of integers, not {given}")
    if array.dtype.kind == "u" and array.max() > INT64.max:
        raise EmbeddingError(f"{what} has the id {array.max()}, which does not fit a signed 64-bit integer")
    return np.ascontiguousarray(array, np.int64)


def as_vectors(query: ArrayLike) -> NDArray[np.float32]:
    """One query or several as float32, rounded once; a component too large for float32 is an error."""
    _refuse_mask(query, "the query")
    try:
        array = np.asarray(query)
    except ValueError as error:
        raise EmbeddingError(f"the query is not a vector of numbers: {error}") from error
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2):
        raise EmbeddingError(
            f"a query must be numbers of shape (dim,) or (queries, dim), not {array.dtype} of shape {array.shape}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.ascontiguousarray(array, np.float32)
    if not np.array_equal(np.isfinite(rounded), np.isfinite(array)):
        raise EmbeddingError("a component of the query is too large for float32")
    return rounded


def _refuse_mask(values: Any, what: str) -> None:
    """Refuse masked values: NumPy would drop the mask silently."""
    parts = values if isinstance(values, list | tuple) else [values]
    if any(isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part) for part in parts):
        raise EmbeddingError(f"{what} has masked values: fill them, or leave them out")


def shown(value: object, most: int = 60) -> str:
    """The repr of a value, shortened for a message."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"


def as_vector(query: ArrayLike, what: str) -> NDArray[np.float32]:
    """One query, (dim,); `what` names the function in messages."""
    vector = as_vectors(query)
    if vector.ndim != 1:
        raise EmbeddingError(f"{what} takes one query, (dim,), not an array of shape {vector.shape}")
    return vector


def at_least_one(value: int, name: str) -> int:
    """A count, such as k; capped at 2**62, which is more than the rows of any file."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise EmbeddingError(f"{name} must be a whole number of at least 1, not {value!r}")
    return min(int(value), 2**62)


def as_number(value: float, name: str) -> float:
    """A real number as float64."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise EmbeddingError(f"{name} must be a number, not {value!r}") from error
    except OverflowError as error:
        raise EmbeddingError(f"{name} is too large for float64") from error


def metric_name(metric: Any) -> str:
    """The name of a metric; the core checks that it knows it.

    >>> metric_name("dot")
    'dot'
    """
    if not isinstance(metric, str):
        raise EmbeddingError(f"unknown metric {shown(metric)}: cosine, dot or l2")
    return metric


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


def thread_count(threads: int | None) -> int:
    """The number of threads; by default, the number of processors that this process may use."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return at_least_one(threads, "threads")


def read_query(path: Path) -> NDArray[np.float32]:
    """A query vector from a ``.npy`` file: (dim,) or (1, dim).

    Raises:
        emm1.errors.EmbeddingError: the file holds anything else, or cannot be read.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            is_npy = file.read(len(MAGIC)) == MAGIC
        array = np.load(path, allow_pickle=False) if is_npy else None
    except OSError as error:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist") from error
        raise EmbeddingError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        reason = "it holds Python objects" if "allow_pickle" in str(error) else error
        raise EmbeddingError(f"{path} is not a .npy file of numbers: {reason}") from error
    if array is None:
        raise EmbeddingError(f"{path} is not a .npy file: write the vector with numpy.save")
    if array.ndim not in (1, 2) or (array.ndim == 2 and len(array) != 1):  # noqa: PLR2004
        raise EmbeddingError(f"{path} must hold one vector, (dim,) or (1, dim), not {array.shape}")
    return as_vectors(array.reshape(-1))
