"""Items of a split, looked up by id: by position in an array, without a join."""

from __future__ import annotations

import numpy as np
import polars as pl

# The array has a place for every id between the smallest and the largest: at most 400 MB. Wider ranges are joined.
WIDEST_RANGE = 100_000_000


def look_up(wanted: pl.Series, items: pl.DataFrame) -> pl.Series | None:
    """The item of each wanted id, or null if there is none.

    Args:
        wanted: ids, Int32.
        items: a column of ids, Int32, and a column of items.

    Returns:
        The items; None if an id repeats, or if the ids are too far apart for an array.

    >>> look_up(pl.Series([7, 5, 4, None], dtype=pl.Int32), pl.DataFrame({"id": [5, 7], "item": ["a", "b"]})).to_list()
    ['b', 'a', None, None]
    """
    ids, values = items.get_columns()
    if ids.is_empty():
        return values.extend_constant(None, len(wanted))
    low, high = int(ids.min()), int(ids.max())  # type: ignore[arg-type]
    if high - low >= WIDEST_RANGE:
        return None
    in_range = pl.when(wanted.is_between(low, high)).then(wanted - low)
    places = pl.select(in_range.cast(pl.UInt32)).to_series()
    numbers = ids.to_numpy()
    if not np.array_equal(numbers, np.arange(low, high + 1)):
        place_of = np.full(high - low + 1, -1, np.int32)
        place_of[numbers - low] = np.arange(len(ids), dtype=np.int32)
        if np.count_nonzero(place_of >= 0) < len(ids):
            return None
        places = pl.Series(place_of).gather(places).cast(pl.UInt32, strict=False)
    return values.rechunk().gather(places)
