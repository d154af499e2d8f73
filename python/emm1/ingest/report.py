"""What a build did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from emm1.store.integrity import Orphans

# Called with the name of the current step, the amount done and the total (0 if unknown): bytes of a build, rows of an upgrade.
Progress = Callable[[str, int, int], None]


@dataclass
class BuildReport:
    """What a build did.

    Attributes:
        path: the store.
        rows: rows per table, by ``schema.table``.
        missing: published names of the files that were not there, and of the folders of splits of which there was nothing.
        read: published names of the files that were read.
        kept: those whose rows the store had already.
        dropped: those whose rows it had and no longer has.
        up_to_date: the store was so before, and was left as it is.
        orphans: per column, the ids that no row has.
        warnings: what the user should know and may have to act on.
        older_triplets: whether one of them is about the columns of triplets.csv.
        notes: what was found on the way.
        seconds: time taken.
        bytes: size of the store.
    """

    path: Path
    rows: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    up_to_date: bool = False
    orphans: list[Orphans] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    older_triplets: bool = False
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    bytes: int = 0
