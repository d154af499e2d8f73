"""Opens an existing store."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

import emm1.store
from emm1.checks import PathLike
from emm1.store.connections import SET
from emm1.store.database import open_store


def open(path: PathLike, read_only: bool = False, root: PathLike | None = None) -> emm1.store.Store:  # noqa: A001
    """Open a store.

    Args:
        path: the DuckDB file.
        read_only: whether to open it for reading only; other processes may then read it at the same time.
        root: folder of the media, for file paths; by default ``$ROOT_DATA_PATH``, or else the one given at build.

    Raises:
        emm1.errors.FileNotFoundError: there is no such file.
        emm1.errors.StoreError: the file is not a store, or is open elsewhere with other settings.

    >>> import emm1
    >>> emm1.open("missing.duckdb")
    Traceback (most recent call last):
    emm1.errors.FileNotFoundError: missing.duckdb does not exist: build it with `emm1 build ROOT missing.duckdb`
    """
    file = Path(path)
    return emm1.store.Store(open_store(file, read_only=read_only), file.resolve(), _media_folder(root))


def reading(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that reads a store, without the rest of a `Store`, which needs NumPy and takes as long to import.

    Raises:
        emm1.errors.Error: as for `open`.
    """
    connection = open_store(path, read_only=True)
    if (folder := _media_folder(None)) is not None:
        connection.execute(SET["emm1_root"], [folder])
    return connection


def _media_folder(root: PathLike | None) -> str | None:
    """The folder of the media as an absolute path; None for the one given at build."""
    media = os.fspath(root) if root is not None else os.environ.get("ROOT_DATA_PATH")
    return os.path.abspath(media).rstrip(os.sep) if media else None
