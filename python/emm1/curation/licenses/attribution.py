"""The text of an ATTRIBUTION file: whom to name for some items, and what their licences say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from emm1.curation.licenses.reviewed import TERMS, UNSTATED, covered, source_of, terms_for, terms_of
from emm1.curation.licenses.rows import NO_ADVICE, Licensed, said
from emm1.dataset import MODALITIES
from emm1.streams import printable

WIDTH = 100
INTRODUCTION = (
    "The items come from the datasets below. The database that brings them together is E-MM1 by Encord "
    "(https://github.com/encord-team/E-MM1), under the Open Data Commons Attribution License, ODC-By-1.0 "
    "(https://spdx.org/licenses/ODC-By-1.0.html), which is of the database, not of its items."
)
NOTHING = "There are no items."


def text_of(rows: Sequence[Licensed]) -> str:
    """The text for items: a section for each source dataset and licence text. Values of the files are on one line each."""
    by: dict[tuple[str, str], list[Licensed]] = {}
    for row in rows:
        by.setdefault((row.source_dataset or "", row.dataset_license or ""), []).append(row)
    lines = ["ATTRIBUTION", "", *wrap(INTRODUCTION, WIDTH, break_on_hyphens=False, break_long_words=False)]
    lines += ["", *wrap(f"This is {NO_ADVICE}.", WIDTH)]
    for (source, text), alike in sorted(by.items()):
        lines += ["", *_section(source, text, alike)]
    if not by:
        lines += ["", NOTHING]
    return "\n".join(lines) + "\n"


def _section(source: str, text: str, rows: list[Licensed]) -> list[str]:
    name = printable(source, lines=False) or "No source dataset is stated"
    if not source and all(row.dataset == "eshot" for row in rows):
        name = "EShot (no source dataset is stated)"
    terms, known = terms_of(text), source_of(source)
    lines = [name, "-" * min(len(name), WIDTH)]
    for label, value in (("Source", known.link), ("Citation", known.citation)):
        if value:
            lines.append(f"{label}: {value}")
    lines.append(f"Licence as published: {printable(text, lines=False) or 'none is stated'}")
    if terms.spdx != UNSTATED:
        lines.append(f"SPDX: {terms.spdx}" + (f" ({terms.link})" if terms.link else ""))
    if terms.note:
        lines.append(f"Note: {terms.note}")
    for modality in MODALITIES:
        alike = [row for row in rows if row.modality == modality]
        if alike:
            lines += _items(modality, source, text, alike)
    return lines


def _items(modality: str, source: str, text: str, rows: Iterable[Licensed]) -> Iterable[str]:
    terms = terms_for(modality, source, text)
    what = "captions" if modality == "text" else modality
    yield f"Items: {sum(row.items for row in rows):,} ({what}); the licence covers: {covered(modality, source, text) or 'not known'}"
    yield "  " + ", ".join(f"{name.replace('_', ' ')}: {said(getattr(terms, name))}" for name in TERMS)
