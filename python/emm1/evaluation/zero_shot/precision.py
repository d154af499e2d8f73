"""Average precision: how well similarities find the samples of a class, also of samples with several."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from emm1.evaluation.zero_shot.classify import NO_VECTOR, Outcome


def average_precision(scores: NDArray[np.float32], positives: NDArray[np.float32]) -> float:
    """The average precision as scikit-learn defines it: a threshold at each score, equal scores found together.

    Args:
        scores: of everything, (n,).
        positives: of what should be found, which are some of `scores`, (positives,).

    Returns:
        The sum of precision times the increase of recall, from the highest threshold down; NaN without positives.

    >>> x = np.float32([0.9, 0.8, 0.8, 0.1])
    >>> round(average_precision(x, x[[0, 1]]), 4)
    0.8333
    """
    if not len(positives):
        return np.nan
    scores, positives = np.sort(scores), np.sort(positives)
    found = len(positives) - np.searchsorted(positives, positives)
    return float(np.mean(found / (len(scores) - np.searchsorted(scores, positives))))


def by_class(outcome: Outcome) -> NDArray[np.float64]:
    """The average precision of each class, over all samples for which it has a vector; NaN without one of its own, (classes,)."""
    order = np.argsort(outcome.label, kind="stable")
    starts = np.searchsorted(outcome.label[order], np.arange(outcome.similarity.shape[1] + 1))
    found = np.empty(outcome.similarity.shape[1])
    for label, (start, end) in enumerate(pairwise(starts)):
        scores = outcome.similarity[:, label]
        found[label] = average_precision(_known(scores), _known(scores[outcome.sample[order[start:end]]]))
    return found


def micro(outcome: Outcome) -> float:
    """The average precision over all pairs of a sample and a class at once."""
    positives = outcome.similarity[outcome.sample, outcome.label]
    return average_precision(_known(outcome.similarity.reshape(-1)), _known(positives))


def _known(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scores of classes that have a vector."""
    known: NDArray[np.float32] = scores[scores != NO_VECTOR]
    return known
