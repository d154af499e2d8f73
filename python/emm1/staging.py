"""A locked folder next to a file, in which the file is written before it is moved into place, always complete."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from emm1.errors import StoreError
from emm1.system import locked


def staging_folder(store: Path) -> Path:
    """The folder next to a store in which the store is built."""
    return store.with_name(f"{store.name}.building")


def new_file(store: Path, folder: Path) -> Path:
    """The path of the new store in the staging folder.

    It has the store's file name, because DuckDB names a database after its file and users' views may use that name.
    """
    return folder / "new" / store.name


@contextmanager
def staging(store: Path) -> Iterator[Path]:
    """A folder for one build, removed at the end; leftovers of a killed build are removed first.

    Raises:
        StoreError: another build of the same store is under way, or the folder cannot be made.
    """
    folder = staging_folder(store)
    release = _lock(store, folder)
    try:
        _clear(folder)
        new_file(store, folder).parent.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        release()


def _lock(store: Path, folder: Path) -> Callable[[], None]:
    try:
        return locked(folder)
    except BlockingIOError as error:
        raise StoreError(f"another build of {store} is under way (it works in {folder}): wait for it") from error
    except OSError as error:
        raise StoreError(f"cannot build {store}: {error.strerror} ({error.filename})") from error


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
