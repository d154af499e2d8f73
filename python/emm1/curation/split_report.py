"""What a split has in training, validation and test, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emm1.curation.choice import LABELS, Largest
from emm1.lazy import LazyModule

if TYPE_CHECKING:
    import polars as pl
else:
    pl = LazyModule("polars")

COLUMNS = ("dataset", "what", *LABELS)
Counts = tuple[str, str, int, int, int, int]


@dataclass(frozen=True)
class SplitReport:
    """A split of a store; `str()` says in words what `to_frame` has as rows.

    Attributes:
        rows: for the captions (``text``), items, groups and triplets of each dataset, how many are for training,
            for validation, for test, and purged.
        by: ``caption`` or ``connected``.
        seed: the seed.
        dataset: the dataset whose texts were counted.
        texts: how many different texts it has.
        test: how many of them are for test.
        validation: how many are for validation.
        shared: how many groups and triplets of validation have a file that test has too.
        largest: of `connected`, how many components there are, and the largest; else None.
        replaced: how many rows of an earlier split were replaced.
    """

    rows: Sequence[Counts]
    by: str
    seed: int
    dataset: str
    texts: int
    test: int
    validation: int
    shared: int
    largest: Largest | None
    replaced: int

    def to_frame(self) -> pl.DataFrame:
        """A row for each dataset and kind of thing: dataset, what, train, validation, test, purged."""
        schema = {name: pl.String if name in ("dataset", "what") else pl.Int64 for name in COLUMNS}
        return pl.DataFrame(self.rows, schema=schema, orient="row")

    def __str__(self) -> str:
        """For people."""
        counts = (
            f"{dataset} {what}: "
            + ", ".join(f"{count:,} {label}" for count, label in zip(numbers, LABELS, strict=True))
            for dataset, what, *numbers in self.rows
        )
        return "\n".join([self.summary, *counts, *self.notes])

    @property
    def summary(self) -> str:
        """What was asked for."""
        return (
            f"by {self.by}, seed {self.seed}: {self.test:,} texts for test and {self.validation:,} for validation, "
            f"of {self.texts:,} in {self.dataset}"
        )

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        notes = []
        if self.largest:
            notes.append(
                f"components: {self.largest.components:,}; the largest has {self.largest.texts:,} texts and stays in training"
            )
        if self.shared:
            notes.append(
                f"{self.shared:,} groups and triplets of validation have a file that test has too (it counts as test)"
            )
        if self.replaced:
            notes.append(f"the split of before was replaced: {self.replaced:,} rows")
        return notes
