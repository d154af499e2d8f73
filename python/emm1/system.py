"""What differs between operating systems; no other module asks on which of them it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# Here no file that is open or memory-mapped can be replaced, and none that DuckDB writes can be opened again.
WINDOWS = sys.platform == "win32"

if sys.platform == "win32":
    import msvcrt

    def locked(folder: Path) -> Callable[[], None]:
        """Make a folder unless it exists, and lock it; the system releases the lock when the process ends, however it ends.

        No folder can be locked on Windows: the lock is on a file beside it.

        Returns:
            What releases the lock.

        Raises:
            BlockingIOError: another process holds the lock.
            OSError: the folder or the file cannot be made.
        """
        file = folder.with_name(f"{folder.name}.lock")
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(file, os.O_RDWR | os.O_CREAT)
        try:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            os.close(lock)
            raise BlockingIOError(error.errno, error.strerror, str(file)) from error

        def release() -> None:
            os.close(lock)
            with suppress(OSError):  # it is not removed if another process has opened it meanwhile
                file.unlink()

        return release

    def descriptor_of(handle: int) -> int:
        """The file descriptor of an open file as the native part gives it; to close it is to close the file."""
        return msvcrt.open_osfhandle(handle, os.O_RDONLY)

else:
    import fcntl

    def locked(folder: Path) -> Callable[[], None]:
        """Make a folder unless it exists, and lock it; the system releases the lock when the process ends, however it ends.

        Returns:
            What releases the lock.

        Raises:
            BlockingIOError: another process holds the lock.
            OSError: the folder cannot be made.
        """
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock), folder.stat()):
                    return lambda: os.close(lock)
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(lock)
                raise
            os.close(lock)  # the process that held it has just removed the folder

    def descriptor_of(handle: int) -> int:
        """The file descriptor of an open file as the native part gives it; to close it is to close the file."""
        return handle
