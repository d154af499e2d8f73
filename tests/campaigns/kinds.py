"""Vectors of many kinds: ordinary ones, and ones for which a search might go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Chance = np.random.Generator


def _clustered(chance: Chance, x: Doubles) -> Doubles:
    centres = chance.normal(size=(7, x.shape[1]))
    return centres[chance.integers(0, 7, len(x))] + 10.0 ** chance.integers(-7, 0) * x


def _last_bit(chance: Chance, x: Doubles) -> Doubles:
    steps = chance.integers(-1, 2, x.shape) * (chance.random(x.shape) < 2 / x.shape[1])
    one = np.tile(x[0].astype(np.float32), (len(x), 1))
    result: Doubles = one + steps * np.spacing(one).astype(np.float64)
    return result


def _ends(chance: Chance, x: Doubles) -> Doubles:
    result: Doubles = chance.choice([0, 1e-45, 1.2e-38, 1, 1e19, 3.4e38], x.shape) * np.sign(x)
    return result


# How normally distributed numbers, (rows, dims), are transformed.
KINDS: dict[str, Callable[[Chance, Doubles], Doubles]] = {
    "normal": lambda _, x: x,
    "clustered": _clustered,
    "falling": lambda _, x: x * 0.96 ** np.arange(x.shape[1]),  # with principal components that say most
    "copies": lambda chance, x: x[chance.integers(0, min(4, len(x)), len(x))],
    "last bit": _last_bit,
    "decades": lambda chance, x: x * 10.0 ** chance.uniform(-15, 15, (len(x), 1)),
    "mixed decades": lambda chance, x: x * 10.0 ** chance.uniform(-15, 15, x.shape),
    "far": lambda chance, x: x + chance.normal(size=x.shape[1]) * 10.0 ** chance.integers(1, 7),
    "sparse": lambda chance, x: x * (chance.random(x.shape) < 3 / x.shape[1]),
    "integers": lambda _, x: np.round(x * 2),
    "ends": _ends,
    "axes": lambda chance, x: (
        np.eye(x.shape[1])[chance.integers(0, x.shape[1], len(x))] * chance.choice([-2, 1, 3], (len(x), 1))
    ),
}


def components(kind: str, rows: int, dims: int, chance: Chance) -> Doubles:
    """Vectors of a kind, before they are stored; sometimes a few are zero."""
    x = KINDS[kind](chance, chance.normal(size=(rows, dims)))
    if chance.random() < 0.3:
        x[chance.random(rows) < 0.1] = 0
    return x


def as_stored(x: Doubles, dtype: str) -> NDArray[Any]:
    """Vectors in the type of a file, clipped to its range."""
    if dtype in {"int8", "uint8"}:
        ends = np.iinfo(dtype)
        return np.clip(np.round(x * 20), ends.min, ends.max).astype(dtype)
    most = 65504 if dtype == "float16" else float(np.finfo(np.float32).max)
    if dtype == "bfloat16":
        return np.clip(x, -1e38, 1e38).astype(ml_dtypes.bfloat16)
    return np.clip(x, -most, most).astype(dtype)
