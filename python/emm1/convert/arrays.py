"""NumPy's files: ``.npz`` (arrays in a zip file) and ``.npy``; they are read in blocks, never a whole array."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy
from numpy.typing import NDArray

from emm1.convert.input_file import BLOCK, InputFile, key_numbers, reading
from emm1.errors import EmbeddingError

COMPONENTS = ("float16", "float32", "float64", "int8", "uint8")
MATRIX_DIMS = 2  # dimensions of an array of vectors
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Npz(InputFile):
    """A ``.npz`` file, written by numpy.savez or savez_compressed; arrays of objects are never unpickled."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._arrays: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
        with reading(path), zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".npy"):
                    with archive.open(member) as file:
                        self._arrays[member.filename.removesuffix(".npy")] = self._header(member, file)

    def _header(self, member: zipfile.ZipInfo, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Read the header of an array: shape and type; leaves the file at the data."""
        name = f"{self.path}: {member.filename.removesuffix('.npy')!r}"
        shape, fortran_order, dtype = _header(name, file, member.file_size)
        if fortran_order and min(shape[:MATRIX_DIMS], default=0) > 1 and len(shape) > 1:
            raise EmbeddingError(f"{name} is stored in Fortran order: save it again with numpy.ascontiguousarray")
        return shape, dtype

    def columns(self) -> dict[str, str]:
        """The type and shape of every array, by name."""
        return {name: f"{dtype} of shape {shape}" for name, (shape, dtype) in self._arrays.items()}

    def vector_columns(self) -> list[str]:
        """The arrays of numbers with two dimensions."""
        arrays = self._arrays.items()
        return [name for name, (shape, dtype) in arrays if len(shape) == MATRIX_DIMS and dtype.name in COMPONENTS]

    def rows(self, column: str) -> int:
        """The number of rows of an array."""
        return self._arrays[column][0][0]

    def blocks(self, column: str, begin: int = 0) -> Iterator[NDArray[Any]]:
        """The rows of an array."""
        yield from self._read(column, begin)

    def keys(self, column: str) -> Iterator[pa.Array]:
        """The elements of a one-dimensional array: integers, or text as NumPy stores it."""
        if not _may_be_keys(*self._arrays[column]):
            raise self.wrong_key(column)
        yield from _keys(self.path, column, self._read(column))

    def _read(self, column: str, begin: int = 0) -> Iterator[NDArray[Any]]:
        with reading(self.path), zipfile.ZipFile(self.path) as archive:
            member = archive.getinfo(f"{column}.npy")
            with archive.open(member) as file:
                shape, dtype = self._header(member, file)
                yield from chunks(file, dtype, shape, begin)


class Npy(InputFile):
    """A ``.npy`` file that cannot be searched directly: of another type, big-endian, or in Fortran order.

    Its keys are the ids in ``NAME.ids.npy`` next to it.
    """

    VECTORS = "array"
    IDS = "ids"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        ids = path.with_suffix(".ids.npy")
        self._files = {self.VECTORS: path} | ({self.IDS: ids} if ids.exists() else {})
        self.default_key = self.IDS if ids.exists() else None

    def columns(self) -> dict[str, str]:
        """The type and shape of the array, and of its ids if there are any."""
        described = {}
        for name, path in self._files.items():
            with reading(path), path.open("rb") as file:
                shape, _, dtype = _header(path, file, path.stat().st_size)
                described[name] = f"{dtype} of shape {shape}"
        return described

    def vector_columns(self) -> list[str]:
        """The array, if it holds numbers and has two dimensions."""
        shape, dtype = self._array()
        return [self.VECTORS] if len(shape) == MATRIX_DIMS and dtype.name in COMPONENTS else []

    def rows(self, _column: str) -> int:
        """The number of rows of the array."""
        return self._array()[0][0]

    def _array(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        with reading(self.path), self.path.open("rb") as file:
            shape, _, dtype = _header(self.path, file, self.path.stat().st_size)
        return shape, dtype

    def blocks(self, column: str, begin: int = 0) -> Iterator[NDArray[Any]]:
        """The rows of the array."""
        path = self._files[column]
        with reading(path), path.open("rb") as file:
            shape, fortran_order, dtype = _header(path, file, path.stat().st_size)
            yield from (columnwise if fortran_order else chunks)(file, dtype, shape, begin)

    def keys(self, column: str) -> Iterator[pa.Array]:
        """The ids, or text as NumPy stores it."""
        path = self._files[column]
        with reading(path), path.open("rb") as file:
            shape, _, dtype = _header(path, file, path.stat().st_size)
            if not _may_be_keys(shape, dtype):
                raise self.wrong_key(column)
            yield from _keys(path, column, chunks(file, dtype, shape))

    def files(self) -> list[Path]:
        """The array, and its ids if there are any."""
        return list(self._files.values())


def _header(name: object, file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of a .npy file of this size: shape, order and type; leaves the file at the data."""
    read = HEADERS.get(npy.read_magic(file))
    if read is None:
        raise EmbeddingError(f"{name} has an unknown version of the .npy format")
    shape, fortran_order, dtype = read(file)
    data_size = size - file.tell()
    if not dtype.hasobject and (min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != data_size):
        raise EmbeddingError(
            f"{name} says shape {shape} of {dtype}, but has {data_size:,} bytes: it is truncated or damaged"
        )
    return shape, fortran_order, dtype


def columnwise(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...], begin: int = 0) -> Iterator[NDArray[Any]]:
    """A two-dimensional array in Fortran order, from the current position of a file, in blocks of rows from `begin` on.

    Raises:
        EOFError: the file ends too early.
    """
    start, (rows, columns) = file.tell(), shape
    for first in range(begin, rows, BLOCK):
        block = np.empty((min(BLOCK, rows - first), columns), dtype, order="F")
        for column in range(columns):
            file.seek(start + (column * rows + first) * dtype.itemsize)
            data = file.read(len(block) * dtype.itemsize)
            if len(data) != len(block) * dtype.itemsize:
                raise EOFError(f"it ends in column {column}")
            block[:, column] = np.frombuffer(data, dtype)
        yield block


def chunks(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...], begin: int = 0) -> Iterator[NDArray[Any]]:
    """An array of one or two dimensions in C order, from the current position of a file, in blocks of rows from `begin` on.

    Raises:
        EOFError: the file ends too early.
    """
    rows, width = shape[0], dtype.itemsize * math.prod(shape[1:])
    if begin:
        file.seek(begin * width, 1)
    for first in range(begin, rows if width else 0, BLOCK):
        count = min(BLOCK, rows - first)
        data = file.read(count * width)
        if len(data) != count * width:
            raise EOFError(f"it ends in row {first + len(data) // width}")
        yield np.frombuffer(data, dtype).reshape(count, *shape[1:])
    file.read(1)  # at the end of a zip member, its checksum is compared


def _may_be_keys(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    return len(shape) == 1 and dtype.kind in "iufUS"


def _keys(path: Path, column: str, blocks: Iterator[NDArray[Any]]) -> Iterator[pa.Array]:
    """The elements of a one-dimensional array as keys."""
    row = 0
    for block in blocks:
        if block.dtype.kind == "U":
            yield pa.array(block.tolist(), pa.large_string())
        elif block.dtype.kind == "S":
            yield pa.array([text.decode() for text in block.tolist()], pa.large_string())
        else:
            yield key_numbers(path, column, block, row)
        row += len(block)
