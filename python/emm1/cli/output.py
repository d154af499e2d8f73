"""Writes the rows of a command: as a table, CSV, JSON, Parquet or Arrow, to standard output or a file."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import duckdb
import typer

from emm1.cli import show
from emm1.cli.screen import Column, Row, Screen, screen_of, tabbed
from emm1.errors import StoreError, WriteError
from emm1.interrupts import abandonable
from emm1.store.database import is_database
from emm1.store.refusals import Refusal, refusal_of


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    parquet = "parquet"
    arrow = "arrow"


SUFFIXES = {
    "": Format.table,
    ".txt": Format.table,
    ".tsv": Format.table,
    ".csv": Format.csv,
    ".json": Format.json,
    ".jsonl": Format.jsonl,
    ".ndjson": Format.jsonl,
    ".parquet": Format.parquet,
    ".arrow": Format.arrow,
    ".feather": Format.arrow,
    ".ipc": Format.arrow,
}
BINARY = {Format.parquet, Format.arrow}
# DuckDB compresses a file with one of these suffixes.
COMPRESSED = {".gz", ".zst"}
COMPRESSIBLE = {Format.csv, Format.json, Format.jsonl}
# The format and the options of COPY that are set to true.
COPY_OPTIONS: dict[Format, tuple[str, ...]] = {
    Format.csv: ("csv", "HEADER"),
    Format.json: ("json", "ARRAY"),
    Format.jsonl: ("json",),
    Format.parquet: ("parquet",),
}
# The name of the rows in the statements that read them, which nothing in a database has.
NAME = "emm1_rows_3f1b9c52d7a84e60"
WHOLE = "SELECT COLUMNS(*)::VARCHAR FROM emm1_rows_3f1b9c52d7a84e60"
# For a terminal: a value of more characters fills it anyway.
CUT = "SELECT left(COLUMNS(*)::VARCHAR, 4000) FROM emm1_rows_3f1b9c52d7a84e60"
# Rows per batch.
BATCH = 10_000
NUMBERS = {
    *(f"{sign}{size}int" for sign in ("", "u") for size in ("tiny", "small", "big", "huge")),
    *("integer", "uinteger", "float", "double", "decimal", "bignum"),
}
FOLDED = {"varchar", "json"}


@dataclass(frozen=True)
class Destination:
    """Where rows go.

    Attributes:
        format: how they are written.
        path: the file; None for standard output.
    """

    format: Format
    path: Path | None

    @property
    def screen(self) -> Screen | None:
        """The terminal that a table is drawn for; None for a pipe or a file."""
        return None if self.path else screen_of(sys.stdout)

    def check(self, store: Path) -> None:
        """Refuse to write over the store itself or any other database."""
        check_target(self.path, store)


def destination(format: Format | None, path: Path | None) -> Destination:  # noqa: A002 - the option
    """What the options --format and --output mean together.

    Raises:
        typer.BadParameter: they contradict each other, the suffix of the file is unknown, or a terminal would get bytes.

    >>> destination(None, Path("rows.csv.gz")).format, destination(Format.csv, Path("rows.dat")).format
    (<Format.csv: 'csv'>, <Format.csv: 'csv'>)
    """
    if path is None:
        chosen = format or Format.table
        if chosen in BINARY and sys.stdout.isatty():
            raise typer.BadParameter(
                f"{chosen} is not for a terminal: name a file with --output", param_hint="--format"
            )
        return Destination(chosen, None)
    meant = format_of(path)
    if format is None and meant is None:
        known = ", ".join(filter(None, SUFFIXES))
        raise typer.BadParameter(f"{path}: give --format, or one of the suffixes {known}", param_hint="--output")
    if format and meant and path.suffix and format is not meant:
        raise typer.BadParameter(f"{path} would be {meant}, but --format says {format}", param_hint="--output")
    return Destination(format or meant or Format.table, path)


def format_of(path: Path) -> Format | None:
    """The format that the suffix of a file stands for; None if the suffix is unknown."""
    suffix = path.suffix.lower()
    if suffix not in COMPRESSED:
        return SUFFIXES.get(suffix)
    format = SUFFIXES.get(path.with_suffix("").suffix.lower())  # noqa: A001 - the option
    return format if format in COMPRESSIBLE else None


def check_target(path: Path | None, store: Path) -> None:
    """Refuse to write rows over the store itself or any other database.

    Raises:
        StoreError: the file is one.
    """
    if path is None or not path.is_file():
        return
    if path.samefile(store):
        raise StoreError(f"{path} is the store itself: name another file to write rows to")
    if is_database(path):
        raise StoreError(f"{path} is a DuckDB database: name another file to write rows to")


def write_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    to: Destination,
    *,
    types: bool = False,
    null: str = "",
    counts: Sequence[str] = (),
    whole: bool = True,
) -> int:
    """Write rows, a batch at a time.

    Args:
        connection: the connection of the rows.
        rows: the rows.
        to: where they go.
        types: whether a table on a terminal shows the types of the columns and ends with the number of rows.
        null: how a table shows NULL.
        counts: columns whose numbers get thousands separators on a terminal.
        whole: whether a table on a terminal shows every row, even if that takes more than one screen.

    Returns:
        How many rows there are; of those only shown, as many as were counted.

    Raises:
        WriteError: the file cannot be written.
    """
    if to.format is Format.table and (screen := to.screen):
        from emm1.cli import tables

        columns = [_column(name, kind, types, counts) for name, kind in zip(rows.columns, rows.types, strict=True)]
        table = tables.draw(columns, _texts(_over(connection, rows, CUT)), screen, null, whole=whole)
        put_lines([*table.lines, *([table.summary(len(columns))] if types else [])], to)
        return table.rows
    if to.format is Format.table:
        counted = _Counted(_texts(_over(connection, rows, WHOLE)))
        put_lines(tabbed(rows.columns, counted, null), to)
        return counted.count
    with _finished(to.path) as path:
        if to.format is Format.arrow:
            return _write_arrow(rows, path)
        return int(_over(connection, rows, _copy_statement(path, to.format)).fetchall()[0][0])


def put_lines(lines: Iterable[str], to: Destination) -> None:
    """Write lines of text.

    Raises:
        WriteError: the file cannot be written.
    """
    if to.path is None:
        for line in lines:
            show.put(line)
        return
    with _finished(to.path) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _column(name: str, kind: Any, types: bool, counts: Sequence[str]) -> Column:
    return Column(
        name,
        _type_name(kind) if types else "",
        number=kind.id in NUMBERS,
        count=name in counts,
        text=kind.id in FOLDED,
    )


def _type_name(kind: Any) -> str:
    """The name of a type; of an ENUM without its values."""
    match kind.id:
        case "enum":
            return "enum"
        case "list":
            return f"{_type_name(kind.children[0][1])}[]"
        case "struct":
            return f"struct({', '.join(f'{name} {_type_name(child)}' for name, child in kind.children)})"
    return str(kind).strip('"').lower()


def _over(
    connection: duckdb.DuckDBPyConnection, rows: duckdb.DuckDBPyRelation, statement: str
) -> duckdb.DuckDBPyConnection:
    """Run a statement that reads the rows, which it calls NAME.

    DuckDB finds them as the variable of a caller: rows.query would create a view, which a read-only store refuses before
    DuckDB 1.5.4.
    """
    variables = {"execute": connection.execute, "statement": statement, NAME: rows}
    try:
        return cast("duckdb.DuckDBPyConnection", eval("execute(statement)", variables))  # noqa: S307 - the text is fixed
    except duckdb.CatalogException as error:
        if NAME not in str(error):
            raise
        raise StoreError(
            "these settings let DuckDB read no variables of Python (enable_external_access, python_enable_replacements), by which "
            "emm1 writes rows: only --format arrow works with them"
        ) from error


def _texts(result: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    while batch := result.fetchmany(BATCH):
        yield from batch


def _write_arrow(rows: duckdb.DuckDBPyRelation, path: Path) -> int:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
    written = 0
    batches = rows.arrow(BATCH)
    with path.open("wb") as file, pa.ipc.new_file(file, batches.schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
            written += len(batch)
    return written


def _copy_statement(path: Path, format: Format) -> str:  # noqa: A002 - the option
    from sqlglot import exp

    kind, *switches = COPY_OPTIONS[format]
    options = [exp.CopyParameter(this=exp.var("FORMAT"), expression=exp.var(kind))]
    options += [exp.CopyParameter(this=exp.var(switch), expression=exp.true()) for switch in switches]
    rows = exp.select("*").from_(NAME).subquery()
    return exp.Copy(this=rows, kind=False, files=[exp.Literal.string(str(path))], params=options).sql("duckdb")


@contextmanager
def _finished(path: Path | None) -> Iterator[Path]:
    """A file to write, which takes the place of another one, or goes to standard output, when it is complete."""
    # Not to /dev/stdout: opening it again would truncate a file that the shell appends to.
    try:
        if path and path.exists() and (not path.is_file() or path.is_relative_to("/dev")):
            yield path  # a device or a pipe, or a folder, which is an error
            return
        target = path and path.resolve()
        with TemporaryDirectory(prefix=".emm1-", dir=target and target.parent) as folder, abandonable(Path(folder)):
            written = Path(folder) / (target.name if target else "rows")
            yield written
            _deliver(written, target)
    except (OSError, duckdb.Error) as error:
        full = refusal_of(error)[0] is Refusal.DISK_FULL
        if isinstance(error, duckdb.Error) and not full and not isinstance(error, duckdb.IOException):
            raise
        reason = os.strerror(errno.ENOSPC) if full else getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise WriteError(f"{path or 'a temporary file'} cannot be written: {reason}") from error


def _deliver(written: Path, target: Path | None) -> None:
    if target is None:
        with written.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        return
    if target.exists():
        shutil.copymode(target, written)
    written.replace(target)
