"""Build beside the store and rename when whole: a reader never sees half a store, a failed build leaves the old one."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from emm1.building.sources import SCHEMAS
from emm1.errors import StoreError
from emm1.files import check_path, check_version, connect, is_store, schema_version

# Seconds between two writes of a new store to the disk.
PAUSE = 0.25


def staging_folder(store: Path) -> Path:
    """The folder beside a store that a build of it works in."""
    return store.with_name(f"{store.name}.building")


def new_file(store: Path, folder: Path) -> Path:
    """Where in the folder of a build the new store is made.

    It has the name of the store: DuckDB calls a database by its file, and what users made in one may say so.
    """
    return folder / "new" / store.name


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
        new_file(store, folder).parent.mkdir()
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
