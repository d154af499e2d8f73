"""Finds where a CSV file is wrong: DuckDB says quickly that it is; this says in which line and column, and what to do.

It runs only after reading has failed, so it may be slow: Python's csv module, row by row.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emm1.checks import shown
from emm1.ingest.content import open_content

INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
LIMITS = {"INTEGER": 2**31, "SMALLINT": 2**15}
# The most bytes of a row that DuckDB accepts.
LONGEST_ROW = 2_000_000


@dataclass(frozen=True)
class Expected:
    """What the values of a column must be.

    Attributes:
        type: ``INTEGER``, ``SMALLINT``, ``DOUBLE`` or ``VARCHAR``.
        required: whether there must be a value.
        unique: whether no value may appear twice.
        allowed: the possible values, or None for any; ``what`` names them.
    """

    type: str = "VARCHAR"
    required: bool = False
    unique: bool = False
    allowed: Collection[str] | None = None
    what: str = field(default="")


def first_defect(path: Path, columns: dict[str, Expected]) -> str | None:
    """The first defect of a CSV file, as a message for people; None if there is none.

    Args:
        path: the file; its first row is the header.
        columns: what the columns must be, by name; others may hold anything.
    """
    csv.field_size_limit(2**31 - 1)
    seen: dict[str, dict[int, int]] = {name: {} for name, column in columns.items() if column.unique}
    lines = _Lines(path)
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    number = 0
    start, ends = 1, set()
    spaced: str | None = None
    try:
        for row in reader:
            ends.add(lines.end)
            if header is None:
                header = row
            elif row:
                number += 1
                problem = _size_problem(lines) or _row_problem(header, row, columns, seen, start)
                if problem:
                    return f"{path}, line {start} (row {number}){problem}"
                spaced = spaced or _spaced_quote(header, row, f"{path}, line {start} (row {number})")
            start, lines.bytes = reader.line_num + 1, 0
    except UnicodeDecodeError as error:
        return f"{path}, line {lines.number}: bytes that are not UTF-8 ({error.object[error.start : error.start + 4]!r}): convert the file to UTF-8 or download it again"
    except csv.Error as error:
        return f"{path}, line {start}: {syntax_problem(str(error))}"
    if "\r" in ends:
        return f"{path}, line {lines.number}: the file ends in a carriage return (CR) alone: remove it, or end the line as the others end"
    if ends >= {"\n", "\r\n"}:
        return f"{path} mixes line ends (LF and CRLF): convert it to one kind"
    return spaced


class _Lines:
    """The lines of a file, decoded one by one, so that the line of a wrong byte is known.

    Attributes:
        number: the number of the last line.
        end: the line end of that line; empty at the end of the file.
        bytes: the number of bytes read since the caller last set it to 0.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self.end = ""
        self.bytes = 0

    def __iter__(self) -> Iterator[str]:
        with io.BufferedReader(open_content(self.path)) as file:
            for raw in file:
                self.number += 1
                self.bytes += len(raw)
                line = raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
                self.end = next((end for end in ("\r\n", "\n", "\r") if line.endswith(end)), "")
                yield line


def to_int(digits: str) -> int:
    """The integer in a field of digits; thousands of digits, which int() refuses, give a number out of range."""
    size = int(digits.lstrip("+-0")[:20] or "0")
    return -size if digits.startswith("-") else size


def syntax_problem(error: str) -> str:
    """What an error of the csv module means."""
    if "unexpected end" in error:
        return "a quote is opened and never closed: the file is cut short or this line is damaged; download it again"
    if "new-line character" in error:
        return "a bare carriage return (CR) outside quotes: convert the line ends to LF"
    return f"a quote opened here is never closed, or one inside the field is not doubled ({error}): download the file again or fix this line"


def _size_problem(lines: _Lines) -> str | None:
    if lines.bytes <= LONGEST_ROW:
        return None
    return f": {lines.bytes:,} bytes, and a row has {LONGEST_ROW:,} at most: a quote in it is closed too late, or the line is damaged"


def _row_problem(
    header: list[str],
    row: list[str],
    columns: dict[str, Expected],
    seen: dict[str, dict[int, int]],
    line: int,
) -> str | None:
    if len(row) != len(header):
        few = "few" if len(row) < len(header) else "many"
        return f": {len(row)} fields where the header has {len(header)}, too {few}: the line is damaged, or a comma in it is not quoted"
    for name, value in zip(header, row, strict=True):
        column = columns.get(name)
        if column is None:
            continue
        problem = _value_problem(column, value)
        if problem:
            return f", column {name}: {problem}"
        if column.unique:
            first = seen[name].setdefault(to_int(value), line)
            if first != line:
                return f", column {name}: id {value} appears twice, first in line {first}: an id must be unique within its file"
    return None


def _spaced_quote(header: list[str], row: list[str], place: str) -> str | None:
    """Spaces before a quote: the csv module takes the quote for part of the value, DuckDB for an opening quote."""
    for name, value in zip(header, row, strict=True):
        if value.startswith(" ") and value.lstrip(" ").startswith('"'):
            return f"{place}, column {name}: there are spaces before a quote: remove them, or quote the whole field"
    return None


def _value_problem(column: Expected, value: str) -> str | None:
    if value == "":
        return "no value, and one is needed" if column.required else None
    if column.type in LIMITS:
        if not INTEGER.fullmatch(value):
            return f"{shown(value)} is not an integer"
        if not -LIMITS[column.type] <= to_int(value) < LIMITS[column.type]:
            return f"{shown(value)} is out of range for {column.type}"
        value = str(to_int(value))
    elif column.type == "DOUBLE":
        if not NUMBER.fullmatch(value):
            return f"{shown(value)} is not a number"
        if not math.isfinite(float(value)):
            return f"{shown(value)} is out of range for DOUBLE"
    if column.allowed is not None and value not in column.allowed:
        return f"{shown(value)} is not {column.what}"
    return None
