"""Intervals of accuracies, compared with published values, with their definition, and with exact distributions."""

from itertools import product
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from emm1.evaluation.statistics import intervals
from emm1.evaluation.statistics.intervals import mean_over_classes, wilson

Z = 1.959963984540054  # of 95 %, as SciPy gives it


@pytest.mark.parametrize(
    ("correct", "samples", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(correct: int, samples: int, low: float, high: float) -> None:
    bounds = wilson(correct, samples)
    assert [round(float(bound), 4) for bound in bounds] == [low, high]


@pytest.mark.parametrize(
    ("correct", "samples", "low", "high"),
    [
        # statsmodels.stats.proportion.proportion_confint(…, method="wilson"), and SciPy's binomtest, which agree
        (12, 15, 0.5481455128483064, 0.9295245065301845),
        (15, 15, 0.7961166989641513, 1.0),
        (7, 15, 0.24809535365737387, 0.698830199745016),
        (1, 1, 0.2065493143772374, 1.0),
        (1034, 1680, 0.5919750733012831, 0.6384504207186482),
    ],
)
def test_wilson_as_in_statsmodels(correct: int, samples: int, low: float, high: float) -> None:
    assert [*map(float, wilson(correct, samples))] == pytest.approx([low, high], rel=1e-13)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_by_its_definition(case: tuple[int, int]) -> None:
    """At its bounds p, the observed proportion is z standard errors of p away; it is inside, and symmetrical."""
    k, n = case
    low, high = (float(bound) for bound in wilson(k, n))
    assert 0 <= low <= k / n <= high <= 1
    for bound in (low, high):
        if 0 < bound < 1:
            assert abs(k / n - bound) == pytest.approx(Z * sqrt(bound * (1 - bound) / n), rel=1e-6, abs=1e-12)
    mirrored = [1 - float(bound) for bound in wilson(n - k, n)]
    assert [low, high] == pytest.approx(mirrored[::-1], abs=1e-12)


def exact_mean(correct: list[int], samples: list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every value that the mean over classes can take in a resample, ascending, and its cumulative probability."""
    means: dict[float, float] = {0.0: 1.0}
    for k, n in zip(correct, samples, strict=True):
        p = k / n
        chances = [comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(n + 1)]
        added: dict[float, float] = {}
        for (mean, before), (j, chance) in product(means.items(), enumerate(chances)):
            value = round(mean + j / n / len(samples), 12)
            added[value] = added.get(value, 0.0) + before * chance
        means = added
    values = np.array(sorted(means))
    return values, np.cumsum([means[value] for value in values])


@pytest.mark.parametrize(
    ("correct", "samples"),
    [([3, 8, 5, 0], [10, 9, 20, 4]), ([7, 7, 7, 7, 7, 7], [15] * 6), ([1, 1], [2, 3]), ([14, 1, 30], [15, 1, 31])],
)
def test_bootstrap_against_the_exact_distribution(correct: list[int], samples: list[int]) -> None:
    """Of the exact distribution of resampled means, about 2.5 % lies on either side of the interval."""
    values, cumulative = exact_mean(correct, samples)
    low, high = mean_over_classes(correct, samples)
    noise = 0.005  # three standard errors of a percentile in 10,000 resamples
    for bound, share in ((low, 0.025), (high, 0.975)):
        below = cumulative[np.searchsorted(values, bound - 1e-9) - 1] if bound > values[0] + 1e-9 else 0.0
        upto = cumulative[np.searchsorted(values, bound + 1e-9) - 1]
        assert below - noise <= share <= upto + noise


def test_bootstrap_as_in_scipy() -> None:
    """scipy.stats.bootstrap with the samples of each class, n_resamples=100_000, method="percentile"."""
    low, high = mean_over_classes([3, 8, 5, 1, 0, 12], [10, 9, 20, 2, 4, 13])
    assert [low, high] == pytest.approx([0.3462962962962963, 0.6076923076923076], abs=0.01)


def test_bootstrap_is_repeatable_and_does_not_depend_on_the_order_of_classes() -> None:
    first = mean_over_classes([3, 8, 5, 12], [10, 9, 20, 13])
    assert first == mean_over_classes([12, 5, 8, 3], [13, 20, 9, 10])


@pytest.mark.parametrize(("correct", "value"), [([0, 0], 0.0), ([4, 2], 1.0), ([4, 0], 0.5)])
def test_classes_that_do_not_vary_give_a_point(correct: list[int], value: float) -> None:
    assert mean_over_classes(correct, [4, 2]) == (value, value)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """500 benchmarks of EShot's size, with known accuracies of their categories."""
    rng = np.random.default_rng(8)
    samples = np.full(112, 15)
    over_samples = over_classes = 0
    for _ in range(500):
        accuracies = rng.beta(2, 1.5, len(samples))
        correct = rng.binomial(samples, accuracies)
        truth = float(accuracies.mean())
        lowest, highest = wilson(correct.sum(), samples.sum())
        over_samples += bool(lowest <= truth <= highest)
        low, high = mean_over_classes(correct, samples)
        over_classes += low <= truth <= high
    # Wilson's interval takes all samples for equally hard, so it is a little wide.
    assert over_samples / 500 > intervals.LEVEL - 0.02
    assert intervals.LEVEL - 0.03 < over_classes / 500 < intervals.LEVEL + 0.03
