"""Load ``annotation_mapping.csv``: two columns, a code and its label, whose header is not published."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb

from emm1.building.diagnose import INTEGER
from emm1.errors import SourceError


def load_labels(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Fill ``e_mm1_1m.annotation_mapping``; a first row whose code is no number is taken for the header.

    Returns:
        The number of codes.

    Raises:
        SourceError: a row is not a code and a label, or a code stands twice.
    """
    labels: dict[int, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file, strict=True) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is not CSV text in UTF-8 ({error}): download the file again") from None
    for number, row in enumerate(rows, 1):
        if len(row) != 2:  # noqa: PLR2004 - a code and a label
            raise SourceError(f"{path}, line {number}: {len(row)} fields, expected a code and its label")
        code, label = row
        if not INTEGER.fullmatch(code):
            if number == 1:
                continue
            raise SourceError(f"{path}, line {number}: the code {code!r} is not an integer")
        if not -(2**15) <= int(code) < 2**15:
            raise SourceError(f"{path}, line {number}: the code {code} is out of range for SMALLINT")
        if int(code) in labels:
            raise SourceError(f"{path}, line {number}: the code {code} stands twice")
        labels[int(code)] = label
    if not labels:
        raise SourceError(f"{path} has no codes: expected lines like 1,Good Match")
    connection.executemany("INSERT INTO e_mm1_1m.annotation_mapping VALUES (?, ?)", [*labels.items()])
    return len(labels)
