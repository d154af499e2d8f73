"""What each source file is: its checksum, and which published version that makes it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, Self

from emm1.errors import SourceError

if TYPE_CHECKING:
    from emm1.building.sources import Source

Published = Literal["current", "older", "unknown"]


@dataclass(frozen=True)
class Fingerprint:
    """A file's content.

    Attributes:
        bytes: size.
        sha256: SHA-256, hexadecimal.
        published: the published version it is.
    """

    bytes: int
    sha256: str
    published: Published


@dataclass(frozen=True)
class Stamp:
    """What changes when a file is written or replaced, read or not: its size, time of change, and place on the disk."""

    bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, source: Source) -> Self:
        """The stamp of a source file as it is now.

        Raises:
            SourceError: it is not there any more.
        """
        try:
            stat = source.path.stat()
        except FileNotFoundError:
            raise SourceError(f"{source.path} is gone: it was removed or renamed during the build") from None
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def check(self, source: Source) -> None:
        """Raise where the file is not what it was.

        Raises:
            SourceError: it changed.
        """
        if Stamp.of(source) != self:
            raise SourceError(f"{source.path} changed while it was read: wait until it is complete, then build again")


@contextmanager
def unchanging(sources: Iterable[Source]) -> Iterator[None]:
    """Files that must not change meanwhile; where one did, that is the error, whatever else was wrong.

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


def fingerprint(source: Source) -> Fingerprint:
    """Read a source file once, for its checksum.

    Raises:
        SourceError: the file changed while it was read.
    """
    before = Stamp.of(source)
    with source.path.open("rb", buffering=0) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    before.check(source)
    published = published_files().get((source.name, sha256), "unknown")
    return Fingerprint(before.bytes, sha256, published)


class Checksums:
    """Fingerprints of files, made one after the other beside other work, each begun when there is time for it."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._waiting = iter(sources)
        self._made: dict[str, Future[Fingerprint]] = {}
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        """The fingerprints, of which none is begun."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Leave what is not begun."""
        self._pool.shutdown(cancel_futures=True)

    def begin_next(self) -> None:
        """Begin with the next file, if any is left."""
        if source := next(self._waiting, None):
            self._made[source.name] = self._pool.submit(fingerprint, source)

    def result(self, source: Source) -> Fingerprint:
        """The fingerprint of a file that was begun.

        Raises:
            SourceError: the file changed while it was read.
        """
        return self._made[source.name].result()
