"""The tables that commands fill, not published files: made empty at build, and carried over from the previous store."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import duckdb
from sqlglot import exp

from emm1.ingest.reuse import PREVIOUS, copy_rows, versions_of_previous
from emm1.store import caption_index

INDEX = frozenset(caption_index.TABLES)
# Those that refer to items by their ids, and what to do when the ids may be of other items.
OF_ITEMS = {
    "splits": "run `emm1 split` again",
    "maps": "run `emm1 map` again",
    "media_status": "check the media again",
    "flags": "see whether its rows still hold",
}
OWN = ("embeddings", *OF_ITEMS, *caption_index.TABLES)
# The schema version that first had a table, or a column of one.
SINCE = {
    "embeddings.model": 6,
    "splits": 6,
    **dict.fromkeys(("maps", "media_status", "flags", *caption_index.TABLES), 7),
}


def names_of_users(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The names, in the attached previous store, that emm1 gives to tables and columns of its own by now, but a user gave there.

    Returns:
        Tables as ``table``, columns as ``table.column``.
    """
    schema_version, _ = versions_of_previous(connection)
    newer = [name for name, since in SINCE.items() if since > schema_version]
    return {name for (name,) in _ask(connection, "names_of_users", newer=newer)}


def keep_own_rows(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Copy the rows of these tables from the attached previous store: the columns that both stores have.

    A table that a user replaced, so that it lacks a column that must have a value, is left empty; `carry_over` names it. So are
    all tables of the index of captions if one of them is, or if the captions changed.

    Returns:
        Notes about what was left.
    """
    users = names_of_users(connection)
    copied = {table: columns for table in OWN if (columns := _columns_of_both(connection, table, users))}
    notes = []
    recorded = _recorded_fingerprints(connection) if "caption_index" in copied else []
    whole = copied.keys() >= INDEX
    if not (whole and recorded and recorded == [caption_index.fingerprint(connection)]):
        if recorded:
            why = "captions changed" if whole else "one of its tables is missing"
            notes.append(f"the index of captions was dropped, because {why}: run `emm1 index captions` again")
        copied = {table: columns for table, columns in copied.items() if table not in INDEX}
    for table, columns in copied.items():
        copy_rows(connection, "main", table, columns)
    return notes


def of_other_items(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Notes about the tables whose rows may be about other items now."""
    return [
        f"the table {table} was carried over, but captions, items or groups may be others now: {advice}"
        for table, advice in OF_ITEMS.items()
        if connection.table(table).limit(1).fetchall()
    ]


def _columns_of_both(connection: duckdb.DuckDBPyConnection, table: str, users: set[str]) -> list[str]:
    """The columns of a table to copy; none if it cannot be copied."""
    columns = _ask(connection, "own_columns", table=table)
    if table in users or not all(both for _, both, needed in columns if needed):
        return []
    return [column for column, both, _ in columns if both and f"{table}.{column}" not in users]


def _recorded_fingerprints(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What the index of the previous store records of its captions; nothing if there is none."""
    query = exp.select("fingerprint").from_(exp.table_("caption_index", db="main", catalog=PREVIOUS))
    return [str(fingerprint) for (fingerprint,) in connection.execute(query.sql("duckdb")).fetchall()]


def _ask(connection: duckdb.DuckDBPyConnection, query: str, **parameters: object) -> list[Any]:
    text = (files("emm1") / "sql" / "build" / f"{query}.sql").read_text(encoding="utf-8")
    return connection.execute(text, {"previous": PREVIOUS, **parameters}).fetchall()
