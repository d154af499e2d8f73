"""Writes every format of embedding files with NumPy and the safetensors library; each writer returns the file's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ml_dtypes  # noqa: F401 - NumPy knows bfloat16 from it
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

Write = Callable[[Path, NDArray[np.generic]], str]


def write_npy(path: Path, rows: NDArray[np.generic]) -> str:
    """Write a single file."""
    np.save(path / "a.npy", rows)
    return "a.npy"


def write_shards(path: Path, rows: NDArray[np.generic]) -> str:
    (path / "shards").mkdir()
    for i, part in enumerate(np.array_split(rows, [0, 5, 6, 6])):
        np.save(path / f"shards/part-{i:03}.npy", part)
    (path / "shards/README.md").write_text("not a shard")
    return "shards"


def write_safetensors(path: Path, rows: NDArray[np.generic]) -> str:
    save_file({"odd": np.zeros(3, np.int8), "v": rows}, path / "a.safetensors", {"by": "a test"})
    return "a.safetensors"


def write_named(path: Path, rows: NDArray[np.generic]) -> str:
    save_file({"first": rows[:2].copy(), "b#v": rows}, path / "a.safetensors")
    return "a.safetensors#b#v"


def write_bin(suffix: str) -> Write:
    def write(path: Path, rows: NDArray[np.generic]) -> str:
        header = np.array(rows.shape, "<u4").tobytes()
        (path / f"a.{suffix}").write_bytes(header + rows.tobytes())
        return f"a.{suffix}"

    return write


def write_fvecs(path: Path, rows: NDArray[np.generic]) -> str:
    prefix = np.full((len(rows), 1), rows.shape[1], "<i4").view(np.float32)
    np.hstack([prefix, rows]).tofile(path / "a.fvecs")
    return "a.fvecs"


WRITERS: list[tuple[Write, str]] = [
    *((write_npy, dtype) for dtype in ("float32", "float16", "int8")),
    *((write_shards, dtype) for dtype in ("float32", "int8")),
    *((write_safetensors, dtype) for dtype in ("float32", "float16", "int8")),
    (write_named, "float16"),
    (write_safetensors, "bfloat16"),
    (write_bin("fbin"), "float32"),
    (write_bin("u8bin"), "uint8"),
    (write_bin("i8bin"), "int8"),
    (write_fvecs, "float32"),
]
# What cannot be viewed as one array: rows in several files, or with something between them.
IN_PIECES = {write_shards, write_fvecs}
