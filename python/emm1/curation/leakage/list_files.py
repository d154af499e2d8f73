"""Reads the rows of a list that a user gives, whatever kind of file or frame it is, as text."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from emm1.checks import PathLike, check_regular
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.tables import frame_of, read

# The number of a row, from 1, and what its columns hold.
Row = tuple[int, dict[str, str]]
# The name of the only column of a file that has no names for its columns.
VALUE = ""
SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet")


def rows_of(source: PathLike | Any) -> tuple[str, list[str], list[Row]]:
    r"""The rows of a list.

    Rows are counted from 1, blank lines too, without the line that names the columns. Lines that start with ``#`` are comments,
    as AudioSet's files have them.

    Args:
        source: a file, or a frame of any library.

    Returns:
        What it is called, its columns, and its rows; cells without a value are left out. A file of lines, or a CSV file
        without names of columns, has the columns ``""``, ``1``, ``2``, ….

    Raises:
        emm1.errors.EmbeddingError: no file of a list, or one that cannot be read.
        emm1.errors.FileNotFoundError: there is no such file.

    >>> path = getfixture("tmp_path") / "test.csv"
    >>> _ = path.write_text("\ufeffyoutube_id,start_time\n\n-AbCdEfGhIj,30\n", encoding="utf-8")
    >>> rows_of(path)
    ('test', ['youtube_id', 'start_time'], [(2, {'youtube_id': '-AbCdEfGhIj', 'start_time': '30'})])
    """
    if not isinstance(source, str | os.PathLike):
        frame = frame_of(source, "the list", ("youtube_id", "file_name", "uid or dataset, modality, id"))
        return "list", frame.columns, [*_numbered(frame.iter_rows(named=True))]
    path = Path(source)
    check_regular(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise EmbeddingError(f"{path} is no list: it must end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist" if not path.exists() else f"{path} is a folder")
    if suffix == ".parquet":
        frame = read(path, "a list")
        return path.stem, frame.columns, [*_numbered(frame.iter_rows(named=True))]
    text = _text(path)
    if suffix == ".txt":
        lines = enumerate(text.splitlines(), 1)
        found = [(row, {VALUE: line.strip()}) for row, line in lines if line.strip() and not _is_comment(line)]
        return path.stem, [VALUE], found
    if suffix in (".csv", ".tsv"):
        return path.stem, *_cells(path, text, "\t" if suffix == ".tsv" else ",")
    found = [*_numbered(_objects(path, text, lines=suffix != ".json"))]
    return path.stem, list(dict.fromkeys(column for _, cells in found for column in cells)), found


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise EmbeddingError(f"{path}: line {line} is not UTF-8: save the file as UTF-8") from error
    except OSError as error:
        raise EmbeddingError(f"{path} cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise EmbeddingError(
            f"{path}: line {text[: text.index(chr(0))].count(chr(10)) + 1} has a NUL character: this is no text"
        )
    return text


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _cells(path: Path, text: str, delimiter: str) -> tuple[list[str], list[Row]]:
    """The columns and rows of a CSV file; a comment with the names of columns, as AudioSet has it, is its header."""
    lines = text.splitlines(keepends=True)
    comments = 0
    while comments < len(lines) and (_is_comment(lines[comments]) or not lines[comments].strip()):
        comments += 1
    begin = comments
    header = next((n for n in range(comments - 1, -1, -1) if lines[n].strip()), None)
    if header is not None and delimiter in lines[header] and "=" not in lines[header]:
        begin = header
        lines[header] = lines[header].lstrip().lstrip("#")
    reader = csv.reader(lines[begin:], delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        table = [[cell.strip() for cell in line] for line in reader]
    except csv.Error as error:
        raise EmbeddingError(f"{path}: line {begin + reader.line_num} cannot be read as CSV: {error}") from error
    if not table:
        return [], []
    names = table[0]
    rows = [
        (number, {name: cell for name, cell in zip(names, line, strict=False) if cell})
        for number, line in enumerate(table[1:], 1)
    ]
    return names, [(number, cells) for number, cells in rows if cells]


def without_header(columns: list[str], rows: list[Row]) -> tuple[list[str], list[Row]]:
    """The rows of a file whose first line is no header but a row like the others."""
    names = [str(place) for place in range(len(columns))]
    moved = [(row + 1, dict(zip(names, (cells.get(name, "") for name in columns), strict=True))) for row, cells in rows]
    return names, [(1, dict(zip(names, columns, strict=True))), *moved]


def _objects(path: Path, text: str, *, lines: bool) -> Iterator[dict[str, Any] | None]:
    what = f"{path}: "
    if lines:
        for number, line in enumerate(text.splitlines(), 1):
            yield _object(line, f"{what}line {number}") if line.strip() else None
        return
    try:
        values = json.loads(text) if text.strip() else []
    except (ValueError, RecursionError) as error:
        raise EmbeddingError(f"{path} cannot be read as JSON: {error}") from error
    for number, value in enumerate(values if isinstance(values, list) else [values], 1):
        yield _checked(value, f"{what}row {number}")


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        return _checked(json.loads(line), where)
    except (ValueError, RecursionError) as error:
        raise EmbeddingError(f"{where} cannot be read as JSON: {error}") from error


def _checked(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, str):
        return {VALUE: value}
    if not isinstance(value, dict):
        raise EmbeddingError(f"{where} is neither an object nor a text")
    return value


def _numbered(rows: Iterable[dict[str, Any] | None]) -> Iterator[Row]:
    for number, cells in enumerate(rows, 1):
        known = {name: str(value).strip() for name, value in (cells or {}).items() if value is not None}
        if any(known.values()):
            yield number, known
