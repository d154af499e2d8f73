"""Tests and intervals of differences, compared with their definitions, with enumerations, and with what is known of them."""

from fractions import Fraction
from itertools import combinations, product
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emm1.evaluation.statistics.significance import difference_intervals, holm, mcnemar

P_VALUES = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0]), min_size=1, max_size=7)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_by_its_definition(first: int, second: int) -> None:
    """Twice the probability of a binomial number that is at most as large as the smaller count, as fractions."""
    n = first + second
    tail = sum((Fraction(comb(n, i), 2**n) for i in range(min(first, second) + 1)), Fraction())
    assert mcnemar(first, second) == float(min(Fraction(1), 2 * tail))


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(7) for b in range(7)])
def test_mcnemar_is_the_permutation_test(first: int, second: int) -> None:
    """Swapping the two models in any subset of the samples is as likely: the share of swaps that differ at least as much."""
    signs = [1] * first + [-1] * second
    swapped = [
        abs(sum(s * w for s, w in zip(signs, swaps, strict=True))) for swaps in product((1, -1), repeat=len(signs))
    ]
    assert mcnemar(first, second) == sum(each >= abs(first - second) for each in swapped) / len(swapped)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (10, 2, 2 * (1 + 12 + 66) / 2**12),
        (0, 6, 2 / 2**6),
        (9, 1, 2 * (1 + 10) / 2**10),
    ],
)
def test_mcnemar_by_hand(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == mcnemar(second, first) == p


def test_mcnemar_of_very_many_samples() -> None:
    assert 0 < mcnemar(450, 550) < 0.01
    assert mcnemar(5000, 0) == 0.0  # below the smallest float
    assert mcnemar(1, 0) == mcnemar(5000, 5000) == 1.0


@given(P_VALUES)
def test_holm_is_bonferroni_closed(p: list[float]) -> None:
    """A hypothesis falls at α if Bonferroni's test rejects every set of hypotheses that it belongs to (Marcus et al. 1976)."""
    indices = range(len(p))
    sets = [chosen for size in range(1, len(p) + 1) for chosen in combinations(indices, size)]
    expected = [max(min(1.0, len(s) * min(p[i] for i in s)) for s in sets if each in s) for each in indices]
    assert holm(p).tolist() == pytest.approx(expected, rel=1e-12)


@given(P_VALUES, st.sampled_from([0.01, 0.05, 0.2]))
def test_holm_rejects_step_by_step(p: list[float], level: float) -> None:
    """Holm's own procedure: reject the smallest p-values as long as each is at most α over how many are left."""
    rejected = set()
    for step, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[index] * (len(p) - step) > level:
            break
        rejected.add(index)
    assert {i for i, corrected in enumerate(holm(p)) if corrected <= level} == rejected


def test_holm_of_nothing() -> None:
    assert holm([]).tolist() == []


def exact(first: list[int], second: list[int], samples: list[int], *, macro: bool) -> dict[float, float]:
    """The probability of every difference that resamples can have: all outcomes of all samples, drawn one after another."""
    chances = {0.0: 1.0}
    for a, b, n in zip(first, second, samples, strict=True):
        weight = 1 / n / len(samples) if macro else 1 / sum(samples)
        for _ in range(n):
            after: dict[float, float] = {}
            for value, chance in chances.items():
                for step, count in ((weight, a), (-weight, b), (0.0, n - a - b)):
                    reached = round(value + step, 12)
                    after[reached] = after.get(reached, 0.0) + chance * count / n
            chances = after
    return chances


@pytest.mark.parametrize(
    ("first", "second", "samples"),
    [
        ([3, 2, 0], [1, 0, 2], [6, 9, 4]),
        ([5, 5, 5, 1], [2, 2, 2, 1], [15, 15, 15, 15]),
        ([1], [1], [2]),
        ([8, 0], [0, 3], [12, 3]),
    ],
)
def test_bootstrap_against_the_exact_distribution(first: list[int], second: list[int], samples: list[int]) -> None:
    found = difference_intervals(first, second, samples)
    noise = 0.005  # three standard errors of a percentile in 10,000 resamples
    for (low, high), macro in zip(found, (False, True), strict=True):
        chances = exact(first, second, samples, macro=macro)
        for bound, share in ((low, 0.025), (high, 0.975)):
            below = sum(chance for value, chance in chances.items() if value < bound - 1e-9)
            upto = sum(chance for value, chance in chances.items() if value <= bound + 1e-9)
            assert below - noise <= share <= upto + noise


def test_bootstrap_by_drawing_the_samples_themselves() -> None:
    """Samples with both outcomes, drawn within their class by another generator."""
    first, second, samples = np.array([4, 9, 0, 2]), np.array([2, 1, 3, 2]), np.array([15, 20, 9, 31])
    rng = np.random.default_rng(5)
    by_class = [
        np.repeat([1, -1, 0], [a, b, n - a - b])[rng.integers(n, size=(40_000, n))].sum(axis=1)
        for a, b, n in zip(first, second, samples, strict=True)
    ]
    micro = np.sum(by_class, axis=0) / samples.sum()
    macro = np.mean([total / n for total, n in zip(by_class, samples, strict=True)], axis=0)
    for bounds, values in zip(difference_intervals(first, second, samples), (micro, macro), strict=True):
        assert bounds == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.015)


def test_bootstrap_is_normal_for_many_samples() -> None:
    """The difference of n pairs has the variance (a + b − (a − b)² / n) / n², which McNemar's statistic comes from."""
    a, b, n = 700, 500, 10_000
    half = 1.959963984540054 * sqrt(a + b - (a - b) ** 2 / n) / n
    (low, high), macro = difference_intervals([a], [b], [n])
    assert (low, high) == pytest.approx(((a - b) / n - half, (a - b) / n + half), abs=0.03 * half)
    assert macro == (low, high)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3).filter(any), min_size=1, max_size=5))
def test_bootstrap_is_repeatable_and_holds_the_difference(classes: list[tuple[int, int, int]]) -> None:
    first, second, neither = np.array(classes).T
    samples = first + second + neither
    found = difference_intervals(first, second, samples)
    order = np.arange(len(classes))[::-1]
    assert found == difference_intervals(first[order], second[order], samples[order])
    differences = (first - second).sum() / samples.sum(), ((first - second) / samples).mean()
    for (low, high), difference in zip(found, differences, strict=True):
        assert -1 <= low <= high <= 1
        assert low - 1e-9 <= difference <= high + 1e-9
        if not (first + second).any():
            assert (low, high) == (0.0, 0.0)


def test_wins_are_the_negative_of_losses() -> None:
    """Another model as the first only turns the interval round, but for the randomness of the draws."""
    there = difference_intervals([9, 4, 3], [1, 2, 7], [20, 15, 30])
    back = difference_intervals([1, 2, 7], [9, 4, 3], [20, 15, 30])
    for (low, high), (other_low, other_high) in zip(there, back, strict=True):
        assert (low, high) == pytest.approx((-other_high, -other_low), abs=0.02)
