"""Compares published neighbours with those that a model gives: counts by rank, of some captions at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# What can be said of a published neighbour, in the order of the columns.
OUTCOMES = ("exact", "tied", "moved", "different", "without_vector", "null")


@dataclass(frozen=True)
class Published:
    """Published neighbours, (captions, ranks); column r is rank r + 1.

    Attributes:
        ids: int64; anything where `given` is False.
        listed: whether the store has a group of this caption and rank.
        given: whether that group names an item.
        comparable: whether the caption and that item have vectors.
        scores: the score of that item for the caption, float32; NaN where it is not comparable.
    """

    ids: NDArray[np.int64]
    listed: NDArray[np.bool_]
    given: NDArray[np.bool_]
    comparable: NDArray[np.bool_]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """The neighbours that a model gives, (captions, ranks), best first; where it has fewer, the score is NaN."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


class Counts:
    """Counts by rank, (ranks,).

    Attributes:
        outcomes: how many published neighbours have each outcome, by its name.
        wanted: how many published neighbours of this rank or a better one are compared; repeats of a caption count once.
        found: how many of these the model gives at this rank or a better one.
    """

    def __init__(self, ranks: int) -> None:
        self.outcomes = {name: np.zeros(ranks, np.int64) for name in OUTCOMES}
        self.wanted = np.zeros(ranks, np.int64)
        self.found = np.zeros(ranks, np.int64)

    def add(self, published: Published, found: Found) -> None:
        """Count the neighbours of some more captions."""
        for name, chosen in outcomes_of(published, found).items():
            self.outcomes[name] += chosen.sum(axis=0)
        wanted, needed = _as_sets(published, found)
        ranks = len(self.wanted)
        self.wanted += np.cumsum(wanted.sum(axis=0))
        self.found += np.cumsum(np.bincount(needed[wanted], minlength=ranks + 1)[:ranks])


def outcomes_of(published: Published, found: Found) -> dict[str, NDArray[np.bool_]]:
    """The outcome of each published neighbour.

    Returns:
        For each outcome, which ones have it, (captions, ranks); every neighbour that is listed has one:

        * exact: the model gives the same item at this rank;
        * tied: it gives another one there, whose score is the same;
        * moved: it gives the same item, or one of the same score, as many ranks better as there are published items without a
          vector at better ranks;
        * different: none of these;
        * without_vector: the caption or the item has no vector;
        * null: no item is named.
    """
    comparable = published.comparable
    missing = np.cumsum(published.given & ~comparable, axis=1)
    place = np.maximum(np.arange(comparable.shape[1]) - missing, 0)
    equal = comparable & (found.scores == published.scores)
    exact = equal & (found.ids == published.ids)  # the padding of ids may be any, that of scores equals nothing
    moved = comparable & ~equal & (np.take_along_axis(found.scores, place, 1) == published.scores)
    return {
        "exact": exact,
        "tied": equal & ~exact,
        "moved": moved,
        "different": comparable & ~equal & ~moved,
        "without_vector": published.given & ~comparable,
        "null": published.listed & ~published.given,
    }


def _as_sets(published: Published, found: Found) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which published neighbours are compared as sets, and at which rank, from 0, both lists have them.

    Returns:
        Two arrays, (captions, ranks); the rank is the number of ranks if the model does not give the item.
    """
    ids, comparable = published.ids, published.comparable
    ranks = ids.shape[1]
    earlier = np.tri(ranks, k=-1, dtype=bool)
    repeated = (ids[:, :, np.newaxis] == ids[:, np.newaxis]) & comparable[:, np.newaxis] & earlier
    wanted = comparable & ~repeated.any(axis=2)
    same = (ids[:, :, np.newaxis] == found.ids[:, np.newaxis]) & ~np.isnan(found.scores)[:, np.newaxis]
    place = np.where(same.any(axis=2), same.argmax(axis=2), ranks)
    return wanted, np.maximum(place, np.arange(ranks))
