"""The computed shuffle is a permutation, and no worse than a shuffled list."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emm1.torch.permutation import SORTED, Permutation


@given(st.integers(1, 5_000) | st.integers(SORTED - 2, SORTED + 3), st.integers(-(2**63), 2**63 - 1), st.integers(0, 9))
def test_each_number_comes_once(n: int, seed: int, epoch: int) -> None:
    order = Permutation(n, seed, epoch)(np.arange(n))
    assert np.array_equal(np.sort(order), np.arange(n))


@pytest.mark.parametrize("n", [SORTED + 1, 100_003, 131_072])
def test_each_number_comes_once_in_a_network(n: int) -> None:
    order = Permutation(n, 7, 3)(np.arange(n))
    assert np.array_equal(np.sort(order), np.arange(n))
    # A position at a time, in any order, gives the same numbers.
    some = np.random.default_rng(0).integers(0, n, 100)
    assert [int(Permutation(n, 7, 3)(p)) for p in some] == order[some].tolist()


def test_positions_of_billions() -> None:
    n = 2**40 + 12_345
    numbers = Permutation(n, 1, 0)(np.arange(n - 10_000, n))
    assert len(set(numbers.tolist())) == 10_000
    assert numbers.min() >= 0
    assert numbers.max() < n


@pytest.mark.parametrize("n", [6, 1_000, SORTED + 1_000])
def test_seeds_and_epochs_give_other_orders(n: int) -> None:
    orders = {tuple(Permutation(n, seed, epoch)(np.arange(5)).tolist()) for seed in range(8) for epoch in range(8)}
    assert len(orders) > (40 if n > 6 else 20)
    assert np.array_equal(Permutation(n, 5, 2)(np.arange(n)), Permutation(n, 5, 2)(np.arange(n)))


@pytest.mark.parametrize("n", [4, 70_000])
def test_every_number_is_as_likely_at_every_position(n: int) -> None:
    """Chi-squared over four parts of the numbers and four parts of the positions, over many seeds."""
    counts = np.zeros((4, 4))
    seeds = 2_000 if n == 4 else 8
    positions = np.arange(n)
    for seed in range(seeds):
        numbers = Permutation(n, seed, 0)(positions)
        np.add.at(counts, (positions * 4 // n, numbers * 4 // n), 1)
    expected = counts.sum() / 16
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    assert chi_squared < 9 + 6 * math.sqrt(2 * 9)  # 9 degrees of freedom


def test_neighbours_are_torn_apart() -> None:
    n = 100_000
    order = Permutation(n, 0, 0)(np.arange(n)).astype(float)
    correlation = np.corrcoef(order[:-1], order[1:])[0, 1]
    assert abs(correlation) < 6 / math.sqrt(n)
