"""A shuffle of row numbers that is computed, not stored: each position by itself, whatever the number of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.hashing import splitmix64

# Up to so many rows are sorted by their hashes; a network of so few bits would have few permutations to choose from.
SORTED = 1 << 16
# Each half of a number is changed by the other so often.
ROUNDS = 4


class Permutation:
    """A pseudorandom permutation of the numbers below `n`, which a seed and an epoch decide; the same on every machine.

    It is a Feistel network on the numbers of as many bits as `n` needs, walked until a number below `n` is met (J. Black and
    P. Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).

    Args:
        n: how many numbers.
        seed: any integer of 64 bits.
        epoch: another one.

    >>> Permutation(5, seed=0, epoch=0)([0, 1, 2, 3, 4]).tolist()
    [0, 1, 4, 2, 3]
    >>> Permutation(107_000_000, seed=0, epoch=0)([0, 1]).tolist()
    [51692868, 104700373]
    """

    def __init__(self, n: int, seed: int, epoch: int) -> None:
        self._n = n
        (key,) = splitmix64([seed])
        (key,) = splitmix64(np.array([epoch], np.int64) ^ np.array([key]).view(np.int64))
        self._keys = splitmix64(np.arange(2 * ROUNDS) ^ np.array([key]).view(np.int64)).view(np.int64)
        self._sorted: NDArray[np.int64] | None = None
        if n <= SORTED:
            hashes = splitmix64(np.arange(n) ^ self._keys[0])
            self._sorted = np.argsort(hashes, kind="stable")  # hashes of different numbers differ
        bits = max(n - 1, 1).bit_length()
        self._right = bits // 2
        self._masks = ((1 << (bits - self._right)) - 1, (1 << self._right) - 1)  # of the left and of the right half

    def __call__(self, positions: ArrayLike) -> NDArray[np.int64]:
        """The numbers at some positions, int64, in their shape; positions are from 0 to n - 1."""
        given = np.asarray(positions, np.int64)
        if self._sorted is not None:
            return self._sorted[given]
        numbers = self._network(given.ravel())
        while (out := numbers >= self._n).any():
            numbers[out] = self._network(numbers[out])
        return numbers.reshape(given.shape)

    def _network(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        left, right = numbers >> self._right, numbers & self._masks[1]
        for first, second in self._keys.reshape(ROUNDS, 2):
            left = left ^ (splitmix64(right ^ first).view(np.int64) & self._masks[0])
            right = right ^ (splitmix64(left ^ second).view(np.int64) & self._masks[1])
        return left << self._right | right
