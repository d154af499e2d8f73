"""The licences of items and of groups, as reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emm1.checks import shown
from emm1.curation.licenses.attribution import text_of
from emm1.curation.licenses.reviewed import TERMS, UNREVIEWED, UNSTATED
from emm1.curation.licenses.rows import NO_ADVICE, Licensed, said
from emm1.lazy import LazyModule

if TYPE_CHECKING:
    import polars as pl
else:
    pl = LazyModule("polars")

# Columns of the table licenses.
LICENSE_COLUMNS = ("modality", "source_dataset", "dataset_license", "spdx", "covers", "reviewed", *TERMS)
# Unreviewed texts that are named.
NAMED = 5


@dataclass(frozen=True)
class LicenseReport:
    """The licences of items; `str()` says in words what `to_frame` has as rows. No legal advice.

    Attributes:
        rows: how many items of each dataset, modality and source have each licence text.
        where: the condition that the items fulfil; None: all items of the store.
        flagged: how many items were flagged ``noncommercial`` or ``unreviewed-license``; None: none were to be.
    """

    rows: Sequence[Licensed] = field(repr=False)
    where: str | None = None
    flagged: int | None = None

    def to_frame(self) -> pl.DataFrame:
        """A row for each dataset, modality, source and licence text.

        Columns: dataset, modality, source_dataset, dataset_license (the text as published), spdx, covers, reviewed,
        commercial_use, redistribution, attribution, share_alike, items. The four terms are what the licence says of the items
        themselves, NULL where it does not say.
        """
        kinds = dict.fromkeys(("reviewed", *TERMS), pl.Boolean)
        schema = {name: kinds.get(name, pl.String) for name in ("dataset", *LICENSE_COLUMNS)} | {"items": pl.Int64}
        return pl.DataFrame([row.values() for row in self.rows], schema=schema)

    def attribution(self) -> str:
        """The text of an ATTRIBUTION file for these items: by source dataset and licence, with links. Plain text."""
        return text_of(self.rows)

    def __str__(self) -> str:
        """For people."""
        counts = (
            f"{row.dataset} {row.modality} {shown(row.source_dataset)}: {row.items:,} under {row.terms.spdx}, "
            + ", ".join(f"{name} {said(getattr(row.terms, name))}" for name in TERMS)
            for row in self.rows
        )
        return "\n".join([self.summary, *counts, *self.notes])

    @property
    def summary(self) -> str:
        """How many items may be used commercially, as far as their licences say."""
        counted = dict.fromkeys((True, False, None), 0)
        for row in self.rows:
            counted[row.terms.commercial_use] += row.items
        some = "items" if self.where is None else f"items where {self.where}"
        return (
            f"{sum(counted.values()):,} {some}: the licence allows commercial use of {counted[True]:,}, forbids it of "
            f"{counted[False]:,}, and does not say of {counted[None]:,}"
        )

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        notes = [NO_ADVICE]
        texts: dict[str, int] = {}
        unstated = 0
        for row in self.rows:
            spdx = row.terms.spdx
            if spdx == UNREVIEWED and row.dataset_license is not None:
                texts[row.dataset_license] = texts.get(row.dataset_license, 0) + row.items
            unstated += row.items if spdx == UNSTATED else 0
        for text, items in sorted(texts.items(), key=lambda each: (-each[1], each[0]))[:NAMED]:
            notes.append(f"unreviewed: the licence text {shown(text)} of {items:,} items, about which nothing is said")
        if len(texts) > NAMED:
            notes.append(f"unreviewed: {len(texts) - NAMED:,} more licence texts")
        if unstated:
            notes.append(f"{unstated:,} items have no licence text")
        if self.flagged is not None:
            notes.append(f"flagged noncommercial or unreviewed-license: {self.flagged:,} items of the store")
        return notes


@dataclass(frozen=True)
class GroupLicenseReport:
    """The strictest terms among the items of each group; `str()` says in words what `to_frame` has as rows. No legal advice.

    Attributes:
        rows: for each combination of terms, how many groups have it: commercial_use, redistribution, attribution, share_alike,
            groups.
        where: the condition that the groups fulfil; None: all groups.
    """

    rows: Sequence[tuple[bool | None, bool | None, bool | None, bool | None, int]] = field(repr=False)
    where: str | None = None

    def to_frame(self) -> pl.DataFrame:
        """A row for each combination of terms: commercial_use, redistribution, attribution, share_alike, groups."""
        schema = {**dict.fromkeys(TERMS, pl.Boolean), "groups": pl.Int64}
        return pl.DataFrame(self.rows, schema=schema, orient="row")

    def __str__(self) -> str:
        """For people."""
        counts = (
            f"{count:,} groups: " + ", ".join(f"{name} {said(value)}" for name, value in zip(TERMS, terms, strict=True))
            for *terms, count in self.rows
        )
        return "\n".join([self.summary, *counts, *self.notes])

    @property
    def summary(self) -> str:
        """How many groups there are."""
        return f"{sum(row[-1] for row in self.rows):,} groups" + (f" where {self.where}" if self.where else "")

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        return [NO_ADVICE]


def license_frame(rows: Iterable[Licensed]) -> pl.DataFrame:
    """The rows of the table licenses: those of the report, whatever the dataset."""
    report = LicenseReport(list(rows))
    return report.to_frame().select(LICENSE_COLUMNS).unique(maintain_order=True)
