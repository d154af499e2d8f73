"""Point clouds as OpenShape and others write them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

POINTS = 10_000


def cloud(points: int = POINTS) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(2)
    return random.uniform(-1, 1, (points, 3)).astype("f4"), random.uniform(0, 1, (points, 3)).astype("f4")


def openshape(xyz: NDArray[Any], rgb: NDArray[Any]) -> dict[str, Any]:
    """The entries that OpenShape's README lists, in an order of their own."""
    features = {"original": np.ones((1, 1280), "f4"), "prompt_avg": np.ones(1280, "f2")}
    return {
        "dataset": "Objaverse",
        "group": "000-001",
        "id": "5ddf82cf4290e22780d2e2b3868dd4a5",
        "xyz": xyz,
        "image_feat": np.ones((12, 1280), "f2"),
        "thumbnail_feat": np.ones((1, 1280), "f2"),
        "text": ["a chair"],
        "text_feat": [features],
        "blip_caption": "a chair",
        "blip_caption_feat": features,
        "retrieval_text": [],
        "score": np.float32(0.5),
        "rgb": rgb,
    }


def save_pickled(path: Path, value: Any, protocol: int = 4) -> Path:
    """As numpy.save does with each protocol that it has used: 2 and 3 by NumPy 1, 4 by NumPy 2."""
    array = np.empty((), object)
    array[()] = value
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(array, file, protocol)
    return path
