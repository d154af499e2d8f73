"""The tables that commands fill, not published files: made empty at build, and carried over from the previous store."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import duckdb

from emm1.ingest.reuse import PREVIOUS, copy_rows, versions_of_previous

OWN = ("embeddings", "splits")
# The schema version that first had a table, or a column of one.
SINCE = {"embeddings.model": 6, "splits": 6}


def names_of_users(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The names, in the attached previous store, that emm1 gives to tables and columns of its own by now, but a user gave there.

    Returns:
        Tables as ``table``, columns as ``table.column``.
    """
    schema_version, _ = versions_of_previous(connection)
    newer = [name for name, since in SINCE.items() if since > schema_version]
    return {name for (name,) in _ask(connection, "names_of_users", newer=newer)}


def keep_own_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy the rows of these tables from the attached previous store: the columns that both stores have.

    A table that a user replaced, so that it lacks a column that must have a value, is left empty; `carry_over` names it.
    """
    users = names_of_users(connection)
    for table in OWN:
        columns = _ask(connection, "own_columns", table=table)
        kept = [column for column, both, _ in columns if both and f"{table}.{column}" not in users]
        if table not in users and all(both for _, both, needed in columns if needed):
            copy_rows(connection, "main", table, kept)


def _ask(connection: duckdb.DuckDBPyConnection, query: str, **parameters: object) -> list[Any]:
    text = (files("emm1") / "sql" / "build" / f"{query}.sql").read_text(encoding="utf-8")
    return connection.execute(text, {"previous": PREVIOUS, **parameters}).fetchall()
