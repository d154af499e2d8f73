"""Classification by class vectors: how they are made, similarities, and the ranking of classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from emm1.checks import shown
from emm1.errors import EmbeddingError

Way = Literal["means", "prompts"]
WAYS: tuple[Way, ...] = get_args(Way)
NO_VECTOR = -np.inf  # the similarity to a class that has no vector for a sample
NEVER = np.iinfo(np.int64).max  # the position of such a class
BLOCK = 4096  # samples, to bound memory
EXPONENT = 50  # squares of components within 2^±50 stay within float32, for any dimension


@dataclass(frozen=True)
class Outcome:
    """Samples compared with every class.

    Attributes:
        ids: the samples, (n,).
        sample: the row of the sample, for every pair of a sample and one of its classes, ascending, (pairs,).
        label: the index of the class, likewise, (pairs,).
        similarity: float32, (n, classes); minus infinity where a class has no vector for a sample.
    """

    ids: NDArray[np.int64]
    sample: NDArray[np.int64]
    label: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def ranking(self, k: int | None = None) -> NDArray[np.int64]:
        """The k most similar classes of each sample, best first, (n, k); of equals, the later class first. All by default."""
        count = self.similarity.shape[1]
        if k == 1:
            found: NDArray[np.int64] = count - 1 - np.argmax(self.similarity[:, ::-1], axis=1, keepdims=True)
            return found
        best = np.empty((len(self.ids), count if k is None else min(k, count)), np.int64)
        for start in range(0, len(best), BLOCK):
            order = np.argsort(self.similarity[start : start + BLOCK], axis=1, kind="stable")[:, ::-1]
            best[start : start + BLOCK] = order[:, : best.shape[1]]
        return best

    @cached_property
    def position(self) -> NDArray[np.int64]:
        """How many classes come before the class of each pair in its sample's ranking, (pairs,)."""
        found = np.empty(len(self.label), np.int64)
        for start in range(0, len(found), BLOCK):
            part = slice(start, start + BLOCK)
            others, label = self.similarity[self.sample[part]], self.label[part, None]
            own = np.take_along_axis(others, label, axis=1)
            before = (others > own) | ((others == own) & (np.arange(others.shape[1]) > label))
            found[part] = np.where(own[:, 0] == NO_VECTOR, NEVER, before.sum(axis=1))
        return found

    def hits(self, k: int) -> NDArray[np.bool_]:
        """Whether any class of a sample is among its k most similar, (n,)."""
        hit = np.zeros(len(self.ids), np.bool_)
        hit[self.sample[self.position < k]] = True
        return hit


def class_vectors(vectors: Iterable[NDArray[np.float32]], way: Way) -> NDArray[np.float32]:
    """One vector of unit length for each class, (classes, dim).

    Args:
        vectors: the vectors of each class, (n, dim), n ≥ 1.
        way: ``means`` averages them as they are, as EShot does; ``prompts`` scales each to unit length before, as CLIP does
            with the texts of a class (A. Radford et al., "Learning transferable visual models from natural language
            supervision", 2021, section 3.1.4).

    Raises:
        EmbeddingError: a mean is beyond float32.

    >>> class_vectors([np.float32([[4, 0], [0, 3]])], "means").tolist() == [[np.float32(0.8), np.float32(0.6)]]
    True
    """
    with np.errstate(over="ignore"):  # found by the infinity that it gives
        return np.stack([_unit((unit_rows(own) if way == "prompts" else own).mean(axis=0)) for own in vectors])


def compare(samples: Iterable[NDArray[np.float32]], classes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cosine of each sample with each class.

    Args:
        samples: blocks of samples, (n, dim); the products of a block are computed at once, which decides their last bits.
        classes: vectors of unit length, (classes, dim).

    >>> compare([np.float32([[0, 2], [0, 0]])], np.eye(2, dtype=np.float32)).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    return np.concatenate([unit_rows(block) @ classes.T for block in samples])


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit length; a zero row stays zero."""
    vectors = _within_range(vectors)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[norms == 0] = 1
    scaled: NDArray[np.float32] = vectors / norms
    return scaled


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """A vector scaled to unit length; its norm is not rounded as that of `unit_rows`."""
    if not np.isfinite(vector).all():
        raise EmbeddingError("the vectors of a class are so large that their mean is beyond float32: scale them down")
    vector = _within_range(vector)
    scaled: NDArray[np.float32] = vector / (np.linalg.norm(vector) or np.float32(1))
    return scaled


def _within_range(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors whose squares would leave float32, scaled by a power of two, which changes no digit; others as they are."""
    _, exponent = np.frexp(np.abs(vectors).max(axis=-1, keepdims=True, initial=0))
    if (np.abs(exponent) <= EXPONENT).all():
        return vectors
    return np.ldexp(vectors, np.where(np.abs(exponent) > EXPONENT, -exponent, 0))


def check_way(way: object) -> None:
    """Refuse anything but a way to make class vectors.

    >>> check_way("average")
    Traceback (most recent call last):
    emm1.errors.EmbeddingError: class vectors are made from 'means' or 'prompts', not 'average'
    """
    if way not in WAYS:
        raise EmbeddingError(f"class vectors are made from {' or '.join(map(repr, WAYS))}, not {shown(way)}")
