"""The licence texts that were reviewed by hand (data/licenses.csv), and what those of each source are of (data/license_sources.csv)."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

UNREVIEWED = "LicenseRef-unreviewed"
# SPDX's word for a licence about which nothing is stated.
UNSTATED = "NOASSERTION"
TERMS = ("commercial_use", "redistribution", "attribution", "share_alike")
VALUES = {"true": True, "false": False, "": None}


@dataclass(frozen=True)
class Terms:
    """What a licence says; None: its text does not say.

    Attributes:
        spdx: SPDX identifier, or LicenseRef.
        commercial_use: whether commercial use is allowed.
        redistribution: whether passing on is allowed.
        attribution: whether the source must be named.
        share_alike: whether adaptations must have the same licence.
        link: where the licence is.
        note: what the reviewer noted.
        covers: ``collection`` if it is of a database alone, whatever the source; else it depends on the source.
    """

    spdx: str
    commercial_use: bool | None = None
    redistribution: bool | None = None
    attribution: bool | None = None
    share_alike: bool | None = None
    link: str = ""
    note: str = ""
    covers: str | None = None

    @property
    def reviewed(self) -> bool:
        """Whether somebody has reviewed the text."""
        return self.spdx not in {UNREVIEWED, UNSTATED}


@dataclass(frozen=True)
class SourceOfItems:
    """A dataset that items come from.

    Attributes:
        covers: what its licence is of, for items that are not captions: ``annotations``, ``collection`` or ``media``; None: not
            known.
        link: its page.
        citation: how its authors are named.
    """

    covers: str | None = None
    link: str = ""
    citation: str = ""


def terms_of(text: str | None) -> Terms:
    """What a licence text says: the exact text must have been reviewed, nothing is guessed.

    >>> terms_of("MIT").commercial_use, terms_of("mit").spdx, terms_of(None).spdx
    (True, 'LicenseRef-unreviewed', 'NOASSERTION')
    """
    if text is None or not text.strip():
        return Terms(UNSTATED)
    return reviewed().get(text, Terms(UNREVIEWED))


def source_of(name: str | None) -> SourceOfItems:
    """What is known about a source dataset."""
    return sources().get(name or "", SourceOfItems())


def covered(modality: str, source: str | None, text: str | None) -> str | None:
    """What the licence of items of a modality and source is of.

    >>> covered("audio", "AudioCaps", "MIT"), covered("text", "AudioCaps", "MIT"), covered("audio", "Another", "MIT")
    ('annotations', 'captions', None)
    >>> covered("text", "AudioCaps", "ODC-By-1.0")
    'collection'
    """
    return terms_of(text).covers or ("captions" if modality == "text" else source_of(source).covers)


def terms_for(modality: str, source: str | None, text: str | None) -> Terms:
    """What a licence says of the items themselves.

    A licence of annotations or of a collection neither permits anything about media nor frees from an obligation: ``true`` of a
    permission and ``false`` of an obligation become None. What it forbids or obliges to stays, because items come with it.

    >>> terms_for("text", "AudioCaps", "MIT").commercial_use, terms_for("audio", "AudioCaps", "MIT").commercial_use
    (True, None)
    """
    terms = terms_of(text)
    if covered(modality, source, text) in {"captions", "media"}:
        return terms
    return replace(
        terms,
        commercial_use=terms.commercial_use and None,
        redistribution=terms.redistribution and None,
        attribution=terms.attribution or None,
        share_alike=terms.share_alike or None,
    )


@cache
def reviewed() -> dict[str, Terms]:
    """The reviewed texts."""
    return {
        row["dataset_license"]: Terms(
            row["spdx"],
            **{name: VALUES[row[name]] for name in TERMS},
            link=row["link"] or ("" if row["spdx"].startswith("LicenseRef-") else _spdx_page(row["spdx"])),
            note=row["note"],
            covers=row["covers"] or None,
        )
        for row in _rows("licenses")
    }


@cache
def sources() -> dict[str, SourceOfItems]:
    """The source datasets that are known, by the names that the published files have for them."""
    return {
        row["source_dataset"]: SourceOfItems(row["covers"] or None, row["link"], row["citation"])
        for row in _rows("license_sources")
    }


def _spdx_page(identifier: str) -> str:
    return f"https://spdx.org/licenses/{identifier}.html"


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("emm1") / "data" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
