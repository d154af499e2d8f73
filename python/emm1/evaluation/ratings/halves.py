"""Two halves of the captions: what is fitted on one is tested on the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.hashing import splitmix64


def fitted_on(captions: ArrayLike) -> NDArray[np.bool_]:
    """Whether the rows of a caption are in the half that is fitted on; the others are tested on.

    It depends on nothing but the id, so rows of one caption are in one half, and every model and every version of emm1 has the
    same halves: they go by the lowest bit of `splitmix64`.

    Args:
        captions: ids of captions, (n,).

    >>> fitted_on(range(8)).tolist()
    [False, False, True, False, True, True, True, False]
    """
    return np.asarray(splitmix64(captions) & np.uint64(1) == 0)
