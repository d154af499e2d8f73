"""The duplicates that were found, and what one should know of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from emm1.embeddings.file import Metric
from emm1.lazy import LazyModule

if TYPE_CHECKING:
    import polars as pl
else:
    pl = LazyModule("polars")


@dataclass(frozen=True, eq=False)
class DuplicatesReport:
    """Pairs of items that are alike; `str()` says in words what the frames have as rows.

    Attributes:
        name: the embeddings of the items `a`.
        other: those of the items `b`; None if all are of the same.
        metric: the metric: ``cosine``, ``dot`` or ``l2``.
        threshold: the lowest score of a pair; for l2, the greatest distance.
        rows: how many vectors the embeddings have, for one or for both.
        zero_rows: how many were left out because they have no direction, by which cosines go.
        pairs: how many pairs there are.
        hubs: the items with at least 100 partners, those with the most first, at most ten: dataset, modality, id, partners, hubs
            (how many there are in all) and item (its caption or the path of its file).
        dropped: the items that a kept item is like: dataset, modality, id, kept_dataset, kept_id, score.
        comparable: whether one item of a pair can take the place of the other; else nothing is dropped.
        flagged: how many of them were noted in the table ``flags``; None if that was not wanted. Embeddings may have ids that are
            no items of the store: these are not noted.
        sweep: threshold and pairs; None if it was not asked for.
        samples: some pairs that only just reach each threshold: threshold, a, b, score, item_a, item_b; None likewise.
    """

    name: str
    other: str | None
    metric: Metric
    threshold: float
    rows: tuple[int, ...]
    zero_rows: tuple[int, ...]
    pairs: int
    hubs: pl.DataFrame
    dropped: pl.DataFrame
    comparable: bool
    flagged: int | None
    sweep: pl.DataFrame | None
    samples: pl.DataFrame | None
    found: pl.DataFrame | Path = field(repr=False)

    def to_frame(self) -> pl.DataFrame:
        """The pairs: a, b and score, in the order of the rows of `name`, the best partner of each first."""
        return pl.read_parquet(self.found) if isinstance(self.found, Path) else self.found

    def __str__(self) -> str:
        """For people."""
        hubs = (
            f"hub: {modality} {number} of {dataset} has {partners:,} partners: {item}"
            for dataset, modality, number, partners, _, item in self.hubs.rows()
        )
        counts = (
            () if self.sweep is None else (f"{self._from(step)}: {_pairs(pairs)}" for step, pairs in self.sweep.rows())
        )
        return "\n".join([*self.notes, *hubs, self.summary, self.decision, *counts])

    @property
    def summary(self) -> str:
        """What was found."""
        what = f"within {self.name}" if self.other is None else f"of {self.name} and {self.other}"
        rows = " and ".join(f"{rows:,}" for rows in self.rows)
        return f"duplicates {what}, {rows} vectors: {_pairs(self.pairs)} with a {self._from(self.threshold)}"

    @property
    def decision(self) -> str:
        """What is kept."""
        if not self.comparable:
            return "nothing is dropped: items of different modalities cannot take each other's place"
        count = len(self.dropped)
        flagged = "" if self.flagged is None else f"; {self.flagged:,} flagged duplicate"
        return f"to drop: {count:,} {'item' if count == 1 else 'items'}, each a partner of a kept item{flagged}"

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        names = [self.name] if self.other is None else [self.name, self.other]
        notes = [
            f"left out: {zero:,} zero {'vector' if zero == 1 else 'vectors'} of {name}, which have no direction"
            for name, zero in zip(names, self.zero_rows, strict=True)
            if zero
        ]
        if len(self.hubs):
            notes.append(
                f"hubs: {self.hubs['hubs'][0]:,} items have 100 partners or more: look at them first, silence and blank pictures "
                "are like much else"
            )
        return notes

    def _from(self, threshold: float) -> str:
        names = {"cosine": "cosine of at least", "dot": "dot product of at least", "l2": "distance of at most"}
        return f"{names[self.metric]} {threshold:g}"


def _pairs(count: int) -> str:
    return f"{count:,} {'pair' if count == 1 else 'pairs'}"
