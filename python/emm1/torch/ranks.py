"""Which of its ranks a caption has in an epoch: another one each time, until it had all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emm1.hashing import splitmix64


def ranks_in(epoch: int, seed: int, captions: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place, from 0, of the rank that each caption has in an epoch; over as many epochs as it has ranks, each place once.

    A caption's places are in an order of its own, which its id, the seed and the round decide: those of hashes, sorted.

    Args:
        epoch: the epoch, any integer.
        seed: any integer of 64 bits.
        captions: ids, int64, (n,).
        counts: how many ranks each has, at least 1, (n,).

    >>> one = np.array([7]), np.array([3])
    >>> [int(ranks_in(epoch, 0, *one)[0]) for epoch in range(6)]
    [1, 0, 2, 0, 2, 1]
    """
    if not len(captions):
        return np.empty(0, np.int64)
    rounds, turns = np.divmod(epoch, counts)
    width = int(counts.max())
    (key,) = splitmix64([seed]).view(np.int64)
    keys = splitmix64(splitmix64(captions ^ key).view(np.int64) ^ rounds).view(np.int64)
    hashes = splitmix64(keys[:, None] ^ np.arange(width))
    # The place in the lowest bits of its hash, so that sorting brings it along.
    low = np.uint64((1 << width.bit_length()) - 1)
    hashes = hashes & ~low | np.arange(width, dtype=np.uint64)
    hashes[np.arange(width) >= counts[:, None]] = np.iinfo(np.uint64).max
    hashes.sort(axis=1)
    return (hashes[np.arange(len(captions)), turns] & low).astype(np.int64)
