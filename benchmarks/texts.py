"""Real vectors of lines of text: latent semantic analysis here, and models that encode in modules of their own."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[Any]

FEATURES = 4096
"""Number of buckets in which words are counted, by their hash."""
WORDS = 6


def texts(most: int, random: np.random.Generator) -> list[str]:
    """Distinct lines of prose from this machine: comments and docstrings of its Python packages."""
    prose = re.compile(r"[\w ,.;:'\"()/-]+")
    found: dict[str, None] = {}
    for root in sorted({*map(Path, sys.path), Path(os.__file__).parent}):
        for file in sorted(root.rglob("*.py")) if root.is_dir() else ():
            for line in file.read_text("utf-8", "ignore").splitlines():
                text = line.strip(" #\"'")
                if text.count(" ") >= WORDS and prose.fullmatch(text):
                    found[text] = None
    lines = list(found)
    random.shuffle(lines)
    return lines[:most]


def latent_semantic(lines: list[str], dims: int) -> Vectors:
    """Latent semantic analysis: word counts weighted by rarity, projected onto their principal axes."""
    words = [[hash_of(word) for word in re.findall(r"\w+", line.lower())] for line in lines]
    counts = np.zeros(FEATURES)
    for line in words:
        counts[list(set(line))] += 1
    weights = np.log(len(lines) / (1 + counts)).astype(np.float32)
    matrix = np.zeros((len(lines), FEATURES), np.float32)
    for row, line in zip(matrix, words, strict=True):
        np.add.at(row, line, weights[line])
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    _, axes = np.linalg.eigh(matrix.T @ matrix)
    projected: Vectors = matrix @ axes[:, -dims:]
    return projected


def hash_of(word: str) -> int:
    return int.from_bytes(word.encode()[:16].ljust(16), "little") % 4_294_967_291 % FEATURES
