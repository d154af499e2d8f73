"""The content of source files: the bytes of a plain file, or what a compressed one holds."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from emm1.errors import SourceError

if TYPE_CHECKING:
    from typing_extensions import Buffer

# The suffixes of files that are read as what they hold, and what Arrow calls their compression.
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


def is_compressed(path: Path) -> bool:
    """Whether a file is read as what it holds; its name says so, as it does to DuckDB.

    >>> is_compressed(Path("infos/audio.csv.zst")), is_compressed(Path("infos/audio.csv"))
    (True, False)
    """
    return path.suffix in COMPRESSIONS


def as_it_is(path: Path) -> Path:
    """The file under this name or, if there is none, the compressed file that holds it; else the name itself."""
    beside = (path.with_name(path.name + suffix) for suffix in COMPRESSIONS)
    return path if path.exists() else next((file for file in beside if file.is_file()), path)


def open_content(path: Path) -> io.RawIOBase:
    """Open a file for its content, as bytes, unbuffered.

    A compressed file that is cut short or damaged is an error where that is read, a `SourceError`.
    """
    return _Compressed(path) if is_compressed(path) else path.open("rb", buffering=0)


def open_text(path: Path, errors: str = "strict") -> io.TextIOWrapper:
    """Open a file for its content, as text in UTF-8 with its line ends; a byte order mark is left out."""
    buffered = io.BufferedReader(open_content(path))
    return io.TextIOWrapper(buffered, encoding="utf-8-sig", newline="", errors=errors)


class _Compressed(io.RawIOBase):
    """What a compressed file holds. Arrow decompresses it, which notices a stream that is cut short; DuckDB does not for zstd."""

    def __init__(self, path: Path) -> None:

        self._path = path
        self._stream: Any = pa.CompressedInputStream(pa.OSFile(str(path)), COMPRESSIONS[path.suffix])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        try:
            return int(self._stream.readinto(buffer))
        except OSError as error:
            raise SourceError(
                f"{self._path} is not whole {COMPRESSIONS[self._path.suffix]} data ({error}): download it again"
            ) from error

    def close(self) -> None:
        self._stream.close()
        super().close()
