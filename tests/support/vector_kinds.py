"""Vectors of many kinds for tests of the engine: harmless ones, and those at the limits of their types."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Kind = Literal[
    "isotropic", "clustered", "duplicates", "shifted", "huge dimension", "tiny", "huge", "extremes", "integers"
]
KINDS: tuple[Kind, ...] = get_args(Kind)


def data(kind: Kind, rows: int, dims: int, seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, dims))
    match kind:
        case "clustered":
            x = random.normal(size=(8, dims))[random.integers(0, 8, rows)] + 0.1 * x
        case "duplicates":
            x = x[random.integers(0, min(3, rows), rows)]
            x[::7] = 0
        case "shifted":
            x = x * 0.01 + 100
        case "huge dimension":
            x[:, dims // 2] *= 1000
        case "tiny":
            x *= 1e-42
        case "huge":
            x *= 1e30
        case "extremes":
            x = random.choice([0, 1, 1e-45, 1.2e-38, 3.4e38], x.shape) * np.sign(x)
        case "integers":
            x = np.round(x * 3)
    return x.astype(np.float32)


def as_stored(x: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    """Vectors in the type of a file, clipped to its range."""
    if dtype == "int8":
        return np.clip(np.round(x), -128, 127).astype(np.int8)
    if dtype == "float16":
        x = np.clip(x, -65504, 65504)
    return x.astype(dtype)


@cache
def text_vectors(rows: int, dims: int) -> NDArray[np.float32]:
    """Vectors of real text: latent semantic analysis of lines from Python's standard library."""
    lines: dict[str, None] = {}
    for file in sorted(Path(os.__file__).parent.glob("*.py")):
        lines |= dict.fromkeys(line for line in file.read_text("utf-8").splitlines() if len(line.split()) > 5)
    counts = np.zeros((rows, 512))
    for row, line in zip(counts, lines, strict=False):
        for word in line.split():
            row[crc32(word.encode()) % 512] += 1
    counts *= np.log(rows / (1 + (counts > 0).sum(axis=0)))
    _, axes = np.linalg.eigh(counts.T @ counts)
    projected = counts @ axes[:, -dims:]
    vectors: NDArray[np.float32] = (projected / np.linalg.norm(projected, axis=1, keepdims=True)).astype(np.float32)
    return vectors
