"""Reads files that may be damaged or hostile for a limited time."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

SECONDS = 10


class UnreadableError(Exception):
    """A media file cannot be read; says why."""


class Limited:
    """A file that ends when the time is up, as a file that was cut off does.

    >>> path = getfixture("tmp_path") / "a"
    >>> _ = path.write_bytes(b"abcdef")
    >>> with Limited(path, seconds=60) as file, Limited(path, seconds=0) as late:
    ...     file.read(4), file.tell(), late.read(4), late.is_late
    (b'abcd', 4, b'', True)
    """

    def __init__(self, path: Path, *, seconds: float = SECONDS) -> None:
        self._file: BinaryIO = path.open("rb")
        self._end = time.monotonic() + seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._end

    def read(self, size: int = -1) -> bytes:
        """The next bytes; none when the time is up."""
        return b"" if self.is_late else self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go elsewhere."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the next bytes are read."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self._file.close()
