"""Writes ``.npy`` files so that a full disk is an error of the system, which says so; ``numpy.save`` only counts bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


def write_npy(path: Path, array: NDArray[Any]) -> None:
    """Write an array.

    Raises:
        OSError: it cannot be written.

    >>> write_npy(getfixture("tmp_path") / "a.npy", np.arange(3))
    >>> np.load(getfixture("tmp_path") / "a.npy").tolist()
    [0, 1, 2]
    """
    rows = np.ascontiguousarray(array)
    with path.open("wb") as file:
        npy.write_array_header_1_0(
            file, {"descr": npy.dtype_to_descr(rows.dtype), "fortran_order": False, "shape": rows.shape}
        )
        file.write(rows.data)
