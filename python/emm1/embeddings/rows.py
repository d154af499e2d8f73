"""An embedding file as an array: rows by their position, as NumPy, h5py and Zarr have them."""

from __future__ import annotations

import mmap
import operator
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from emm1 import _native, errors
from emm1.arguments import as_ids
from emm1.checks import shown
from emm1.errors import EmbeddingError
from emm1.interchange import as_array
from emm1.system import descriptor_of

# Bytes that an iteration reads at a time.
BLOCK = 1 << 20


class Rows:
    """The rows of an embedding file by their position, which is not their id: `Embeddings.vectors` takes ids.

    ``E[i]``, ``E[a:b]``, ``E[[4, 2]]``, ``E[mask]`` and ``E[rows, columns]`` are NumPy's, in the type of the file, and are
    copies that belong to the caller.
    """

    path: Path
    _file: _native.EmbeddingFile

    def __len__(self) -> int:
        """Number of vectors."""
        return self._file.rows

    @property
    def dim(self) -> int:
        """Number of components of each vector."""
        return self._file.dims

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a component in the file; bfloat16 is the type from ml_dtypes."""
        import ml_dtypes

        name = self._file.dtype
        return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of vectors, and of components of each."""
        return len(self), self.dim

    @property
    def ndim(self) -> int:
        """Number of dimensions: 2."""
        return 2

    @property
    def nbytes(self) -> int:
        """Bytes of all components."""
        return len(self) * self.dim * self.dtype.itemsize

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Rows by position: one, (dim,), or several, (rows, dim), in the type of the file; a copy.

        Args:
            key: a row (negative from the end), a slice, a list of rows, or a boolean mask over all rows; or one of these, a
                comma, and the components wanted, as NumPy takes them.

        Raises:
            emm1.errors.IndexError: there is no such row or component.
            emm1.errors.EmbeddingError: the file was truncated or rewritten since it was opened.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.arange(6, dtype="float16").reshape(3, 2))
        >>> x = emm1.Embeddings(path, ids=[30, 10, 20])
        >>> x[-1], x[1:].shape, x[[2, 0], 1]
        (array([4., 5.], dtype=float16), (2, 2), array([5., 1.], dtype=float16))
        """
        rows, columns = _split(key)
        if not _is_basic(rows) and not _is_basic(columns):
            raise EmbeddingError(
                "rows and components cannot both be lists: take the rows first, as E[rows][:, components]"
            )
        numbers = self._numbers(rows)
        vectors = np.empty((*numbers.shape, self.dim), self.dtype)
        self._file.copy_rows(numbers.reshape(-1), vectors.reshape(-1).view(np.uint8))
        if isinstance(columns, slice) and columns == slice(None):
            return vectors
        try:
            return np.array(vectors[..., columns])  # a copy, so that the rest can be freed
        except IndexError as error:
            raise errors.IndexError(f"{self.path.name} has {self.dim:,} components: {error}") from error

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """The rows, (dim,), in order; about a megabyte is read at a time."""
        block = max(1, BLOCK // (self.dim * self.dtype.itemsize))
        for begin in range(0, len(self), block):
            yield from self[begin : begin + block]

    def __contains__(self, value: object) -> bool:
        """Refused, because it could mean an id or a vector."""
        raise EmbeddingError(f"is {shown(value)} an id or a vector? Ask for an id with `id in E.ids`")

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All vectors for `numpy.asarray`: a read-only view of the map, or a copy where there can be no view.

        A view needs one file, whose rows follow one another (not shards, not .fvecs), and no other type. It shows what is
        written into the file, and reading it crashes the process if the file was truncated.

        Raises:
            emm1.errors.EmbeddingError: copy is False and there can be no view; a ValueError, as NumPy expects.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.eye(2, dtype="float32"))
        >>> view = np.asarray(emm1.Embeddings(path))
        >>> view.tolist(), view.flags.writeable
        ([[1.0, 0.0], [0.0, 1.0]], False)
        """
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        view = self._view()
        if copy is False and (view is None or wanted != self.dtype):
            why = f"they are {self.dtype}, not {wanted}" if view is not None else "they are not in one piece"
            raise EmbeddingError(f"the vectors of {self.path} cannot be had without a copy: {why}")
        if view is None:
            return self[:].astype(wanted, copy=False)
        return view.astype(wanted) if copy else view.astype(wanted, copy=False)

    def _view(self) -> NDArray[Any] | None:
        """The components in a memory map of their own; None if they are not in one piece."""
        place = self._file.packed()
        if place is None:
            return None
        handle, start = place
        descriptor = descriptor_of(handle)
        try:
            whole = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        return np.ndarray(self.shape, self.dtype, whole, start)

    def _numbers(self, rows: Any) -> NDArray[np.int64]:
        """The numbers of wanted rows, from 0; an array without dimensions if one row is wanted."""
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)))
        if _is_whole(rows):
            row = operator.index(rows)
            if not -len(self) <= row < len(self):
                raise self._no_row(row)
            return np.array(row % len(self))
        array = as_array(rows, "rows", "a row, a slice, a list of rows or a mask")
        if array.dtype == bool:
            if array.shape != (len(self),):
                raise errors.IndexError(
                    f"a mask for {len(self):,} rows has the shape {array.shape}, expected ({len(self)},)"
                )
            return np.flatnonzero(array)
        numbers = as_ids(array, "rows")
        outside = (numbers < -len(self)) | (numbers >= len(self))
        if outside.any():
            raise self._no_row(numbers[outside][0])
        return np.where(numbers < 0, numbers + len(self), numbers)

    def _no_row(self, row: int) -> errors.IndexError:
        return errors.IndexError(f"{self.path.name} has no row {row}: it has {len(self):,} rows")


def _split(key: Any) -> tuple[Any, Any]:
    """The rows and the components that a key asks for."""
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) not in {1, 2}:
        raise errors.IndexError(f"embeddings have 2 dimensions, rows and components, not {len(parts)}")
    rows, columns = (slice(None) if part is Ellipsis else part for part in (*parts, ...)[:2])
    return rows, columns


def _is_basic(key: object) -> bool:
    """Whether NumPy would take a key as basic indexing: a slice or one position."""
    return isinstance(key, slice) or _is_whole(key)


def _is_whole(key: Any) -> bool:
    """Whether a key is one position; to NumPy a truth value is a mask."""
    return hasattr(key, "__index__") and not isinstance(key, bool | np.bool) and np.ndim(key) == 0
