"""The command `sql`: runs statements, which may change the store only with --write, and writes the rows."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from emm1.checks import check_text
from emm1.cli import show
from emm1.cli.no_rows import reasons
from emm1.cli.output import Destination, Format, check_target, destination, put_lines, write_rows
from emm1.cli.parameters import FormatOption, OutputOption, StorePath
from emm1.errors import StoreError
from emm1.interrupts import abandonable
from emm1.store.opening import open as open_store
from emm1.store.refusals import Refusal, refusal_of
from emm1.streams import printable

# Settings and functions that make DuckDB write to a file.
LOGS = re.compile(r"\b(log_query_path|profile_output|profiling_output|enable_logging)\b", re.IGNORECASE)
WRITES = re.compile(r"\b(copy|execute)\b", re.IGNORECASE)
COPY_TO = re.compile(r"\bcopy\b(?!\s+from\s+database\b).*\bto\b", re.IGNORECASE | re.DOTALL)
COPY_TO_TEXT = re.compile(r"\bto\s*''\s*(with\s*)?;?\s*$", re.IGNORECASE)
# Texts, names in quotes and comments.
ASIDE = re.compile(r"'(?:''|[^'])*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL)
IN_BRACKETS = re.compile(r"\([^()]*\)")
OVERWRITE = re.compile(r"overwrite", re.IGNORECASE)
READ_ONLY = re.compile(r"\bread_only\b", re.IGNORECASE)
# The end of a statement that sets something to a text.
VALUE = re.compile(r"(=|\bto\b)\s*'(''|[^'])*'[\s;]*$", re.IGNORECASE)
# Statements whose texts are no values of settings.
READS = {"SELECT", "EXPLAIN", "CALL"}
QUOTE = re.compile(r"['\"]|\$\w*\$")
FILE_URI = re.compile(r"^file:(//)?")


def sql(
    store: StorePath,
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="One or more statements; the last one's rows are shown.")
    ],
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
    write: Annotated[bool, typer.Option("--write", help="Let statements change the store.")] = False,
) -> None:
    """Run SQL on a store, for reading only unless --write.

    Example: `emm1 sql emm1.duckdb "SELECT nn_index, count(*) FROM e_mm1_100m.groups GROUP BY ALL ORDER BY ALL"`
    """
    check_text(query, StoreError)
    to = destination(format, output)
    with open_store(store, read_only=not write) as opened, abandonable():
        guard = _Guard(opened.connection, opened.path, reading=not write)
        to.check(opened.path)
        try:
            statements = opened.connection.extract_statements(query)
        except duckdb.Error as error:
            raise StoreError(_text(error)) from error
        for statement in statements[:-1]:
            with guard.over(statement):
                opened.connection.execute(statement)
                while opened.connection.fetchmany(10_000):  # DuckDB runs a query only as its rows are fetched
                    pass
        for statement in statements[-1:]:
            with guard.over(statement):
                rows = opened.connection.sql(statement)
                if rows is not None and duckdb.ExpectedResultType.QUERY_RESULT in statement.expected_result_type:
                    _write(opened.connection, rows, to, statement)


class _Guard:
    """Checks the statements of a session.

    DuckDB itself refuses to change a database that is open for reading only, and knows nothing of other ways to its file, which
    are refused here: attaching it again for writing, after a DETACH or by another name, and writing rows or a log over it.
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
        self._check_files(kind, statement.query)
        try:
            yield
        except duckdb.Error as error:
            raise StoreError(self._explain(kind, error)) from error
        if kind == "DETACH" and self._reading and not self._is_attached():
            raise StoreError(
                f"nothing is left to ask after DETACH: {self._store} is not attached any more, and without --write it "
                "may not be attached again"
            )

    def _check_files(self, kind: str, query: str) -> None:
        """Refuse to write over the store, or over the folder that it is in."""
        if LOGS.search(query) and kind not in READS and not VALUE.search(query):
            raise StoreError(
                f"{kind} has to give the name of a file in quotes, so that it can be compared with the store"
            )
        if kind != "SELECT" and _copies_to_expression(query):
            raise StoreError("COPY has to give the name of a file in quotes, so that it can be compared with the store")
        if kind == "ATTACH" and self._reading and not READ_ONLY.search(query):
            for path in _named(query):
                if (
                    path.samefile(self._store) and path.resolve() != self._store.resolve()
                ):  # else DuckDB says that it is attached
                    raise StoreError(
                        f"{path} is the store itself, which is open for reading only: add --write if that is meant"
                    )
        if not LOGS.search(query) and not WRITES.search(query):
            return
        for path in _named(query):
            check_target(path, self._store)
            if OVERWRITE.search(query) and path.is_dir() and self._store.resolve().is_relative_to(path.resolve()):
                raise StoreError(
                    f"{path} is the folder of the store: name another folder to write files to with OVERWRITE"
                )

    def _is_attached(self) -> bool:
        names = self._connection.execute("SELECT database_name FROM duckdb_databases()").fetchall()
        return (self._name,) in names

    def _explain(self, kind: str, error: duckdb.Error) -> str:
        refusal, named = refusal_of(error)
        if refusal is Refusal.DISK_FULL:
            return os.strerror(errno.ENOSPC)
        if refusal is not Refusal.READ_ONLY or not named:
            hint = ": attach it with (READ_WRITE)" if kind == "ATTACH" and refusal is Refusal.READ_ONLY else ""
            return _text(error) + hint
        if named == self._name:
            return f"{kind} would change the store, which is open for reading only: add --write if that is meant"
        return (
            f"{kind} would change the database {named!r}, which is attached for reading only: attach it with "
            "(READ_WRITE), or add --write"
        )


def _text(error: duckdb.Error) -> str:
    """DuckDB's message. It indents lists of candidates with tabs, which would be made visible as other control characters are."""
    return str(error).rstrip().expandtabs(4)


def _kind(statement: duckdb.Statement) -> str:
    """DuckDB's name for the type of a statement."""
    try:
        return statement.type.name.replace("_", " ")
    except ValueError as error:  # such as UPDATE EXTENSIONS
        raise StoreError(f"DuckDB's Python client cannot run this statement: {statement.query.strip()}") from error


def _copies_to_expression(query: str) -> bool:
    """Whether a statement is a COPY to anything but a text. Texts, comments and what stands in brackets are put aside first."""
    bare = ASIDE.sub(lambda found: "''" if found[0][0] in "'$" else "", query)
    while IN_BRACKETS.search(bare):
        bare = IN_BRACKETS.sub(" ", bare)
    return bool(COPY_TO.search(bare)) and not COPY_TO_TEXT.search(bare)


def _named(query: str) -> Iterator[Path]:
    """What stands between quotes in a statement, as files. Comments may hold a single quote, so every quote may begin a text."""
    doubled = [text.replace("\0", "'") for text in QUOTE.split(query.replace("''", "\0"))]
    for text in {*QUOTE.split(query), *doubled}:
        with suppress(OSError, RuntimeError, ValueError):  # no name of a file
            path = Path(FILE_URI.sub("", text)).expanduser()
            if text and path.exists():
                yield path


def _write(
    connection: duckdb.DuckDBPyConnection, rows: duckdb.DuckDBPyRelation, to: Destination, statement: duckdb.Statement
) -> None:
    if _kind(statement) == "EXPLAIN" and to.format is Format.table:
        lines = [printable(line, lines=False) for row in rows.fetchall() for line in str(row[-1]).splitlines()]
        if screen := to.screen:
            from emm1.cli.tables import clipped

            lines = [clipped(line, screen) for line in lines]
        put_lines(lines, to)
        return
    if not write_rows(connection, rows, to, types=True, null="NULL", whole=False):
        for reason in reasons(connection, statement.query):
            show.warn(f"no rows: {reason}")
