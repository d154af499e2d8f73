"""The bootstrap over clusters, against resamples that are made one by one."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from emm1.evaluation.statistics import bootstrap
from emm1.evaluation.statistics.bootstrap import percentiles, resampled_means, resampled_medians

RNG = np.random.default_rng(1)
CLUSTER = np.concatenate([np.arange(7), RNG.integers(7, size=30)])
VALUES = RNG.random((37, 2))


def one_by_one(resamples: int) -> Iterator[NDArray[np.float64]]:
    """The samples of each resample, by the same draws, as often as their cluster was drawn."""
    rng = np.random.default_rng(0)
    for _ in range(resamples):
        yield np.concatenate([VALUES[cluster == CLUSTER] for cluster in rng.integers(7, size=7)])


@pytest.mark.parametrize("block", [1, 7 * 3, 1 << 22])
def test_means_and_medians_of_resamples(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "BLOCK", block)
    means = [sample.mean(axis=0) for sample in one_by_one(20)]
    medians = [np.median(sample[:, 0]) for sample in one_by_one(20)]
    assert resampled_means(VALUES, CLUSTER, 20) == pytest.approx(np.array(means))
    assert resampled_medians(VALUES[:, 0], CLUSTER, 20).tolist() == medians


def test_infinite_ranks_have_infinite_bounds() -> None:
    ranks = np.where(np.arange(40) < 19, 3.0, np.inf)
    drawn = resampled_medians(ranks, np.arange(40), 200)
    assert [float(bound) for bound in percentiles(drawn)] == [3.0, np.inf]


def test_intervals_are_wider_if_samples_of_a_cluster_are_alike() -> None:
    """Ten queries of each of 30 items, all with the value of the item: ten times the samples say no more."""
    items = np.random.default_rng(2).random(30)
    alone, together, apart = (
        np.ptp(percentiles(resampled_means(values[:, None], cluster, 2000)[:, 0]))
        for values, cluster in (
            (items, np.arange(30)),
            (np.repeat(items, 10), np.repeat(np.arange(30), 10)),
            (np.repeat(items, 10), np.arange(300)),
        )
    )
    assert together == pytest.approx(alone)
    assert apart < alone / 2
