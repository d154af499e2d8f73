"""Nearest class mean: samples classified by the means of their own kind, each without itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emm1.evaluation.zero_shot.classify import BLOCK, NO_VECTOR, Way, unit_rows
from emm1.evaluation.zero_shot.items import Items


def compare_without_self(samples: Items, items: Items, classes: list[str], way: Way) -> NDArray[np.float32]:
    """The cosine of each sample with the mean of each class, from which the item of the sample's own id is taken out.

    Means and cosines are computed in float64 and rounded once: what is left of a sum after a subtraction would be too
    inexact in float32, and equal means would not give equal cosines.

    Args:
        samples: the samples.
        items: what the means are of, with labels.
        classes: the names of the classes.
        way: as in `class_vectors`.

    Returns:
        float32, (samples, classes); minus infinity where a class has no other item.
    """
    vectors = unit_rows(items.vectors) if way == "prompts" else items.vectors
    rows = [items.rows[name] for name in classes]
    sums = np.stack([vectors[own].sum(axis=0, dtype=np.float64) for own in rows])
    sizes = np.array([len(own) for own in rows])
    means = _unit(sums / sizes[:, None])
    found = np.empty((len(samples.ids), len(classes)), np.float32)
    for start in range(0, len(found), BLOCK):
        found[start : start + BLOCK] = _unit(samples.vectors[start : start + BLOCK]) @ means.T
    sample_of = {item: row for row, item in enumerate(samples.ids.tolist())}
    for label, own in enumerate(rows):
        both = [
            (sample_of[item], row) for row, item in zip(own, items.ids[own].tolist(), strict=True) if item in sample_of
        ]
        if both:
            sample, row = np.array(both).T
            found[sample, label] = _without(samples.vectors[sample], sums[label] - vectors[row], sizes[label] - 1)
    return found


def _without(samples: NDArray[np.float32], sums: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """The cosine of each sample with the mean that is its own, (n,)."""
    if not size:
        return np.full(len(samples), NO_VECTOR, np.float32)
    cosines: NDArray[np.float32] = np.vecdot(_unit(samples), _unit(sums / size)).astype(np.float32)
    return cosines


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows scaled to unit length in float64, in which the squares of float32 do not overflow; a zero row stays zero."""
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    scaled: NDArray[np.float64] = vectors / np.where(norms == 0, 1, norms)
    return scaled
