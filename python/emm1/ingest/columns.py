"""The columns of a published CSV file: the names in its header and in its table, and what their values must be."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from emm1.checks import shown
from emm1.dataset import FILE_MODALITIES, KEYS
from emm1.errors import SourceError
from emm1.ingest.content import open_text
from emm1.ingest.diagnose import Expected, syntax_problem
from emm1.ingest.enums import ENUMS

if TYPE_CHECKING:
    from emm1.ingest.sources import Source

# Columns that only some published files have; every other column of a table must be in its file.
OPTIONAL = {"youtube_id", "start_time", "end_time", "file_id"}
# Names that a published column has elsewhere in the dataset's own documents.
ALIASES = {"eshot_points_id": "eshot_point_id"}
# NUL, or a byte that is not UTF-8, as surrogateescape has it.
NOT_TEXT = re.compile("[\0\udc80-\udcff]")
TRIPLET_MODALITIES = tuple(sorted(FILE_MODALITIES))
# Columns that only the first published triplets.csv has (39,219,623 bytes, SHA-256 a34e2bfc…).
EARLIEST_TRIPLETS = {"modality_1", "modality_2"}
# The names that the columns of triplets get where they are switched.
SWITCHED_NAMES = {
    "paired_modality": "annotated_modality",
    "annotated_modality": "paired_modality",
    "encord_paired_id": "encord_annotated_id",
    "encord_annotated_id": "encord_paired_id",
}


@dataclass(frozen=True)
class Column:
    """A column of a published CSV file.

    Attributes:
        header: its name in the file.
        name: its name in the table.
        known: whether emm1 knows it; otherwise the table gets it as the file has it.
        expected: what its values must be.
    """

    header: str
    name: str
    known: bool
    expected: Expected

    @property
    def enum(self) -> bool:
        """Whether its values are those of an ENUM."""
        return self.known and self.name in ENUMS


def columns_of(source: Source, declared: Mapping[str, str], *, switch_triplet_columns: bool = False) -> list[Column]:
    """The columns of a file, in its order.

    Args:
        source: the file.
        declared: the type of each column that emm1 knows of its table.
        switch_triplet_columns: whether the paired and the annotated columns of triplets have their names switched.

    Raises:
        SourceError: a column is missing, or appears twice.
    """
    header = read_header(source.path)
    if source.table == "triplets" and set(header) >= EARLIEST_TRIPLETS:
        raise SourceError(
            f"{source.path} is the triplets.csv of 2025-10-14, whose columns were replaced on 2025-10-15 "
            f"(found: {shown(', '.join(header), 300)}): get the current file, of 2025-10-16"
        )
    names = [ALIASES.get(name, name) for name in header]
    if source.table == "triplets" and switch_triplet_columns:
        names = [SWITCHED_NAMES.get(name, name) for name in names]
    folded = [name.casefold() for name in names]
    twice = next((name for name in names if folded.count(name.casefold()) > 1), None)
    if twice is not None:
        raise SourceError(f"{source.path}: the header names the column {twice!r} twice: remove or rename one")
    for name in declared:
        if name not in names and name not in OPTIONAL:
            raise SourceError(f"{source.path}: the header has no column {name!r}{_hint(name, header, declared)}")
    return [
        Column(column, name, name in declared, _expected(source, name, declared))
        for column, name in zip(header, names, strict=True)
    ]


def note_of_absent(source: Source, columns: Sequence[Column], declared: Mapping[str, str]) -> str | None:
    """A note about the optional columns that a file lacks; None if it has all of them."""
    absent = sorted(OPTIONAL & declared.keys() - {column.name for column in columns})
    return f"{source.name} has no column {', '.join(absent)}: NULL in the store" if absent else None


def _hint(name: str, header: list[str], declared: Mapping[str, str]) -> str:
    """The column of a file that is probably the missing one, and the columns found."""
    alike = {column.casefold(): column for column in header if column not in declared}
    close = difflib.get_close_matches(name, alike, n=1, cutoff=0.5)
    hint = f"; {shown(alike[close[0]])} looks like it: rename it" if close else ""
    return f"{hint} (found: {shown(', '.join(header), 300)})"


def _expected(source: Source, name: str, declared: Mapping[str, str]) -> Expected:
    """What the values of a column must be; any value is allowed if emm1 does not know the column."""
    if name not in declared:
        return Expected()
    if name == KEYS.get((source.split, source.table)):
        return Expected("INTEGER", required=True, unique=True)
    if name == "nn_index":
        rank = str(source.rank)
        return Expected("SMALLINT", required=True, allowed={rank}, what=f"the rank of its folder, {rank}")
    if name in ("paired_modality", "annotated_modality"):
        what = f"a modality ({', '.join(TRIPLET_MODALITIES)})"
        return Expected(required=True, allowed=TRIPLET_MODALITIES, what=what)
    if name == "annotation":
        return Expected("SMALLINT", required=True, what="a code of annotation_mapping.csv")
    kind = declared[name]  # ENUMs are text in a file
    return Expected(kind if kind in ("INTEGER", "SMALLINT", "DOUBLE") else "VARCHAR")


def read_header(path: Path) -> list[str]:
    """The first row of a CSV file.

    Raises:
        SourceError: there is none, or it is not text.
    """
    with open_text(path, errors="surrogateescape") as file:
        last = ""
        try:
            header = next(csv.reader((last := line for line in file), strict=True), [])
            problem = _header_problem(header, last)
        except csv.Error as error:
            problem = syntax_problem(str(error))
    if NOT_TEXT.search(last):
        problem = "the header is not CSV text in UTF-8: convert the file to it or download it again"
    if problem:
        raise SourceError(f"{path}, line 1: {problem}")
    return header


def has_rows(path: Path) -> bool:
    """Whether a CSV file has a row, empty lines aside, after its header."""
    with open_text(path, errors="surrogateescape") as file:
        return sum(1 for row in islice(filter(None, csv.reader(file)), 2)) > 1


def _header_problem(header: list[str], line: str) -> str | None:
    """What is wrong with a header, given the line that it ends in."""
    if not any(header):
        return "the header is empty: the first line must name the columns"
    if line.endswith("\r"):
        return "the lines end in CR alone: convert them to LF"
    for number, name in enumerate(header, 1):
        if not name:
            return f"column {number} of the header has no name: give it one"
        # If a name contains line ends of another kind than the file's own, DuckDB returns no rows and no error.
        if "\n" in name or "\r" in name:
            return f"the column name {shown(name)} has a line break: close its quote, or rename the column"
    return None
