"""What is spent on making a preview of a file that may be damaged or hostile."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from xml.sax.saxutils import escape

SECONDS = 10
MOST_PIXELS = 24_000_000  # decoded, of four bytes each
LARGEST_IMAGE = 64 << 20  # bytes of a file: some decoders read all of it at once


class NotShownError(Exception):
    """A file has no preview; says why."""


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


def check_pixels(width: int, height: int) -> None:
    """Refuse a picture that would take too much memory, before it is decoded.

    >>> check_pixels(50_000, 50_000)
    Traceback (most recent call last):
    ...
    emm1.explore.previews.limits.NotShownError: it has 50,000 × 50,000 pixels, too many for a preview
    """
    if width * height > MOST_PIXELS:
        raise NotShownError(f"it has {width:,} × {height:,} pixels, too many for a preview")


def reason(text: str) -> bytes:
    """A picture that says why there is none, which browsers show in its place.

    >>> b"&lt;b&gt;" in reason("<b>")
    True
    """
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 60"><title>No preview</title>'
        f'<text x="8" y="34" font-size="12" font-family="sans-serif" fill="#7a8590">{escape(_printable(text))}</text></svg>'
    ).encode()


def _printable(text: str) -> str:
    """Without characters that XML does not have."""
    return "".join(character for character in text if character.isprintable())
