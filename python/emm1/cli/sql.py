"""The command `sql`: runs statements, which may change the store only with --write, and writes the rows."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from uuid import uuid4

import duckdb
import typer

from emm1.checks import check_text
from emm1.cli.parameters import StorePath
from emm1.errors import StoreError
from emm1.interrupts import abandonable
from emm1.store.database import is_database
from emm1.store.opening import open as open_store
from emm1.store.refusals import Refusal, refusal_of
from emm1.streams import printable


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    parquet = "parquet"


# The format and the options of COPY that are set to true.
COPY_OPTIONS: dict[Format, tuple[str, ...]] = {
    Format.csv: ("csv", "HEADER"),
    Format.json: ("json", "ARRAY"),
    Format.jsonl: ("json",),
    Format.parquet: ("parquet",),
}


def sql(
    store: StorePath,
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="One or more statements; the last one's rows are shown.")
    ],
    format: Annotated[Format, typer.Option(help="How to write the rows.")] = Format.table,  # noqa: A002 - the flag
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; needed for parquet.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Let statements change the store.")] = False,
) -> None:
    """Run SQL on a store, for reading only unless --write.

    Example: `emm1 sql emm1.duckdb "SELECT nn_index, count(*) FROM e_mm1_100m.groups GROUP BY ALL ORDER BY ALL"`
    """
    check_text(query, StoreError)
    if format is Format.parquet and output is None:
        raise typer.BadParameter("parquet is written to a file: name it", param_hint="--output")
    with (
        open_store(store, read_only=not write) as opened,
        TemporaryDirectory() as folder,
        abandonable(Path(folder)),
    ):
        guard = _Guard(opened.connection, opened.path, reading=not write)
        guard.check_target(output)
        try:
            statements = opened.connection.extract_statements(query)
        except duckdb.Error as error:
            raise StoreError(str(error).rstrip()) from error
        for statement in statements[:-1]:
            with guard.over(statement):
                opened.connection.execute(statement)
                while opened.connection.fetchmany(10_000):  # DuckDB runs a query only as its rows are fetched
                    pass
        for statement in statements[-1:]:
            with guard.over(statement):
                rows = opened.connection.sql(statement)
                if rows is not None:
                    _write(opened.connection, rows, format, output, Path(folder) / "rows")


class _Guard:
    """Checks the statements of a read-only session.

    DuckDB itself refuses to change a database that is open for reading only. It allows two ways around that, which are
    refused here: detaching the store and attaching it again for writing, and copying rows over its file.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, store: Path, *, reading: bool) -> None:
        self._connection = connection
        self._store = store
        self._reading = reading
        self._name = connection.execute("SELECT current_database()").fetchall()[0][0]

    @contextmanager
    def over(self, statement: duckdb.Statement) -> Iterator[None]:
        """A context to run a statement in: refuses it if necessary, and turns DuckDB's errors into the command's."""
        kind = _kind(statement)
        if kind == "COPY":
            for target in _copy_targets(statement.query):
                self.check_target(target)
        try:
            yield
        except duckdb.Error as error:
            raise StoreError(self._explain(kind, error)) from error
        if kind == "DETACH" and self._reading and not self._is_attached():
            raise StoreError(
                f"nothing is left to ask after DETACH: {self._store} is not attached any more, and without --write it "
                "may not be attached again"
            )

    def check_target(self, target: Path | None) -> None:
        """Refuse to write rows over the store itself or any other database."""
        if target is None or not target.is_file():
            return
        if target.samefile(self._store):
            raise StoreError(f"{target} is the store itself: name another file to write rows to")
        if is_database(target):
            raise StoreError(f"{target} is a DuckDB database: name another file to write rows to")

    def _is_attached(self) -> bool:
        names = self._connection.execute("SELECT database_name FROM duckdb_databases()").fetchall()
        return (self._name,) in names

    def _explain(self, kind: str, error: duckdb.Error) -> str:
        refusal, named = refusal_of(error)
        if refusal is Refusal.DISK_FULL:
            return os.strerror(errno.ENOSPC)
        if refusal is not Refusal.READ_ONLY or not named:
            hint = ": attach it with (READ_WRITE)" if kind == "ATTACH" and refusal is Refusal.READ_ONLY else ""
            return str(error).rstrip() + hint
        if named == self._name:
            return f"{kind} would change the store, which is open for reading only: add --write if that is meant"
        return (
            f"{kind} would change the database {named!r}, which is attached for reading only: attach it with "
            "(READ_WRITE), or add --write"
        )


def _kind(statement: duckdb.Statement) -> str:
    """DuckDB's name for the type of a statement."""
    try:
        return statement.type.name.replace("_", " ")
    except ValueError as error:  # such as UPDATE EXTENSIONS
        raise StoreError(f"DuckDB's Python client cannot run this statement: {statement.query.strip()}") from error


def _copy_targets(query: str) -> list[Path]:
    """The files that a COPY … TO names; none if they are not literals."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        copy = parse_one(query, dialect="duckdb")
    except SqlglotError:
        return []
    if not isinstance(copy, exp.Copy) or copy.args["kind"]:
        return []
    return [Path(file.name) for file in copy.args["files"]]


def _write(
    connection: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    format: Format,  # noqa: A002 - the flag
    output: Path | None,
    temporary: Path,
) -> None:
    """Write rows to the output file, or through a temporary file to standard output."""
    if format is Format.table:
        # DuckDB draws the table; only on a terminal is its width limited and its height reduced.
        screen = sys.stdout.isatty() and output is None
        width = shutil.get_terminal_size().columns if screen else 100_000
        drawn = io.StringIO()
        with redirect_stdout(drawn):
            rows.show(max_width=width, max_rows=40 if screen else 10_000, max_col_width=width)
        table = printable(drawn.getvalue())  # DuckDB leaves some control characters
        if output is None:
            sys.stdout.write(table)
        else:
            try:
                output.write_text(table, encoding="utf-8")
            except OSError as error:
                raise StoreError(f"{output} cannot be written: {error.strerror}") from error
        return
    # Not to /dev/stdout: opening it again would truncate a file that the shell appends to.
    path = output or temporary
    name = f"rows_{uuid4().hex}"
    # The query finds the rows by the name of a variable: rows.query would create a view, which a read-only store refuses
    # before DuckDB 1.5.4.
    variables = {"execute": connection.execute, "statement": _copy_statement(name, path, format), name: rows}
    eval("execute(statement)", variables)  # noqa: S307 - the text is fixed
    if output is None:
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def _copy_statement(name: str, path: Path, format: Format) -> str:  # noqa: A002 - the flag
    from sqlglot import exp

    kind, *switches = COPY_OPTIONS[format]
    options = [exp.CopyParameter(this=exp.var("FORMAT"), expression=exp.var(kind))]
    options += [exp.CopyParameter(this=exp.var(switch), expression=exp.true()) for switch in switches]
    rows = exp.select("*").from_(exp.to_identifier(name)).subquery()
    return exp.Copy(this=rows, kind=False, files=[exp.Literal.string(str(path))], params=options).sql("duckdb")
