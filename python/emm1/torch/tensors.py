"""Tensors where torch is installed, NumPy's arrays where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    import torch
except ModuleNotFoundError:
    torch = None


def as_tensor(array: NDArray[Any]) -> Any:
    """An array as a tensor on the same memory; without torch, the array."""
    return array if torch is None else torch.from_numpy(array)


def is_array(value: Any) -> bool:
    """Whether a value is an array or a tensor."""
    return isinstance(value, np.ndarray) or (torch is not None and isinstance(value, torch.Tensor))


def stacked(values: Sequence[Any]) -> Any:
    """Arrays or tensors of one shape and type as one, on a new first axis."""
    if isinstance(values[0], np.ndarray):
        return as_tensor(np.stack(values))
    return torch.stack(list(values))
