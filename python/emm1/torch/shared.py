"""Numbers that a data set shares with its workers, and which numbers may be given."""

from __future__ import annotations

import mmap
import operator
import os
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from emm1.checks import shown
from emm1.errors import Error


class _Number:
    """One of the numbers of `Shared`, by its place."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __get__(self, shared: Shared, _kind: type) -> int:
        return int(shared.numbers[self._place])

    def __set__(self, shared: Shared, value: int) -> None:
        shared.numbers[self._place] = value


class Shared:
    """Numbers that a process and its workers, however they are started, see alike: a small file that they map.

    Workers that live longer than an epoch would otherwise never hear that another one begins.
    """

    epoch = _Number(0)
    samples = _Number(1)  # that all ranks had seen when the iteration began
    workers = _Number(2)  # whether workers read the rows
    seed = _Number(3)

    def __init__(self) -> None:
        descriptor, self._path = tempfile.mkstemp(prefix="emm1-stream-")
        os.write(descriptor, bytes(4 * 8))
        os.close(descriptor)
        weakref.finalize(self, _remove, self._path, os.getpid())
        self.numbers = _mapped(self._path)

    def __getstate__(self) -> str:
        return self._path

    def __setstate__(self, path: str) -> None:
        self._path = path
        self.numbers = _mapped(path)


def _mapped(path: str) -> NDArray[np.int64]:
    with Path(path).open("r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0), np.int64)


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:
        Path(path).unlink(missing_ok=True)


def integer(value: int, name: str) -> int:
    """A whole number of 64 bits; `name` is that of the argument in messages."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not -(2**63) <= number < 2**63:
        raise Error(f"{name} must be a whole number of at most 64 bits, not {shown(value)}")
    return number


def row_numbers(numbers: Sequence[SupportsIndex], rows: int) -> NDArray[np.int64]:
    """The numbers of some of as many rows; negative ones count from the end.

    Raises:
        IndexError: there is no such row.
    """
    wanted = np.array([operator.index(number) for number in numbers], np.int64)
    if ((wanted < -rows) | (wanted >= rows)).any():
        raise IndexError(f"there are {rows:,} rows, numbered from 0")
    return np.where(wanted < 0, wanted + rows, wanted)
