"""Bring a store that an older emm1 built to this one's tables, views and macros, from its own rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb

from emm1.checks import memory_size
from emm1.errors import StoreError
from emm1.ingest.columns import OPTIONAL
from emm1.ingest.enums import PUBLISHED
from emm1.ingest.own_tables import OWN
from emm1.ingest.replace import put_in_place
from emm1.ingest.report import Progress
from emm1.ingest.reuse import PREVIOUS, attached, copy_rows
from emm1.ingest.schema import add_columns, declared_columns, finish, fresh
from emm1.ingest.target import check_target, failures_explained, written_back
from emm1.ingest.watched import watched
from emm1.staging import new_file, staging
from emm1.store.database import SCHEMA_VERSION, connect, media_root_of, missing, schema_version


def upgrade_store(
    store: Path,
    *,
    memory_limit: str = "2GB",
    drop_own: bool = False,
    tell: Callable[[str], object] = lambda _: None,
    progress: Progress = lambda _what, _done, _total: None,
) -> int:
    """Rebuild a store from its own rows, with the types, views, macros and comments of this version.

    It is written beside its place and renamed when complete, as in a build; registered embeddings and users' objects stay.

    Args:
        store: the store.
        memory_limit: what all of it may use; DuckDB gets half of that.
        drop_own: go on without what users made and cannot be carried over.
        tell: called with what the user should know.
        progress: called with the current table, the rows copied and the rows of all tables.

    Returns:
        The schema version that it had; if that is the current one, nothing is done.

    Raises:
        FileNotFoundError: there is no such file.
        StoreError: it is not a store, a newer emm1 built it, its tables lack something that is needed now, or what users
            made in it cannot be carried over.
    """
    settings = {"memory_limit": memory_size(memory_limit)}
    store = Path(os.path.abspath(store))
    if not os.path.lexists(store):
        raise missing(store)
    check_target(store, force=True)
    with failures_explained(store), staging(store) as folder:
        with connect(store, read_only=True) as connection:
            before = schema_version(connection) or 0
            media_root = media_root_of(connection)
        if before == SCHEMA_VERSION:
            return before
        file = new_file(store, folder)
        with fresh(file, folder, settings) as connection:
            with attached(connection, store), written_back(file):
                _copy(connection, store, progress)
            progress("types, views and checks", 0, 0)
            found = [str(names) for names in finish(connection, media_root)]
            found += put_in_place(file, store, connection, drop_own=drop_own, same_rows=True)
        for note in found:
            tell(note)
    return before


def _copy(connection: duckdb.DuckDBPyConnection, store: Path, progress: Progress) -> None:
    """Copy every table of the previous store whose rows come from the published files, and `provenance`."""
    tables = declared_columns(connection)
    held: dict[tuple[str, str], list[str]] = {}
    for schema, table, column, comment in connection.execute(
        "SELECT schema_name, table_name, column_name, comment FROM duckdb_columns() WHERE database_name = $database "
        "ORDER BY schema_name, table_name, column_index",
        {"database": PREVIOUS},
    ).fetchall():
        if comment == PUBLISHED or column in tables.get((schema, table), {}):
            held.setdefault((schema, table), []).append(column)
    rows = _rows(connection)
    done, total = 0, sum(rows.values())
    for (schema, table), declared in tables.items():
        if schema == "main" and table in {"emm1_store", *OWN}:
            continue
        columns = held.get((schema, table), [])
        lacking = sorted(declared.keys() - set(columns) - OPTIONAL)
        if lacking:
            raise StoreError(
                f"{store} was built by an older emm1 whose {schema}.{table} has no column {', '.join(lacking)}: "
                f"build it again from the published files with `emm1 build ROOT {store}`",
                force=True,
            )
        add_columns(connection, schema, table, (name for name in columns if name not in declared))
        count = rows.get((schema, table), 0)
        with watched(connection, _told(progress, f"{schema}.{table}", done, count, total)):
            copy_rows(connection, schema, table, columns)
        done += count


def _told(progress: Progress, table: str, before: int, rows: int, total: int) -> Callable[[float], object]:
    progress(table, before, total)
    return lambda share: progress(table, before + int(share * rows), total)


def _rows(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """How many rows each table of the previous store has, as far as DuckDB knows without counting."""
    query = "SELECT schema_name, table_name, estimated_size FROM duckdb_tables() WHERE database_name = $database"
    return {
        (schema, table): rows for schema, table, rows in connection.execute(query, {"database": PREVIOUS}).fetchall()
    }
