"""The vectors of the benchmark (isotropic, clustered, and two kinds of real ones) and the queries."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[Any]

DIMS = 1024
PART = 20_000
REAL_ROWS = 100_000
TEXTS_ENCODED = 50_000
"""Lines that the sentence model encodes, which takes some minutes on two cores."""
FEATURES = 4096
"""Number of buckets in which words are counted, by their hash."""


def isotropic(rows: int, dims: int, random: np.random.Generator) -> Iterator[Vectors]:
    for begin in range(0, rows, PART):
        yield random.standard_normal((min(PART, rows - begin), dims), dtype=np.float32)


def clustered(rows: int, dims: int, random: np.random.Generator) -> Iterator[Vectors]:
    """Two thousand clusters, with eight dominant dimensions, as trained models have."""
    centres = random.standard_normal((2000, dims), dtype=np.float32)
    centres[:, :8] *= 8
    for part in isotropic(rows, dims, random):
        yield centres[random.integers(0, len(centres), len(part))] + 0.4 * part


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


WORDS = 6


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


def real_lsa(rows: int, random: np.random.Generator) -> Iterator[Vectors]:
    yield latent_semantic(texts(min(rows, REAL_ROWS), random), DIMS)


def real_minilm(rows: int, random: np.random.Generator) -> Iterator[Vectors]:
    from benchmarks.minilm import encode

    yield encode(texts(min(rows, TEXTS_ENCODED), random))


REAL = ("lsa", "minilm")
KINDS = ("isotropic", "clustered", *REAL)
Maker = Callable[[int, np.random.Generator], Iterator[Vectors]]
MAKERS: dict[str, Maker] = {
    "isotropic": lambda rows, random: isotropic(rows, DIMS, random),
    "clustered": lambda rows, random: clustered(rows, DIMS, random),
    "narrow": lambda rows, random: clustered(rows, 384, random),
    "lsa": real_lsa,
    "minilm": real_minilm,
    "tiny": lambda rows, random: isotropic(rows, 16, random),
}


def write(path: Path) -> Path:
    """Write unit vectors to a file KIND-ROWS.npy or KIND-ROWS-f16.npy, unless it exists."""
    if path.exists():
        return path
    kind, wanted, *half = path.stem.split("-")
    rows, dtype = int(wanted), np.float16 if half else np.float32
    if half:
        vectors = np.load(write(path.with_name(f"{kind}-{rows}.npy")), mmap_mode="r")
        parts = (vectors[begin : begin + PART] for begin in range(0, len(vectors), PART))
    else:
        made = MAKERS[kind](rows, np.random.default_rng(7))
        parts = (part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9) for part in made)
    first = next(parts)
    shape = (len(first) if kind in REAL else rows, first.shape[1])  # real vectors come in one part, and may be fewer
    new = path.with_suffix(".new")
    file = np.lib.format.open_memmap(new, mode="w+", dtype=dtype, shape=shape)
    begin = 0
    for part in chain([first], parts):
        file[begin : begin + len(part)] = part
        begin += len(part)
    file.flush()
    new.rename(path)
    return path


def queries_for(path: Path, count: int = 512) -> Vectors:
    """Vectors of the file with some noise; new vectors for isotropic files, in which no vectors are close anyway."""
    vectors = np.load(path, mmap_mode="r")
    random = np.random.default_rng(11)
    noise = random.standard_normal((count, vectors.shape[1]), dtype=np.float32) / np.float32(vectors.shape[1] ** 0.5)
    if "isotropic" in path.name:
        return noise
    return np.ascontiguousarray(vectors[random.integers(0, len(vectors), count)] + 0.3 * noise)
