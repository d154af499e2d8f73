"""The vectors of the benchmark (isotropic, clustered, and four kinds of real ones) and the queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.texts import latent_semantic, texts

Vectors = NDArray[Any]

DIMS = 1024
PART = 20_000
QUERIES = 1000
"""Vectors of each kind that are kept out of the file, as queries."""
BATCH = 512
"""Queries of the largest batch."""
LINES = 100_000
LINES_ENCODED = 50_000
"""Lines that the sentence model encodes, which takes some minutes on two cores."""
MATCHING = (0.05, 0.2)
"""Cosines between a query of another modality and the row that it matches, as published for EBind."""


def isotropic(rows: int, dims: int, random: np.random.Generator) -> Iterator[Vectors]:
    for begin in range(0, rows, PART):
        yield random.standard_normal((min(PART, rows - begin), dims), dtype=np.float32)


def clustered(rows: int, dims: int, random: np.random.Generator) -> Iterator[Vectors]:
    """Two thousand clusters, with eight dominant dimensions, as trained models have."""
    centres = random.standard_normal((2000, dims), dtype=np.float32)
    centres[:, :8] *= 8
    for part in isotropic(rows, dims, random):
        yield centres[random.integers(0, len(centres), len(part))] + 0.4 * part


def real_lsa(rows: int, random: np.random.Generator) -> Iterator[Vectors]:
    yield latent_semantic(texts(min(rows, LINES + QUERIES), random), DIMS)


def real_minilm(rows: int, random: np.random.Generator) -> Iterator[Vectors]:
    from emm1.encoders import encoder_named

    yield encoder_named("minilm").encode("text", texts(min(rows, LINES_ENCODED + QUERIES), random))


def real_wordllama(rows: int, random: np.random.Generator) -> Iterator[Vectors]:
    from benchmarks.word_vectors import wordllama

    yield wordllama(texts(min(rows, LINES + QUERIES), random))


def real_glove(rows: int, random: np.random.Generator) -> Iterator[Vectors]:
    from benchmarks.word_vectors import glove

    yield glove(rows, random)


Maker = Callable[[int, np.random.Generator], Iterator[Vectors]]
REAL: dict[str, Maker] = {"lsa": real_lsa, "minilm": real_minilm, "wordllama": real_wordllama, "glove": real_glove}
KINDS = ("isotropic", "clustered", *REAL)
MAKERS: dict[str, Maker] = {
    "isotropic": lambda rows, random: isotropic(rows, DIMS, random),
    "clustered": lambda rows, random: clustered(rows, DIMS, random),
    "narrow": lambda rows, random: clustered(rows, 384, random),
    "tiny": lambda rows, random: isotropic(rows, 16, random),
    **REAL,
}
Asked = Literal["held out", "cross-modal"]
"""Queries: vectors of the file's kind that are not in it, or vectors as another modality has them."""


def write(path: Path) -> Path:
    """Write unit vectors to a file KIND-ROWS.npy or KIND-ROWS-f16.npy, and its queries, unless they exist."""
    if path.exists() and held_out(path).exists():
        return path
    kind, wanted, *half = path.stem.split("-")
    rows = int(wanted)
    if half:
        vectors = np.load(write(path.with_name(f"{kind}-{rows}.npy")), mmap_mode="r")
        parts = (vectors[begin : begin + PART] for begin in range(0, len(vectors), PART))
        save(path, parts, vectors.shape, np.float16)
        return path
    made = MAKERS[kind](rows + QUERIES, np.random.default_rng(7))
    parts = (part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9) for part in made)
    first = next(parts)
    count = len(first) - QUERIES if kind in REAL else rows  # real vectors come in one part, and may be fewer
    np.save(held_out(path), first[:QUERIES].astype(np.float32))
    save(path, chain([first[QUERIES:]], parts), (count, first.shape[1]), np.float32)
    return path


def save(path: Path, parts: Iterator[Vectors], shape: tuple[int, ...], dtype: type) -> None:
    """Write a file part by part; it has its name when it is complete."""
    new = path.with_suffix(".new")
    file = np.lib.format.open_memmap(new, mode="w+", dtype=dtype, shape=shape)
    begin = 0
    for part in parts:
        file[begin : begin + len(part)] = part
        begin += len(part)
    assert begin == len(file)
    file.flush()
    new.rename(path)


def held_out(path: Path) -> Path:
    """The file of queries for a file of vectors."""
    kind, rows, *_ = path.stem.split("-")
    return path.with_name(f"{kind}-{rows}-queries.npy")


def queries_for(path: Path, count: int = BATCH, asked: Asked = "held out") -> Vectors:
    """Queries for a file: float32, (count, dims)."""
    if asked == "cross-modal":
        vectors = np.load(path, mmap_mode="r")
        random = np.random.default_rng(11)
        return cross_modal(vectors[random.integers(0, len(vectors), count)].astype(np.float32), random)
    queries: Vectors = np.load(held_out(path))[:count]
    return queries


def cross_modal(matches: Vectors, random: np.random.Generator) -> Vectors:
    """Unit queries as a caption is to images: rotated and shifted, so that even a match has a small cosine.

    Args:
        matches: the unit row that each query matches, with a cosine between those of `MATCHING`.
        random: where the cosines, the rotation and the shift come from.
    """
    count, dims = matches.shape
    cosines = random.uniform(*MATCHING, (count, 1)).astype(np.float32)
    signs = random.choice(np.array([-1, 1], np.float32), dims)
    rotated = matches[:, random.permutation(dims)] * signs
    others = rotated + unit(random.standard_normal((1, dims), dtype=np.float32))
    others = unit(others - (others * matches).sum(axis=1, keepdims=True) * matches)
    queries: Vectors = cosines * matches + np.sqrt(1 - cosines**2) * others
    return queries


def unit(vectors: Vectors) -> Vectors:
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
