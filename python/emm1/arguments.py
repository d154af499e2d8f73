"""What callers hand over, as the core wants it: ids, queries, counts; each with its error."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.errors import EmbeddingError, FileNotFoundError


def as_ids(ids: ArrayLike, what: str = "ids") -> NDArray[np.int64]:
    """Ids as int64, (ids,)."""
    try:
        array = np.atleast_1d(np.asarray(ids))
    except ValueError as error:
        raise EmbeddingError(f"{what} must be a list of integers: {error}") from None
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise EmbeddingError(f"{what} must be a list of integers, not {array.dtype} of shape {array.shape}")
    if array.dtype.kind == "u" and array.max() > np.iinfo(np.int64).max:
        raise EmbeddingError(f"the id {array.max()} does not fit 64 bits with sign")
    return np.ascontiguousarray(array, np.int64)


def as_vectors(query: ArrayLike) -> NDArray[np.float32]:
    """A query, or several, as float32, rounded once; too large for it is an error."""
    try:
        array = np.asarray(query)
    except ValueError as error:
        raise EmbeddingError(f"the query is not a vector of numbers: {error}") from None
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2):
        raise EmbeddingError(
            f"a query is numbers of shape (dim,) or (queries, dim), not {array.dtype} of shape {array.shape}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.ascontiguousarray(array, np.float32)
    if not np.array_equal(np.isfinite(rounded), np.isfinite(array)):
        raise EmbeddingError("a component of the query is too large for float32")
    return rounded


def as_vector(query: ArrayLike, what: str) -> NDArray[np.float32]:
    """One query, (dim,), for the function `what`."""
    vector = as_vectors(query)
    if vector.ndim != 1:
        raise EmbeddingError(f"{what} takes one query, (dim,), not an array of shape {vector.shape}")
    return vector


def at_least_one(value: int, name: str) -> int:
    """A count, such as k; one beyond any file is cut to 2**62."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise EmbeddingError(f"{name} must be a whole number of at least 1, not {value!r}")
    return min(int(value), 2**62)


def as_number(value: float, name: str) -> float:
    """A number that is not complex, as float64."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise EmbeddingError(f"{name} must be a number, not {value!r}") from None
    except OverflowError:
        raise EmbeddingError(f"{name} is beyond float64") from None


def thread_count(threads: int | None) -> int:
    """The number of threads asked for; by default the processors that this process may use."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return at_least_one(threads, "threads")


def read_query(path: Path) -> NDArray[np.float32]:
    """A query vector from a ``.npy`` file: (dim,) or (1, dim).

    Raises:
        emm1.errors.EmbeddingError: the file is not that.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist") from None
        raise EmbeddingError(f"{path} is not a .npy file: {error}") from None
    except (ValueError, EOFError) as error:
        raise EmbeddingError(f"{path} is not a .npy file of numbers: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim not in (1, 2) or (array.ndim == 2 and len(array) != 1):  # noqa: PLR2004
        shape = getattr(array, "shape", "several arrays")
        raise EmbeddingError(f"{path} must hold one vector, (dim,) or (1, dim), not {shape}")
    return as_vectors(array.reshape(-1))
