"""Tests and intervals for the difference between two models that classified the same samples."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.evaluation.statistics.intervals import LEVEL, RESAMPLES, SEED

Interval = tuple[float, float]


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test, which only counts the samples on which two models differ.

    If neither model is better, each such sample is as likely to be right in one as in the other, so `only_first` is
    binomial with probability 1/2. Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12, 1947, 153–157; the exact form is the sign test of W. J. Dixon and
    A. M. Mood, "The statistical sign test", Journal of the American Statistical Association 41, 1946, 557–566.

    Args:
        only_first: the number of samples that only the first model classifies correctly.
        only_second: the number that only the second model does.

    Returns:
        The p-value, exact but for one rounding; 1 if the models never differ.

    >>> mcnemar(1, 5), mcnemar(3, 3), mcnemar(0, 0)
    (0.21875, 1.0, 1.0)
    """
    differing = only_first + only_second
    term = tail = 1  # binomial coefficients, as integers of any size
    for chosen in range(min(only_first, only_second)):
        term = term * (differing - chosen) // (chosen + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << differing))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values corrected for their number.

    Of those that are at most α after the correction, the probability that any is there by chance is at most α, however the
    tests depend on each other. S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979, 65–70.

    Args:
        p_values: the p-values of one family of tests, (tests,).

    Returns:
        The corrected ones, in the same order, float64.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected


def difference_intervals(
    only_first: ArrayLike, only_second: ArrayLike, samples: ArrayLike
) -> tuple[Interval, Interval]:
    """The 95 % paired bootstrap intervals of the difference between two models' accuracies.

    Samples are resampled within their class, with replacement, each with the outcomes of both models, and an interval
    lies between the 2.5 % and the 97.5 % percentiles of 10,000 such differences (B. Efron and R. Tibshirani, "An
    Introduction to the Bootstrap", 1993, chapter 13). What a resample of a class adds to the difference depends on how many of
    its samples only one of the models classifies correctly, and these numbers are multinomial, which is what is drawn. The
    same numbers always give the same intervals, with one version of NumPy. Models that agree on every sample give a point.

    Args:
        only_first: by class, the number of samples that only the first model classifies correctly, (classes,).
        only_second: the number that only the second model does, (classes,).
        samples: the number of samples of each class, at least 1, (classes,).

    Returns:
        The interval of the difference of the accuracies over all samples, and of that of their means over classes.

    >>> (low, high), _ = difference_intervals([4, 6], [1, 0], [15, 15])
    >>> low < 9 / 30 < high
    True
    """
    counts = np.stack([only_first, only_second, samples]).astype(np.int64)
    outcomes, classes = np.unique(counts, axis=1, return_counts=True)
    first, second, n = outcomes
    shares = np.stack([first, second, n - first - second], axis=1) / n[:, None]
    # m classes with equal numbers are drawn at once: the sum of m multinomial numbers is multinomial, of m · n samples.
    drawn = np.random.default_rng(SEED).multinomial(classes * n, shares, (RESAMPLES, len(classes)))
    gained = drawn[..., 0] - drawn[..., 1]
    return (
        _percentiles(gained.sum(axis=1) / (classes * n).sum()),
        _percentiles((gained / n).sum(axis=1) / classes.sum()),
    )


def _percentiles(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
