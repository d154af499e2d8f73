"""Opens the DuckDB file of a store, or says in plain words why it cannot be opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb

from emm1.checks import check_regular, check_text
from emm1.errors import FileNotFoundError, StoreError
from emm1.interrupts import interruptible
from emm1.store.extension import load_extension
from emm1.store.refusals import Refusal, refusal_of

SCHEMA_VERSION = 7
# Files that DuckDB 1.2 and later can read.
STORAGE_VERSION = "v1.2.0"
# The extension is not signed by DuckDB; only the call that opens a file can allow it to be loaded.
UNSIGNED = {"allow_unsigned_extensions": True}
# A setting that nobody else uses: DuckDB refuses to open a file twice in a process with different settings, which shows
# whether this process has it open already.
ALONE = {"custom_user_agent": "emm1-alone"}


def connect(
    path: Path, *, read_only: bool = False, alone: bool = False, called: str | None = None, **config: Any
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file.

    Args:
        path: the file.
        read_only: open it for reading; other processes may then read it too.
        alone: fail if this process has it open already.
        called: the name of the file in errors; by default its path.
        config: DuckDB settings.

    Raises:
        StoreError: the file is not a database, is open elsewhere or may not be read; says what to do.
    """
    settings = {**UNSIGNED, **config, **(ALONE if alone else {})}
    try:
        return interruptible(duckdb.connect(str(path), read_only=read_only, config=settings))
    except duckdb.Error as error:
        raise StoreError(_reason(path, called or str(path), error, read_only=read_only)) from error


def _reason(path: Path, called: str, error: duckdb.Error, *, read_only: bool) -> str:
    refusal, named = refusal_of(error)
    if refusal is Refusal.OPEN_HERE:
        return (
            f"{called} is open in this process with other settings: close that connection first, "
            "or use it (emm1.load_extension prepares a connection you opened yourself)"
        )
    if refusal is Refusal.OPEN_ELSEWHERE:
        how = "" if read_only else "; several processes may use it only if all of them open it read-only"
        return f"{called} is open in another process{f' ({named})' if named else ''}: close it there{how}"
    if path.is_dir():
        return f"{called} is a folder, not an emm1 store"
    if not os.access(path, os.R_OK):
        return _unreadable(called)
    if not read_only and not os.access(path, os.W_OK):
        return f"{called} may not be written: change its permissions, or open it read-only if that is enough"
    if refusal is Refusal.NO_DATABASE:
        return _no_database(called)
    first = str(error).partition("\n")[0]
    return f"{called} cannot be opened: {first.replace(str(path), called)}"


def _unreadable(path: Path | str) -> str:
    return f"{path} may not be read: no permission"


def _no_database(path: Path | str) -> str:
    return f"{path} is not an emm1 store (not even a DuckDB file)"


def missing(path: Path) -> FileNotFoundError:
    """The error for a store that does not exist."""
    return FileNotFoundError(f"{path} does not exist: build it with `emm1 build ROOT {path}`")


def check_path(path: Path) -> None:
    """Refuse a path that DuckDB would misunderstand.

    Raises:
        StoreError: it has a question mark, or is neither a file nor a folder.
    """
    check_text(path, StoreError)
    if "?" in str(path.absolute()):
        raise StoreError(
            f"{path.absolute()}: the path of a store must not contain a question mark, since DuckDB would put its log elsewhere: "
            "name another place"
        )
    check_regular(path, StoreError)


def log_of(store: Path) -> Path:
    """The write-ahead log that DuckDB keeps beside a store while it is written."""
    return store.with_name(f"{store.name}.wal")


def is_store(path: Path) -> bool:
    """Whether a file is an emm1 store.

    Raises:
        StoreError: it is a database, but open elsewhere or unreadable.
    """
    if not path.is_file() or not is_database(path):
        return False
    with connect(path, read_only=True) as connection:
        return schema_version(connection) is not None


def is_database(path: Path) -> bool:
    """DuckDB files carry the letters DUCK after an eight-byte checksum."""
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == b"DUCK"
    except PermissionError as error:
        raise StoreError(_unreadable(path)) from error


def schema_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The schema version of the store that a connection has open; None if it is not a store."""
    try:
        rows = connection.execute("SELECT schema_version FROM emm1_store").fetchall()
    except duckdb.Error:
        return None
    return int(rows[0][0]) if rows else None


def media_root_of(connection: duckdb.DuckDBPyConnection) -> str:
    """The folder of the media that was given when the store of a connection was built."""
    ((media_root,),) = connection.execute("SELECT media_root FROM emm1_store").fetchall()
    return str(media_root)


def open_store(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a store, with the extension loaded.

    Raises:
        FileNotFoundError: there is no such file.
        StoreError: it is not a store, or one of another version, or cannot be opened.
    """
    check_path(path)
    if not path.exists():
        raise missing(path)
    if path.is_file() and not is_database(path):
        raise StoreError(_no_database(path))
    connection = connect(path, read_only=read_only)
    version = schema_version(connection)
    if version != SCHEMA_VERSION:
        connection.close()
    if version is None:
        raise StoreError(f"{path} is a DuckDB file, but not an emm1 store: build one with `emm1 build ROOT {path}`")
    check_version(path, version)
    load_extension(connection)
    return connection


def check_version(path: Path, version: int, *, older: bool = False) -> None:
    """Refuse a store of another schema version.

    Args:
        path: the store.
        version: its schema version.
        older: accept older versions.

    Raises:
        StoreError: it was built by a newer emm1, or by an older one; says what to do.
    """
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was built by a newer emm1 (schema version {version}, this one reads {SCHEMA_VERSION}): update emm1, "
            "or build another file"
        )
    if version < SCHEMA_VERSION and not older:
        raise StoreError(
            f"{path} was built by an older emm1 (schema version {version}, this one reads {SCHEMA_VERSION}): bring it up "
            f"to date with `emm1 upgrade {path}`, or build it anew",
            force=True,
        )
