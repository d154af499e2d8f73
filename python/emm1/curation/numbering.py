"""Which text or file each id is: numbers that captions of the same text share, and items of the same file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# One number for every id between the smallest and the largest: at most 400 MB. Wider ranges are searched.
WIDEST = 100_000_000


class Numbering:
    """The numbers of ids.

    Attributes:
        ids: the ids, ascending, each once.
        numbers: the number of each.

    >>> files = Numbering(np.array([7, 3]), np.array([0, 1], np.int32))
    >>> files.of(np.array([3, 4, 7, -1])).tolist()
    [1, -1, 0, -1]
    """

    def __init__(self, ids: NDArray[np.int64], numbers: NDArray[np.int32]) -> None:
        order = np.argsort(ids, kind="stable")
        self.ids, self.numbers = ids[order], numbers[order]
        self._table = None
        if len(ids) and self.ids[-1] - self.ids[0] < WIDEST:
            self._table = np.full(self.ids[-1] - self.ids[0] + 2, -1, np.int32)
            self._table[self.ids - self.ids[0]] = self.numbers

    def of(self, ids: NDArray[np.integer]) -> NDArray[np.int32]:
        """The number of each id; -1 where there is none."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int32)
        if self._table is None:
            places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
            return np.where(self.ids[places] == ids, self.numbers[places], np.int32(-1))
        # Ids outside of the range, also those below it, come to the last place, which holds -1.
        places = (ids.astype(np.int64) - self.ids[0]).view(np.uint64)
        numbers: NDArray[np.int32] = self._table[np.minimum(places, np.uint64(len(self._table) - 1))]
        return numbers

    def with_others(self, ids: NDArray[np.int64], first: int) -> Numbering:
        """The same, and numbers from `first` on for ids that have none yet."""
        numbers = np.arange(first, first + len(ids), dtype=np.int32)
        return Numbering(np.concatenate([self.ids, ids]), np.concatenate([self.numbers, numbers]))
