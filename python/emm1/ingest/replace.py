"""Replaces the old store with the new one, which takes over what commands recorded and what users made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import duckdb

from emm1 import system
from emm1.errors import StoreError
from emm1.ingest.own_tables import keep_own_rows, of_other_items
from emm1.ingest.reuse import attached
from emm1.ingest.target import settle
from emm1.ingest.users_objects import carry_over
from emm1.store.database import connect


def put_in_place(
    file: Path, store: Path, connection: duckdb.DuckDBPyConnection, *, drop_own: bool = False, same_rows: bool = False
) -> list[str]:
    """Close a complete new store and rename it over the old one, whose own tables and users' objects it takes over.

    Args:
        file: the new store.
        store: the place of the old one, if there is one.
        connection: of the new store.
        drop_own: go on without what cannot be taken over.
        same_rows: the new store has the same captions, items, groups and triplets.

    Returns:
        Notes about what was taken over.

    Raises:
        StoreError: something cannot be taken over, or the old store is open, or was written to during the build.
    """
    notes: list[str] = []
    if os.path.lexists(store):
        settle(store)
    seen = _stamp(store)
    if seen:
        with attached(connection, store):
            notes += keep_own_rows(connection)  # first: users' objects may refer to them
        notes += carry_over(connection, store, file.parent, drop=drop_own).notes()
        if not same_rows:
            notes += of_other_items(connection)
    with held(store):
        if _stamp(store) != seen:
            raise StoreError(f"{store} was written to while the new store was made from it: run the command again")
        connection.close()
        _rename(file, store)
    return notes


def _rename(file: Path, store: Path) -> None:
    try:
        file.replace(store)
    except PermissionError as error:
        if not system.WINDOWS:
            raise
        raise StoreError(f"{store} is open in a program, and Windows replaces no open file: close it there") from error


def _stamp(store: Path) -> tuple[int, int, int] | None:
    if not os.path.lexists(store):
        return None
    stat = store.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


@contextmanager
def held(store: Path) -> Iterator[None]:
    """Lock the old store, if there is one, while the new one is renamed over it.

    Readers go on reading the old file, and writers are locked out; on Windows, where only a file that nobody has open can be
    replaced, it is not locked. The write-ahead log that a killed writer left is applied first: DuckDB would take a log beside
    the renamed file for the new file's.
    """
    if not os.path.lexists(store):
        yield
        return
    settle(store)
    with nullcontext() if system.WINDOWS else connect(store, read_only=True, alone=True):
        yield
