"""Writes ``.npy`` files so that a full disk is an error of the system, which says so; ``numpy.save`` only counts bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray


def write_npy(path: Path, array: NDArray[Any]) -> None:
    """Write an array.

    Raises:
        OSError: it cannot be written.

    >>> write_npy(getfixture("tmp_path") / "a.npy", np.arange(3))
    >>> np.load(getfixture("tmp_path") / "a.npy").tolist()
    [0, 1, 2]
    """
    write_npy_parts(path, [array], array.shape, array.dtype)


def write_npy_parts(path: Path, parts: Iterable[NDArray[Any]], shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Write an array whose rows come in parts, which together have its shape.

    Raises:
        OSError: it cannot be written.

    >>> write_npy_parts(getfixture("tmp_path") / "a.npy", (np.full((1, 2), n) for n in range(3)), (3, 2), "int16")
    >>> np.load(getfixture("tmp_path") / "a.npy").tolist()
    [[0, 0], [1, 1], [2, 2]]
    """
    stored = np.dtype(dtype)
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": npy.dtype_to_descr(stored), "fortran_order": False, "shape": shape})
        for part in parts:
            file.write(np.ascontiguousarray(part, stored).data)
