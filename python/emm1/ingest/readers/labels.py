"""Read ``annotation_mapping.csv``: two columns, a code and its label, whose header is not published."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from emm1.checks import shown
from emm1.errors import SourceError
from emm1.ingest.content import open_text
from emm1.ingest.diagnose import INTEGER, LIMITS, syntax_problem, to_int
from emm1.ingest.fingerprint import fingerprint
from emm1.ingest.readers.contract import NewStore, ReadResult
from emm1.ingest.readers.duckdb_csv import diagnosis
from emm1.ingest.sources import Source


def read_labels(new_store: NewStore, sources: Sequence[Source]) -> list[ReadResult]:
    """Fill ``e_mm1_1m.annotation_mapping``.

    Raises:
        SourceError: a row is not a code and a label, or a code appears twice.
    """
    (source,) = sources
    digest = new_store.begin(source)
    labels = labels_in(source.path)
    new_store.connection.executemany("INSERT INTO e_mm1_1m.annotation_mapping VALUES (?, ?)", [*labels.items()])
    return [ReadResult(len(labels), fingerprint(source, digest))]


def check_annotations(new_store: NewStore, triplets: Source) -> None:
    """Refuse triplets with a code that has no label; the labels may have changed when the triplets did not.

    Raises:
        SourceError: there is one.
    """
    labels = new_store.connection.table("e_mm1_1m.annotation_mapping").select("annotation").fetchall()
    codes = new_store.connection.table("e_mm1_1m.triplets").select("annotation").distinct().fetchall()
    if labels and not set(codes) <= set(labels):
        what = "an annotation is not in annotation_mapping.csv"
        raise SourceError(diagnosis(new_store, triplets) or f"{triplets.path}: {what}")


def labels_in(path: Path) -> dict[int, str]:
    """The label of each code; a first row whose code is not a number is taken for the header.

    Raises:
        SourceError: a row is not a code and a label, or a code appears twice.
    """
    labels: dict[int, str] = {}
    line = 1
    try:
        with open_text(path) as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                problem = _row_problem(row, labels, first=line == 1) if row else None
                if problem:
                    raise SourceError(f"{path}, line {line}: {problem}")
                line = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{path}, line {line}: {syntax_problem(str(error))}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not valid UTF-8: convert it or download it again") from error
    if not labels:
        raise SourceError(f"{path} has no codes: expected lines like 1,Good Match")
    return labels


def _row_problem(row: list[str], labels: dict[int, str], *, first: bool) -> str | None:
    """Note the label of a row's code, or say what is wrong with the row; the first may be a header."""
    if len(row) != 2:  # noqa: PLR2004 - a code and a label
        return f"{len(row)} fields, expected a code and its label"
    code, label = row
    if not INTEGER.fullmatch(code):
        return None if first else f"the code {shown(code)} is not an integer"
    if not -LIMITS["SMALLINT"] <= to_int(code) < LIMITS["SMALLINT"]:
        return f"the code {shown(code)} is out of range for SMALLINT"
    if to_int(code) in labels:
        return f"the code {code} appears twice"
    labels[to_int(code)] = label
    return None
