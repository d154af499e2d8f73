"""Converts what callers pass (ids, queries, counts) to what the core expects; `emm1.checks` is for what needs no NumPy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.checks import check_regular, shown
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.interchange import as_array

MAGIC = b"\x93NUMPY"
INT64 = np.iinfo(np.int64)


def as_ids(ids: ArrayLike, what: str = "ids") -> NDArray[np.int64]:
    """Ids as int64, (ids,); `what` names the argument in messages."""
    _refuse_mask(ids, what)
    array = np.atleast_1d(as_array(ids, what, "a list of integers"))
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.dtype == object and array.ndim == 1:  # NumPy's dtype for integers that fit none of its own
        too_large = next((x for x in array if isinstance(x, int) and not INT64.min <= x <= INT64.max), None)
        if too_large is not None:
            raise EmbeddingError(f"{what} has the id {too_large}, which does not fit a signed 64-bit integer")
        if all(isinstance(x, int) and not isinstance(x, bool) for x in array):
            array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        given = f"{array.dtype} of shape {array.shape}" if array.ndim and array.dtype != object else shown(ids)
        raise EmbeddingError(f"{what} must be a list of integers, not {given}")
    if array.dtype.kind == "u" and array.max() > INT64.max:
        raise EmbeddingError(f"{what} has the id {array.max()}, which does not fit a signed 64-bit integer")
    return np.ascontiguousarray(array, np.int64)


def as_among(among: ArrayLike, rows: int, ids: Callable[[], NDArray[np.int64]]) -> NDArray[np.int64]:
    """The ids to look among, int64; given as such, or as a boolean mask over the rows of a file, whose ids `ids` gives.

    Raises:
        EmbeddingError: they are neither.

    >>> as_among([True, False], 2, lambda: np.array([7, 8])), as_among({5}, 2, lambda: np.array([7, 8]))
    (array([7]), array([5]))
    """
    if has_mask(among):
        raise EmbeddingError("among has masked values: fill them, or leave them out")
    if isinstance(among, set | frozenset):
        among = list(among)
    array = as_array(among, "among", "a list of ids or a mask")
    if array.dtype != bool:
        return as_ids(array, "among")
    if array.shape != (rows,):
        raise EmbeddingError(f"a mask for {rows:,} rows has the shape {array.shape}, expected ({rows},)")
    selected: NDArray[np.int64] = ids()[array]
    return selected


def as_vectors(query: ArrayLike) -> NDArray[np.float32]:
    """One query or several, in any form that `as_array` takes, as float32, rounded once.

    Raises:
        emm1.errors.EmbeddingError: no numbers, a null, lists of different lengths, or a component too large for float32.
    """
    _refuse_mask(query, "the query")
    array = as_array(query, "the query", "a vector of numbers")
    if not (array.dtype.kind in "fiub" or np.can_cast(array.dtype, np.float32)) or array.ndim not in (1, 2):
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
    if any(has_mask(part) for part in parts):
        raise EmbeddingError(f"{what} has masked values: fill them, or leave them out")


def has_mask(values: Any) -> bool:
    """Whether some values are masked."""
    if "numpy.ma" not in sys.modules:  # slow to import, and without it there are no masked arrays
        return False
    return isinstance(values, np.ma.MaskedArray) and bool(np.ma.is_masked(values))


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
