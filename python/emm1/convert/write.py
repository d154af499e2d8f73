"""Writes vectors to a file as they are read; what is written is recorded from time to time, so that a later run goes on there."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from emm1.convert.input_file import InputFile
from emm1.errors import EmbeddingError, WriteError

# Types that are written as another type, which holds every value exactly, except those of float64.
WRITTEN: dict[np.dtype[Any], tuple[np.dtype[Any], str]] = {
    np.dtype(np.float64): (np.dtype("<f4"), "float64 was rounded to float32"),
    np.dtype(ml_dtypes.bfloat16): (np.dtype("<f4"), "bfloat16 was widened to float32"),
    np.dtype(np.uint8): (np.dtype("<f2"), "uint8 was widened to float16"),
}
RECORDED = 1 << 31  # bytes that are written between two records: some seconds of work
IN_CACHE = 128  # rows that are widened at a time
VECTORS, RECORD = "vectors.npy", "record.json"
# Norms that differ from 1 by more are not those of unit vectors: rounding to bfloat16 changes them by up to 0.004.
FAR_FROM_1 = 0.01


@dataclass
class Written:
    """What has been written.

    Attributes:
        read: rows of the source.
        rows: rows of them that were written.
        size: bytes of the file.
        dims: components of a vector.
        descr: NumPy's name of their type.
        note: what happened to the values, for the user.
        big_endian: whether the source was big-endian.
        least: the smallest norm of the rows that are not zero; infinity if there is none.
        most: the largest norm.
        zero: rows that are zero.
        first_zero: the row of the source that is the first of them.
    """

    read: int = 0
    rows: int = 0
    size: int = 0
    dims: int = 0
    descr: str = ""
    note: str = ""
    big_endian: bool = False
    least: float = math.inf
    most: float = 0.0
    zero: int = 0
    first_zero: int = -1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the components."""
        return np.dtype(self.descr)

    @property
    def is_widened_integer(self) -> bool:
        """Whether the source holds integers."""
        return "int8" in self.note

    def record(self, folder: Path) -> None:
        """Write it down, in place of what was written down before."""
        unfinished = folder / f"{RECORD}.writing"
        unfinished.write_text(json.dumps(asdict(self)), encoding="utf-8")
        unfinished.replace(folder / RECORD)

    @classmethod
    def recorded(cls, folder: Path) -> Written:
        """What an interrupted run has written; nothing if it recorded nothing.

        Raises:
            WriteError: the record or what it speaks of is damaged.
        """
        record = folder / RECORD
        if not record.exists():
            return cls()
        try:
            found = cls(**json.loads(record.read_text(encoding="utf-8")))
            whole = (
                (folder / VECTORS).stat().st_size >= found.size > found.rows * found.dims * found.dtype.itemsize > 0
                and found.rows <= found.read
            )
        except (ValueError, TypeError, OSError):
            whole = False
        if not whole:
            raise WriteError(f"{record} is damaged: remove the folder to start again")
        return found


class VectorWriter:
    """Writes the vectors of a file.

    Args:
        opened: the file.
        column: its vectors.
        known: bool, (rows,): which rows are written; None for all.
        normalize: whether each vector is divided by its norm.
    """

    def __init__(self, opened: InputFile, column: str, known: NDArray[np.bool_] | None, *, normalize: bool) -> None:
        self._opened = opened
        self._column = column
        self._known = known
        self._normalize = normalize
        self.done = Written()

    def write(self, folder: Path, progress: Callable[[int], object]) -> Path:
        """Write all rows to a file in the folder, or those that an interrupted run has not written.

        Raises:
            EmbeddingError: there are none, or a vector is wrong; names the row.
            OSError: the file cannot be written.
        """
        self.done = Written.recorded(folder)
        path = folder / VECTORS
        with path.open("r+b" if self.done.read else "wb") as file:
            file.truncate(self.done.size)
            file.seek(self.done.size)
            recorded = self.done.size
            for block in self._opened.blocks(self._column, self.done.read):
                self._write(file, block)
                if self.done.size - recorded > RECORDED:
                    file.flush()
                    os.fsync(file.fileno())
                    self.done.record(folder)
                    recorded = self.done.size
                progress(self.done.read)
            self._check_counts()
            file.seek(0)
            npy.write_array_header_1_0(file, self._header())
        return path

    def _check_counts(self) -> None:
        path, done = self._opened.path, self.done
        if self._known is not None and done.read != len(self._known):
            raise EmbeddingError(f"{path}: {len(self._known):,} keys for the {done.read:,} rows of {self._column!r}")
        if not done.rows:
            raise EmbeddingError(f"{path}: column {self._column!r} has no vectors")

    def _header(self) -> dict[str, Any]:
        return {"descr": self.done.descr, "fortran_order": False, "shape": (self.done.rows, self.done.dims)}

    def _write(self, file: IO[bytes], block: NDArray[Any]) -> None:
        """Write the rows of a block; the header is overwritten once the number of rows is known."""
        done = self.done
        dtype = self._begin(file, block)
        rows = self._rounded(block, dtype)
        if self._known is None:
            numbers = np.arange(done.read, done.read + len(rows))
        else:
            numbers = done.read + np.flatnonzero(self._known[done.read : done.read + len(rows)])
            rows = rows[numbers - done.read]
        file.write(np.ascontiguousarray(self._measured(rows, numbers)).data)
        done.read += len(block)
        done.rows += len(rows)
        done.size += rows.nbytes

    def _begin(self, file: IO[bytes], block: NDArray[Any]) -> np.dtype[Any]:
        """The type in which a block is written, which the first decides."""
        native = block.dtype.newbyteorder("=")
        dtype, note = WRITTEN.get(native, (native.newbyteorder("<"), ""))
        if self._normalize and native.kind in "iu":
            dtype, note = np.dtype("<f4"), f"{native} became float32"
        done = self.done
        done.big_endian |= block.dtype.byteorder == ">"
        if not done.descr:
            if not block.shape[1]:
                raise EmbeddingError(f"{self._opened.path}: the vectors of {self._column!r} have no components")
            done.descr, done.dims = str(npy.dtype_to_descr(dtype)), block.shape[1]
            npy.write_array_header_1_0(file, self._header())
            done.size = file.tell()
        if block.shape[1] != done.dims or dtype != done.dtype:
            path, row = self._opened.place(done.read)
            raise EmbeddingError(
                f"{path}: its vectors have {block.shape[1]:,} components of {native} (from row {row} on), but those before "
                f"it {done.dims:,} of {done.dtype}: import them by themselves"
            )
        done.note = done.note or note
        return dtype

    def _rounded(self, block: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """A block in the type in which it is written; all values must be finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            rows = block.astype(dtype, copy=False)
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            at = int(np.argmin(finite))
            path, row = self._opened.place(self.done.read + at)
            what = "a component too large for float32" if np.isfinite(block[at]).all() else "NaN or an infinity"
            raise EmbeddingError(f"{path}: row {row} of {self._column!r} holds {what}: remove or fix it")
        return rows

    def _measured(self, rows: NDArray[Any], numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Rows whose norms have been looked at, divided by these if that is wanted; zero vectors stay."""
        norms = _norms(rows)
        zero = norms == 0
        done = self.done
        if zero.any():
            done.first_zero = int(numbers[np.argmax(zero)]) if done.first_zero < 0 else done.first_zero
            done.zero += int(np.count_nonzero(zero))
        if not zero.all():
            done.least = min(done.least, float(norms[~zero].min()))
            done.most = max(done.most, float(norms.max()))
        if not self._normalize:
            return rows
        return (rows / np.where(zero, 1.0, norms)[:, None]).astype(rows.dtype)


def _norms(rows: NDArray[Any]) -> NDArray[np.float64]:
    """The norm of each row."""
    squares = np.empty(len(rows))
    for first in range(0, len(rows), IN_CACHE):
        wide = rows[first : first + IN_CACHE].astype(np.float64)
        squares[first : first + IN_CACHE] = np.einsum("ij,ij->i", wide, wide)
    norms: NDArray[np.float64] = np.sqrt(squares)
    return norms


def notes_of(opened: InputFile, done: Written, *, normalize: bool) -> list[str]:
    """What to know about the values that were written."""
    notes = [done.note] if done.note else []
    return [*notes, f"{_zero_rows(opened, done)}: they were not normalized"] if done.zero and normalize else notes


def facts_of(opened: InputFile, done: Written, *, normalize: bool) -> list[str]:
    """What was found out about the values, for the command line."""
    facts = ["big-endian numbers were written as little-endian"] if done.big_endian else []
    if done.zero and not normalize:
        facts.append(f"{_zero_rows(opened, done)}: their cosine and dot product with everything are 0")
    # Integers stand for numbers of another scale.
    if done.dtype.kind != "f" or done.is_widened_integer or not math.isfinite(done.least):
        return facts
    least, most = f"{done.least:.4g}", f"{done.most:.4g}"
    norms = least if least == most else f"from {least} to {most}"
    if normalize:
        return [*facts, f"the norms were {norms}, and are 1 now"]
    if max(1 - done.least, done.most - 1) > FAR_FROM_1:
        return [*facts, f"the norms are {norms}, not 1: normalize them for the metric dot"]
    return [*facts, f"the norms are {norms}"]


def _zero_rows(opened: InputFile, done: Written) -> str:
    path, row = opened.place(done.first_zero)
    return f"zero vectors: {done.zero:,} of {done.rows:,} rows (the first is row {row} of {path.name})"
