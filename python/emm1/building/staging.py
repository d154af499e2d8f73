"""Build beside the store and rename when whole: a reader never sees half a store, a failed build leaves the old one."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from emm1.building.sources import SCHEMAS
from emm1.errors import StoreError
from emm1.files import connect, is_store


def staging_folder(store: Path) -> Path:
    """The folder beside a store that a build of it works in."""
    return store.with_name(f"{store.name}.building")


@contextmanager
def staging(store: Path) -> Iterator[Path]:
    """A folder of its own for a build; what a killed build left in it is cleared, and all of it at the end.

    Raises:
        StoreError: another build of the same store is under way, or the folder cannot be made.
    """
    folder = staging_folder(store)
    lock = _lock(store, folder)
    try:
        _clear(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(store: Path, folder: Path) -> int:
    """A lock on the folder, which the system lets go when the process ends, however it ends."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise StoreError(f"cannot build {store}: {error.strerror} ({error.filename})") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise StoreError(f"another build of {store} is under way (it works in {folder}): wait for it") from None
        try:
            same = os.path.samestat(os.fstat(lock), folder.stat())
        except FileNotFoundError:
            same = False
        if same:
            return lock
        os.close(lock)  # the build that held it has just removed the folder


def _clear(folder: Path) -> None:
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def check_target(store: Path, *, force: bool) -> None:
    """Refuse at once what could not be replaced at the end.

    Raises:
        StoreError: the folder is missing, the store exists and ``force`` is not given, the file is not a store,
            or it is open elsewhere; or the name is one that DuckDB would take for a schema of the store.
    """
    name = store.name.lstrip(".").partition(".")[0]
    if name.casefold() in SCHEMAS.values():
        raise StoreError(
            f"a store cannot be called {store.name}: DuckDB names a database by its file, and {name} is a schema in it; "
            "name another file"
        )
    if not store.parent.is_dir():
        raise StoreError(f"cannot write {store}: the folder {store.parent} does not exist")
    if not os.path.lexists(store):
        if not os.access(store.parent, os.W_OK):
            raise StoreError(f"cannot write {store}: no permission to write in {store.parent}")
        return
    if not is_store(store):
        raise StoreError(f"{store} exists and is not an emm1 store: it is left alone; name another file")
    if not force:
        raise StoreError(f"{store} exists: add --force to replace it (registered embeddings are kept)")
    connect(store, alone=True).close()


@contextmanager
def replaced(store: Path) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """Hold the old store's write lock while its registered embeddings are copied and the new one is renamed over it.

    Its write-ahead log is emptied first: a log left beside a renamed file would be taken for the new file's.
    """
    if not os.path.lexists(store):
        yield None
        return
    with connect(store, alone=True) as old:
        old.execute("CHECKPOINT")
        yield old


def keep_embeddings(old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection) -> None:
    """Copy the register of embeddings from the store that is replaced."""
    rows = old.table("embeddings").to_arrow_table()
    if rows.num_rows:
        new.register("kept", rows)
        new.execute("INSERT INTO embeddings BY NAME FROM kept")
        new.unregister("kept")
