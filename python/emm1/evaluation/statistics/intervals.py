"""Intervals for accuracies: how far a number could be from the one that more samples would give."""

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 0


def wilson(correct: ArrayLike, samples: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 95 % Wilson score interval of a proportion.

    It holds every proportion p for which the observed one is within z standard errors, √(p·(1 − p) / n), of p. So it
    stays within 0 and 1, and is not empty if all samples or none are correct. E. B. Wilson, "Probable inference, the law of
    succession, and statistical inference", Journal of the American Statistical Association 22, 1927, 209–212.

    Args:
        correct: numbers of correct samples, from 0 to `samples`.
        samples: numbers of samples, at least 1, of the same shape or one that broadcasts.

    Returns:
        The lower and the upper bounds, float64.

    >>> low, high = wilson([0, 12, 15], 15)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.548, 0.796], [0.204, 0.93, 1.0])
    """
    k, n = np.asarray(correct, np.float64), np.asarray(samples, np.float64)
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    centre = k + z**2 / 2
    half = z * np.sqrt(k * (n - k) / n + z**2 / 4)
    # The bounds are exactly 0 and 1 at the ends, where the formula rounds, and never exclude k / n.
    low = np.where(k == 0, 0.0, (centre - half) / (n + z**2))
    high = np.where(k == n, 1.0, (centre + half) / (n + z**2))
    return np.asarray(low), np.asarray(high)


def mean_over_classes(correct: ArrayLike, samples: ArrayLike) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of the classes' accuracies.

    Samples are resampled within their class, with replacement, and the interval lies between the 2.5 % and the
    97.5 % percentiles of 10,000 such means (B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993,
    chapter 13). Of n samples of which k are correct, a resample has a binomial number of correct ones, which is what is
    drawn. The same numbers always give the same interval, with one version of NumPy. Classes in which all samples are
    correct, or none, do not vary; if all classes are such, the interval is a point.

    Args:
        correct: the number of correct samples of each class, (classes,).
        samples: the number of samples of each class, at least 1, (classes,).

    Returns:
        The lower and the upper bound.

    >>> low, high = mean_over_classes([3, 15, 8], [15, 15, 15])
    >>> low < (3 + 15 + 8) / 45 < high
    True
    """
    outcomes, classes = np.unique(np.stack([correct, samples]).astype(np.int64), axis=1, return_counts=True)
    k, n = outcomes
    # m classes with equal k and n are drawn at once: the sum of m binomial numbers is binomial, of m · n samples.
    drawn = np.random.default_rng(SEED).binomial(classes * n, k / n, (RESAMPLES, len(classes)))
    low, high = np.quantile((drawn / n).sum(axis=1) / classes.sum(), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
