"""``.pt`` files, which torch.save writes, read without torch and without running the pickle inside.

The file is a zip: ``data.pkl`` describes the tensors, ``data/0``, ``data/1``… hold their numbers. Calls in the pickle that torch.save
writes become tensors, empty dictionaries and sizes; `emm1.pickles` says what becomes of the rest.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1 import pickles
from emm1.convert.arrays import COMPONENTS, MATRIX_DIMS, chunks
from emm1.convert.input_file import InputFile, key_numbers, reading
from emm1.errors import EmbeddingError
from emm1.pickles import Opaque

STORAGES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "torch CharStorage": np.dtype("i1"),
    "torch ByteStorage": np.dtype("u1"),
    "torch ShortStorage": np.dtype("<i2"),
    "torch IntStorage": np.dtype("<i4"),
    "torch LongStorage": np.dtype("<i8"),
}
LARGEST = 1 << 62


@dataclass(frozen=True)
class Tensor:
    """The location and layout of a tensor's numbers.

    Attributes:
        storage: name of the zip member, after ``data/``.
        dtype: type of the numbers.
        offset: position of the first number in the storage, in numbers.
        shape: size along each dimension.
        stride: distance between neighbours along each dimension, in numbers.
    """

    storage: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __str__(self) -> str:
        return f"a {self.dtype} tensor of shape {self.shape}"

    def is_contiguous(self) -> bool:
        """Whether its numbers are stored one after another, row by row."""
        expected = [math.prod(self.shape[i + 1 :]) for i in range(len(self.shape))]
        sides = zip(self.shape, self.stride, expected, strict=True)
        return all(size <= 1 or stride == step for size, stride, step in sides)


class TorchFile(InputFile):
    """A ``.pt`` or ``.pth`` file: a tensor, or a dictionary of tensors and lists."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if not zipfile.is_zipfile(path):
            raise EmbeddingError(
                f"{path} is not a zip file, as torch.save has written since 1.6: load it with torch and save it again"
            )
        with reading(path), zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
            if len(names) != 1:
                raise EmbeddingError(f"{path} has no data.pkl: it was not written by torch.save")
            self._folder = names[0].removesuffix("data.pkl")
            order = f"{self._folder}byteorder"
            if order in archive.namelist() and archive.read(order) != b"little":
                raise EmbeddingError(f"{path} is big-endian: save it again on a little-endian machine")
            if archive.getinfo(names[0]).compress_type != zipfile.ZIP_STORED:
                raise EmbeddingError(f"{path} is compressed, which torch.save does not do: it may hold anything")
            value = Program(archive.read(names[0])).run()
        # A single tensor has no name.
        self._values: dict[str, Any] = (
            {str(key): entry for key, entry in value.items()} if isinstance(value, dict) else {"tensor": value}
        )

    def columns(self) -> dict[str, str]:
        """A description of every entry, by name."""
        return {name: _described(value) for name, value in self._values.items()}

    def vector_columns(self) -> list[str]:
        """The tensors of numbers with two dimensions."""
        return [
            name
            for name, value in self._values.items()
            if isinstance(value, Tensor)
            and len(value.shape) == MATRIX_DIMS
            and value.dtype.name in (*COMPONENTS, ml_dtypes.bfloat16.__name__)
        ]

    def rows(self, column: str) -> int:
        """The number of rows of a tensor."""
        rows: int = self._values[column].shape[0]
        return rows

    def blocks(self, column: str, begin: int = 0) -> Iterator[NDArray[Any]]:
        """The rows of a tensor."""
        yield from self._read(column, self._values[column], begin)

    def keys(self, column: str) -> Iterator[pa.Array]:
        """The elements of a list of text or integers, or of a one-dimensional tensor of integers."""
        value = self._values[column]
        if isinstance(value, Tensor) and len(value.shape) == 1 and value.dtype.kind in "iu":
            row = 0
            for block in self._read(column, value):
                yield key_numbers(self.path, column, block, row)
                row += len(block)
        elif isinstance(value, list | tuple) and all(type(key) is str for key in value):
            yield pa.array(value, pa.large_string())
        elif isinstance(value, list | tuple) and all(type(key) is int for key in value):
            with reading(self.path):
                yield pa.array(value, pa.int64())
        else:
            raise self.wrong_key(column)

    def _read(self, column: str, tensor: Tensor, first: int = 0) -> Iterator[NDArray[Any]]:
        if not tensor.is_contiguous():
            raise EmbeddingError(f"{self.path}: {column!r} is not contiguous: save tensor.contiguous()")
        with reading(self.path), zipfile.ZipFile(self.path) as archive:
            member = archive.getinfo(f"{self._folder}data/{tensor.storage}")
            begin = tensor.offset * tensor.dtype.itemsize
            end = begin + math.prod(tensor.shape) * tensor.dtype.itemsize
            if end > member.file_size:
                raise EmbeddingError(
                    f"{self.path}: {column!r}, {tensor}, ends at byte {end:,} of its storage, which has "
                    f"{member.file_size:,}: it is cut short"
                )
            with archive.open(member) as file:
                file.seek(begin)
                yield from chunks(file, tensor.dtype, tensor.shape, first)


def _described(value: object) -> str:
    if isinstance(value, Tensor | Opaque):
        return str(value)
    if isinstance(value, list | tuple):
        kinds = sorted({type(element).__name__ for element in value})
        return f"a list of {len(value):,} {' and '.join(kinds) or 'values'}"
    return f"a {type(value).__name__}"


class Program(pickles.Program):
    """The pickle of a ``.pt`` file."""

    WRITER = "torch.save"

    def called(self, name: str, arguments: Any) -> Any:
        """A tensor, a parameter, an empty dictionary or a size; an `Opaque` for any other call."""
        match name:
            case "torch._utils _rebuild_tensor_v2":
                return _tensor(*arguments[:4])
            case "torch._utils _rebuild_parameter":
                return arguments[0]
            case "collections OrderedDict" if not arguments:
                return {}
            case "torch Size":
                return tuple(arguments[0])
        return super().called(name, arguments)

    def persistent(self, reference: Any) -> tuple[str, np.dtype[Any]] | Opaque:
        """A storage, from the tuple ``('storage', class, key, location, length)``."""
        _, kind, key, _, _ = reference
        dtype = STORAGES.get(kind.name)
        if not isinstance(key, str):
            raise TypeError("a storage without a key")
        return Opaque(kind.name) if dtype is None else (key, dtype)


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any) -> Tensor | Opaque:
    if isinstance(storage, Opaque):
        return storage
    numbers = (offset, *shape, *stride)
    if len(shape) != len(stride) or not all(type(number) is int and 0 <= number < LARGEST for number in numbers):
        raise ValueError("a tensor has a shape or a stride that no tensor can have")
    name, dtype = storage
    return Tensor(name, dtype, offset, tuple(shape), tuple(stride))
