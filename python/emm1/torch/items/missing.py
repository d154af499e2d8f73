"""What stands in a row for what is not there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Missing:
    """Stands in a row for media that could not be read, or for a vector that is not there; `collate` drops such rows.

    Attributes:
        reason: what is missing, and why.
    """

    reason: str
