"""Identifies source files by their checksum, and makes sure that they do not change during a build."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, Self

from emm1.errors import SourceError
from emm1.ingest.content import open_content

if TYPE_CHECKING:
    from emm1.ingest.sources import Source

Published = Literal["current", "older", "unknown"]
# Bytes read at a time.
BUFFER = 1 << 20


@dataclass(frozen=True)
class Fingerprint:
    """A file's content; that of a compressed file is what it holds.

    Attributes:
        bytes: size.
        sha256: SHA-256, hexadecimal.
        published: which published version it is, if any.
    """

    bytes: int
    sha256: str
    published: Published

    @classmethod
    def of(cls, source: Source, digest: Digest) -> Self:
        """The fingerprint of a file of which everything was read."""
        sha256 = digest.hexdigest()
        return cls(digest.bytes, sha256, published_files().get((source.name, sha256), "unknown"))


class Digest:
    """The SHA-256 of a file that is being read, or of what it holds if it is compressed.

    Args:
        tell: called with the number of bytes read so far, on the thread that reads them.

    Attributes:
        bytes: the number of bytes read so far.
    """

    def __init__(self, tell: Callable[[int], object] = lambda _: None) -> None:
        self._sha256 = hashlib.sha256()
        self.bytes = 0
        self._tell = tell

    def update(self, data: memoryview) -> None:
        """Add the next bytes."""
        self._sha256.update(data)
        self.bytes += data.nbytes
        self._tell(self.bytes)

    def hexdigest(self) -> str:
        """The checksum of the bytes read so far, hexadecimal."""
        return self._sha256.hexdigest()


@dataclass(frozen=True)
class Stamp:
    """Changes when a file is written or replaced: its size, modification time and inode."""

    bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, source: Source) -> Self:
        """The stamp of a source file as it is now.

        Raises:
            SourceError: it is gone.
        """
        try:
            stat = source.path.stat()
        except FileNotFoundError as error:
            raise SourceError(f"{source.path} is gone: it was removed or renamed during the build") from error
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def check(self, source: Source) -> None:
        """Refuse a file that has changed.

        Raises:
            SourceError: it changed.
        """
        if Stamp.of(source) != self:
            raise SourceError(f"{source.path} changed while it was read: wait until it is complete, then build again")


@contextmanager
def unchanging(sources: Iterable[Source]) -> Iterator[None]:
    """Refuse files that change meanwhile; a change is the error, whatever else went wrong.

    Raises:
        SourceError: a file changed.
    """
    stamps = [(source, Stamp.of(source)) for source in sources]
    try:
        yield
    finally:
        for source, stamp in stamps:
            stamp.check(source)


@cache
def published_files() -> dict[tuple[str, str], Published]:
    """The version of each published file, by its name and SHA-256."""
    text = (files("emm1") / "data" / "published_files.csv").read_text(encoding="utf-8")
    return {(row["path"], row["sha256"]): row["version"] for row in csv.DictReader(text.splitlines())}  # type: ignore[misc]


def fingerprint(source: Source, digest: Digest) -> Fingerprint:
    """Read a source file once, for its checksum.

    Args:
        source: the file.
        digest: a new one.

    Raises:
        SourceError: the file changed while it was read.
    """
    before = Stamp.of(source)
    buffer = memoryview(bytearray(BUFFER))
    with open_content(source.path) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    before.check(source)
    return Fingerprint.of(source, digest)
