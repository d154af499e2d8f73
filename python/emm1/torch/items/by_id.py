"""Values by ids, kept on the disk in the order of the ids, and mapped by every process."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.torch.rows import Rows


class ById:
    """Values by ids.

    Args:
        rows: columns ``id``, ascending and without NULL, and ``value``.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __call__(self, ids: pa.Array) -> list[Any]:
        """The value of each id; None for an id that has none, and for NULL."""
        if not len(self._rows):
            return [None] * len(ids)
        places, found = places_of(ids, self._rows.column("id").to_numpy())
        taken: list[Any] = self._rows.column("value").take(pa.array(places, mask=~found)).to_pylist()
        return taken


def places_of(ids: pa.Array, known: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each id is among known ids, which ascend, and whether it is there; NULL is not.

    >>> places, found = places_of(pa.array([7, 6, None]), np.array([5, 7, 9]))
    >>> places.tolist(), found.tolist()
    ([1, 1, 0], [True, False, False])
    """
    missing = ids.is_null().to_numpy(zero_copy_only=False)
    # Of the type of the known ones, all of which would be converted otherwise.
    wanted = ids.fill_null(0).to_numpy(zero_copy_only=False).astype(known.dtype)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return places, (known[places] == wanted) & ~missing


def sql(name: str) -> str:
    """A query of sql/training."""
    return (files("emm1") / "sql" / "training" / f"{name}.sql").read_text(encoding="utf-8")
