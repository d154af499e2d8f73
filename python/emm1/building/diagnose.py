"""Where a CSV file is wrong: DuckDB says quickly that it is, this says in which line and column, and what to do.

It runs only after a load has failed, so it may take its time: Python's csv module, one row after another.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
LIMITS = {"INTEGER": 2**31, "SMALLINT": 2**15}


@dataclass(frozen=True)
class Column:
    """What the values of a column must be.

    Attributes:
        type: ``INTEGER``, ``SMALLINT``, ``DOUBLE`` or ``VARCHAR``.
        required: whether a value may be absent.
        unique: whether a value may stand twice.
        allowed: the values there can be, or None for any; ``what`` names them.
    """

    type: str = "VARCHAR"
    required: bool = False
    unique: bool = False
    allowed: Collection[str] | None = None
    what: str = field(default="")


def first_defect(path: Path, columns: dict[str, Column]) -> str | None:
    """The first thing wrong in a CSV file, as a message for people; None where nothing is.

    Args:
        path: the file; its first row is the header.
        columns: what the columns must be, by name; others may hold anything.
    """
    csv.field_size_limit(2**31 - 1)
    seen: dict[str, dict[str, int]] = {name: {} for name, column in columns.items() if column.unique}
    lines = _Lines(path)
    reader = csv.reader(lines, strict=True)
    header: list[str] = []
    start = 1
    try:
        for number, row in enumerate(reader):
            if number == 0:
                header = row
            elif row:
                problem = _row_problem(header, row, columns, seen, start)
                if problem:
                    return f"{path}, line {start} (row {number}){problem}"
            start = reader.line_num + 1
    except UnicodeDecodeError as error:
        return f"{path}, line {lines.number}: bytes that are not UTF-8 ({error.object[error.start : error.start + 4]!r}): convert the file to UTF-8 or download it again"
    except csv.Error as error:
        if "unexpected end" in str(error):
            return f"{path}, line {start}: a quote is opened and never closed: the file is cut short or this line is damaged; download it again"
        return f"{path}, line {start}: a quote opened here is never closed, or one inside the field is not doubled ({error}): download the file again or mend this line"
    if lines.ends >= {"\n", "\r\n"}:
        return f"{path} mixes line ends (LF and CRLF): convert it to one kind"
    return None


class _Lines:
    """The lines of a file, decoded one by one, so that a wrong byte is known by its line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self.ends: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        with io.open(self.path, "rb") as file:  # noqa: UP020 - bytes first
            for raw in file:
                self.number += 1
                line = raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
                self.ends.add("\r\n" if line.endswith("\r\n") else "\n")
                yield line


def _row_problem(
    header: list[str],
    row: list[str],
    columns: dict[str, Column],
    seen: dict[str, dict[str, int]],
    line: int,
) -> str | None:
    if len(row) != len(header):
        few = "few" if len(row) < len(header) else "many"
        return f": {len(row)} fields where the header has {len(header)}, too {few}: the line is damaged or a comma stands outside quotes"
    for name, value in zip(header, row, strict=True):
        column = columns.get(name)
        if column is None:
            continue
        problem = _value_problem(column, value)
        if problem:
            return f", column {name}: {problem}"
        if column.unique:
            first = seen[name].setdefault(str(int(value)), line)
            if first != line:
                return f", column {name}: id {value} stands twice, first in line {first}: an id must be unique within its file"
    return None


def _value_problem(column: Column, value: str) -> str | None:
    if value == "":
        return "no value, and one is needed" if column.required else None
    if column.type in LIMITS:
        if not INTEGER.fullmatch(value):
            return f"{value!r} is not an integer"
        if not -LIMITS[column.type] <= int(value) < LIMITS[column.type]:
            return f"{value} is out of range for {column.type}"
    elif column.type == "DOUBLE":
        try:
            float(value)
        except ValueError:
            return f"{value!r} is not a number"
    if column.allowed is not None and value not in column.allowed:
        return f"{value!r} is not {column.what}"
    return None
