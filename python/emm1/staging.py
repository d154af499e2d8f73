"""A folder next to a file, locked, in which the file is made before it is renamed: nobody ever sees half of it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emm1.errors import StoreError


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
