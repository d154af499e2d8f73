"""What overlaps with what, and what is left for training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emm1.curation.leakage.lists import Listed
from emm1.curation.leakage.sides import TRAINING
from emm1.errors import StoreError
from emm1.lazy import LazyModule

if TYPE_CHECKING:
    import polars as pl
else:
    pl = LazyModule("polars")

COLUMNS = ("side_a", "modality_a", "side_b", "modality_b", "kind", "pairs", "items_a", "items_b")
# Row numbers in a note.
SHOWN = 20


@dataclass(frozen=True)
class LeakageReport:
    """Overlaps between the sides of a store, or between it and a list; `str()` says in words what `to_frame` has as rows.

    Attributes:
        counts: what `to_frame` gives.
        pairs: every pair: side_a, dataset_a, modality_a, id_a, the same of b, kind and detail. The id of a list's row is its
            number; it has a dataset and a modality only if it names an item of the store.
        leaking: the items that leak, as they are flagged: dataset, modality, id, flag, detail.
        clean_items: the items for training that do not: side, modality, id.
        sides: the names of the sides, those for training first.
        source: the source of the flags.
        listed: the list, if one was given.
        found: the numbers of its rows of which something was found.
    """

    counts: pl.DataFrame
    pairs: pl.DataFrame
    leaking: pl.DataFrame
    clean_items: pl.DataFrame
    sides: Sequence[str]
    source: str
    listed: Listed | None
    found: frozenset[int]

    def to_frame(self) -> pl.DataFrame:
        """A row for each pair of sides, their modalities and the kind of overlap, with how many pairs and items there are."""
        return self.counts

    def clean(self, side: str) -> pl.DataFrame:
        """The items for training of a side that overlap with nothing of evaluation: modality and id.

        Args:
            side: ``100m`` or ``1m``.

        Raises:
            emm1.errors.StoreError: another side.
        """
        if side not in TRAINING:
            raise StoreError(f"{side!r} is no side for training: {' or '.join(TRAINING)}")
        return self.clean_items.filter(pl.col("side") == side).drop("side")

    def save(self, folder: str | Path) -> Path:
        """Write leakage.txt, leakage.csv (`to_frame`), pairs.parquet, and clean-100m.parquet and clean-1m.parquet (`clean`).

        Args:
            folder: the folder to write to; created if missing. Files of these names are replaced.

        Returns:
            The folder.

        Raises:
            emm1.errors.Error: the folder is a file, or cannot be written.
        """
        from emm1.curation.leakage.files import save  # noqa: PLC0415 - only needed for files

        return save(self, Path(os.fspath(folder)))

    @property
    def summary(self) -> list[str]:
        """What was compared, and what leaks."""
        lines = []
        if self.listed is not None:
            counted = self.pairs.group_by("kind").agg(pl.col("id_b").n_unique()).sort("kind").rows()
            kinds = ", ".join(f"{rows:,} by {kind}" for kind, rows in counted)
            lines += [
                f"{self.listed.name}: {self.listed.total:,} rows, of which {len(self.found):,} were found{kinds and ': '}{kinds}"
            ]
            lines += [f"  {told}" for told in self.listed.columns]
        for side in TRAINING:
            leaking = self.leaking.filter(pl.col("dataset") == side).height
            clean = self.clean_items.filter(pl.col("side") == side).height
            lines.append(f"{side}: {leaking:,} items leak into {self._evaluation()}; {clean:,} are left for training")
        return lines

    def _evaluation(self) -> str:
        return ", ".join(self.sides[len(TRAINING) :] if self.listed is None else self.sides[-1:])

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        if self.listed is None:
            return []
        notes = []
        if self.listed.unknown:
            notes.append(f"{self.listed.name}: nothing that is known, and so left out: {_rows(self.listed.unknown)}")
        if self.listed.untimed:
            notes.append(
                f"{self.listed.name}: no start, so that any time of the video counts: {_rows(self.listed.untimed)}"
            )
        return notes

    def __str__(self) -> str:
        """For people."""
        rows = (
            f"{a} {modality_a or ''} – {b} {modality_b or 'rows'}, {kind}: {pairs:,} pairs, {items_a:,} and {items_b:,} items"
            for a, modality_a, b, modality_b, kind, pairs, items_a, items_b in self.counts.rows()
        )
        return "\n".join([*self.summary, *rows, *self.notes])


def _rows(numbers: Sequence[int]) -> str:
    some = ", ".join(f"{number}" for number in numbers[:SHOWN])
    more = f" and {len(numbers) - SHOWN:,} more" if len(numbers) > SHOWN else ""
    return f"{'row' if len(numbers) == 1 else 'rows'} {some}{more}"
