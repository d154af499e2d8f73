"""Arrays of other libraries as NumPy's, without losing what NumPy would lose: nulls, and where a list has another length.

Polars, Arrow and DuckDB are read through Arrow's interface, PyTorch through its own methods, everything else as NumPy does.
None of these is imported unless its values are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emm1.errors import EmbeddingError

if TYPE_CHECKING:
    import pyarrow as pa


def as_array(values: Any, what: str, expected: str) -> NDArray[Any]:
    """Values of any library as an array; the lists of a column become rows, (rows, length).

    Args:
        values: an array, tensor, Polars or Arrow column of numbers or of lists, frame of one such column, or a sequence.
        what: names the argument in messages.
        expected: what it should be, in messages.

    Raises:
        emm1.errors.EmbeddingError: a null, lists of different lengths (names the row), or no array at all.

    >>> import polars as pl
    >>> as_array(pl.Series([[1.0, 2.0], [3.0, 4.0]]), "the query", "vectors").shape
    (2, 2)
    >>> as_array(pl.Series([[1.0, 2.0], [3.0]]), "the query", "vectors")
    Traceback (most recent call last):
    emm1.errors.EmbeddingError: the query has the length 1 in row 1, but 2 in row 0
    """
    try:
        return _as_array(values, what)
    except EmbeddingError:
        raise
    except (TypeError, ValueError) as error:
        raise EmbeddingError(f"{what} must be {expected}: {error}") from error


def _as_array(values: Any, what: str) -> NDArray[Any]:
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return values
    if hasattr(values, "detach"):
        return _of_tensor(values, what)
    if hasattr(values, "__arrow_c_stream__") or type(values).__module__.startswith("pyarrow"):
        return _of_arrow(values, what)
    if not _is_sequence(values):
        return np.asarray(values)
    if all(isinstance(value, int | float | np.number) for value in values):
        return np.asarray(list(values))
    values = [value.as_py() if hasattr(value, "as_py") else value for value in values]
    for row, value in enumerate(values):
        if value is None or type(value).__name__ == "NAType":  # pandas' null
            raise EmbeddingError(f"{what} has a null in row {row}")
    if any(_is_vector(value) for value in values):
        return _stacked([_as_array(_unwrapped(value), what) for value in values], what)
    return np.asarray(values)


def _is_vector(value: Any) -> bool:
    """Whether a value of a sequence is an array, a tensor, a column or a list, rather than a number."""
    return hasattr(value, "__len__") and not isinstance(value, str | bytes) and getattr(value, "ndim", 1) > 0


def _is_sequence(values: Any) -> bool:
    """Whether values can be looked at one by one; columns of pandas are arrays of objects."""
    objects = getattr(getattr(values, "dtype", None), "kind", None) == "O"
    return isinstance(values, list | tuple) or (objects and np.ndim(values) > 0)


def _unwrapped(value: Any) -> Any:
    """The vector of a row that DuckDB fetched: a tuple with one value."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 and _is_vector(value[0]) else value


def _stacked(rows: list[NDArray[Any]], what: str) -> NDArray[Any]:
    """Rows of one length as an array."""
    for number, row in enumerate(rows):
        if row.ndim != rows[0].ndim or row.shape[1:] != rows[0].shape[1:]:
            raise EmbeddingError(f"{what} has the shape {row.shape} in row {number}, but {rows[0].shape} in row 0")
        if len(row) != len(rows[0]):
            raise EmbeddingError(f"{what} has the length {len(row)} in row {number}, but {len(rows[0])} in row 0")
    return np.stack(rows)


def _of_tensor(tensor: Any, what: str) -> NDArray[Any]:
    """A tensor of PyTorch, on any device; bfloat16, which NumPy does not have, is widened."""
    try:
        array: NDArray[Any] = (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy(force=True)
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise EmbeddingError(f"{what} is a tensor without values in memory: {error}") from error
    return array


def _of_arrow(values: Any, what: str) -> NDArray[Any]:
    """Anything that Arrow reads: a column, a frame of one column, or a value."""
    import pyarrow as pa

    if isinstance(values, pa.Scalar):
        inner = getattr(values, "values", values.as_py())
        if inner is None:
            raise EmbeddingError(f"{what} is null")
        return _of_column(inner, what) if isinstance(inner, pa.Array) else np.asarray(inner)
    column = pa.chunked_array(values) if hasattr(values, "__arrow_c_stream__") else pa.array(values)
    if pa.types.is_struct(column.type):
        if column.type.num_fields != 1:
            return np.asarray(values)  # a frame of numbers, one row for each query
        column = pa.table(values).column(0)
    return _of_column(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column, what)


def _of_column(column: pa.Array, what: str) -> NDArray[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        raise EmbeddingError(f"{what} has a null in row {column.is_null().index(True)}")
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_list_view)
    if not any(is_kind(column.type) for is_kind in kinds):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    fixed = column.type.list_size if pa.types.is_fixed_size_list(column.type) else 0
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    length = int(lengths[0]) if len(lengths) else fixed
    if (lengths != length).any():
        row = int(np.argmax(lengths != length))
        raise EmbeddingError(f"{what} has the length {lengths[row]} in row {row}, but {length} in row 0")
    numbers = column.flatten()
    if numbers.null_count:
        row, component = divmod(numbers.is_null().index(True).as_py(), length)
        raise EmbeddingError(f"{what} has a null in row {row}, component {component}")
    return np.asarray(numbers.to_numpy(zero_copy_only=False)).reshape(len(column), length)
