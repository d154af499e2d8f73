"""Hashes that are the same on every machine and in every version of emm1."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def splitmix64(values: ArrayLike) -> NDArray[np.uint64]:
    """The SplitMix64 hash of each integer, uint64: nearly equal integers have unrelated hashes.

    Its steps are those of G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

    >>> splitmix64([0, 1, -1]).tolist()
    [16294208416658607535, 10451216379200822465, 16490336266968443936]
    """
    x = np.asarray(values, np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return hashed


def digest_of(*arrays: NDArray[Any]) -> str:
    """The SHA-256 of the bytes of arrays, one after the other, without a copy of contiguous ones.

    >>> digest_of(np.array([1], np.int8), np.array([2], np.int8)) == digest_of(np.array([1, 2], np.int8))
    True
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
