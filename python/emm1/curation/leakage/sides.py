"""What is compared with what: the sides, in the order in which they stand in a pair."""

from __future__ import annotations

# Their numbers in sql/curation/leakage/items.sql. The first are for training, the others for evaluation; a list comes last.
SIDES = ("100m", "1m", "validation", "test", "eshot")
TRAINING = SIDES[:2]
LIST = len(SIDES)


def names(listed: str | None) -> list[str]:
    """The names of the sides; a list that is called like another side says that it is a list.

    >>> names("audiocaps")[-1], names("test")[-1]
    ('audiocaps', 'test (list)')
    """
    if listed is None:
        return [*SIDES]
    return [*SIDES, f"{listed} (list)" if listed in SIDES else listed]
