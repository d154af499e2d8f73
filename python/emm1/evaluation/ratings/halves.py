"""Two halves of the captions: what is fitted on one is tested on the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def fitted_on(captions: ArrayLike) -> NDArray[np.bool_]:
    """Whether the rows of a caption are in the half that is fitted on; the others are tested on.

    It depends on nothing but the id, so rows of one caption are in one half, and every model and every version of emm1 has the
    same halves. The hash is the finaliser of SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom
    number generators", OOPSLA 2014).

    Args:
        captions: ids of captions, (n,).

    >>> fitted_on(range(8)).tolist()
    [False, False, True, False, True, True, True, False]
    """
    x = np.asarray(captions, np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((x ^ (x >> np.uint64(31))) & np.uint64(1) == 0)
