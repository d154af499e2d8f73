"""The file that a build writes: whether it may be replaced, how it is flushed, and what failures mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import duckdb

from emm1 import system
from emm1.dataset import SCHEMAS
from emm1.errors import Error, StoreError
from emm1.store.database import check_path, check_version, connect, is_store, log_of, schema_version
from emm1.store.refusals import Refusal, refusal_of

# Seconds between two flushes of a new store to the disk.
PAUSE = 0.25


@contextmanager
def written_back(file: Path) -> Iterator[None]:
    """Flush a new store to the disk while it is written, so that commits have little to wait for.

    At the end DuckDB's lock on the file is lost, as every lock is when a process closes a descriptor of the file. No one
    else opens the file, since the folder is locked. On Windows nothing can open a file that DuckDB writes: it is not flushed.
    """
    if system.WINDOWS:
        yield
        return
    done = Event()
    descriptor = os.open(file, os.O_RDONLY)

    def write_back() -> None:
        with suppress(OSError):  # DuckDB reports it too
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
    """Refuse at the start what could not be replaced at the end.

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
    """Apply the write-ahead log that a killed writer left to the store.

    Raises:
        StoreError: there is a log, and the store is open elsewhere.
    """
    if log_of(store).exists():
        with connect(store, alone=True) as connection:
            connection.execute("CHECKPOINT")


@contextmanager
def failures_explained(store: Path) -> Iterator[None]:
    """Turn failures of DuckDB or the system into errors that say what to do: the disk is full, the memory too small."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if isinstance(error, Error):
            raise
        first = str(error).splitlines()[0]
        match refusal_of(error)[0]:
            case Refusal.NO_MEMORY:
                text = f"not enough memory to build {store}: raise the memory limit or use fewer threads ({first})"
            case Refusal.DISK_FULL:
                text = (
                    f"no space left on the disk of {store.parent}: a full store takes about 2 GB, and as much again while "
                    "the old one is kept; free some or build elsewhere. The old store, if any, is untouched"
                )
            case _:
                text = f"cannot build {store}: {first}"
        raise StoreError(text) from error
