"""Files that cannot be read: their vectors are rows of NaN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Loaded = TypeVar("Loaded")


def read_image(path: str) -> Any:
    """An image as `PIL.Image.Image` in RGB; None if it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow raises for damaged files
        return None


def encode_readable(
    loaded: Sequence[Loaded | None], dims: int, encode: Callable[[list[Loaded]], NDArray[Any]]
) -> NDArray[np.float32]:
    """The vectors of what could be loaded, and rows of NaN for what is None: float32, (loaded, dims).

    >>> encode_readable(["ab", None], 1, lambda words: np.array([[len(word)] for word in words])).tolist()
    [[2.0], [nan]]
    """
    vectors = np.full((len(loaded), dims), np.nan, np.float32)
    there = [number for number, item in enumerate(loaded) if item is not None]
    if there:
        vectors[there] = encode([item for item in loaded if item is not None])
    return vectors
