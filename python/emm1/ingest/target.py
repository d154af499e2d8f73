"""The store that a build replaces: whether it may be, and how the new one gets to the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from emm1.dataset import SCHEMAS
from emm1.errors import StoreError
from emm1.store.database import check_path, check_version, connect, is_store, schema_version

# Seconds between two writes of a new store to the disk.
PAUSE = 0.25


@contextmanager
def written_back(file: Path) -> Iterator[None]:
    """Send what is written to a new store to the disk meanwhile, so that commits have little left to wait for.

    At the end DuckDB's lock on the file is gone, as any is when a process closes one of the file's descriptors; no one
    else comes to it, since the folder is locked.
    """
    done = Event()
    descriptor = os.open(file, os.O_RDONLY)

    def write_back() -> None:
        with suppress(OSError):  # DuckDB is told of it too
            while not done.wait(PAUSE):
                os.fsync(descriptor)

    thread = Thread(target=write_back)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        os.close(descriptor)


def check_target(store: Path, *, force: bool) -> None:
    """Refuse at once what could not be replaced at the end.

    Raises:
        StoreError: the folder is missing, the file is not a store, it was built by an older emm1 and ``force`` is not
            given, or by a newer one, or it is being written elsewhere; or the name is one that DuckDB would take for a
            schema of the store.
    """
    check_path(store)
    name = store.name.lstrip(".").partition(".")[0]
    if name.casefold() in SCHEMAS.values():
        raise StoreError(
            f"a store cannot be called {store.name}: DuckDB names a database by its file, and {name} is a schema in it; "
            "name another file"
        )
    if not store.parent.is_dir():
        raise StoreError(f"cannot write {store}: the folder {store.parent} does not exist")
    if not os.access(store.parent, os.W_OK):
        raise StoreError(f"cannot write {store}: no permission to write in {store.parent}")
    if not os.path.lexists(store):
        return
    if not is_store(store):
        raise StoreError(f"{store} exists and is not an emm1 store: it is left alone; name another file")
    settle(store)
    with connect(store, read_only=True, alone=True) as connection:
        check_version(store, schema_version(connection) or 0, older=force)


def settle(store: Path) -> None:
    """Put what a killed writer left in its write-ahead log into the store.

    Raises:
        StoreError: there is a log, and the store is open elsewhere.
    """
    if log_of(store).exists():
        with connect(store, alone=True) as connection:
            connection.execute("CHECKPOINT")


def log_of(store: Path) -> Path:
    """The write-ahead log that DuckDB keeps beside a store while it is written."""
    return store.with_name(f"{store.name}.wal")
