"""What each source file is: its checksum, and which published version that makes it."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import numpy as np

from emm1._native import first_byte_outside
from emm1.errors import SourceError

if TYPE_CHECKING:
    from emm1.build.sources import Source

Published = Literal["current", "older", "unknown"]
CHUNK = 8 << 20


@dataclass(frozen=True)
class Fingerprint:
    """A file's content.

    Attributes:
        bytes: size.
        sha256: SHA-256, hexadecimal.
        published: the published version it is.
        digits_only: whether, after the first line, it holds nothing but integers without sign or quotes.
    """

    bytes: int
    sha256: str
    published: Published
    digits_only: bool


@cache
def published_files() -> dict[tuple[str, str], Published]:
    """The version of each published file, by its name and SHA-256."""
    text = (files("emm1") / "data" / "published_files.csv").read_text(encoding="utf-8")
    return {(row["path"], row["sha256"]): row["version"] for row in csv.DictReader(text.splitlines())}  # type: ignore[misc]


def fingerprint(source: Source) -> Fingerprint:
    """Read a source file once, for its checksum and for the bytes it is made of.

    Raises:
        SourceError: the file changed while it was read.
    """
    before = source.path.stat()
    digest = hashlib.sha256()
    buffer = bytearray(CHUNK)
    view = np.frombuffer(buffer, np.uint8)
    digits_only = source.rank is not None
    first = True
    with source.path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            chunk = view[:size]
            digest.update(chunk.data)
            if digits_only:
                body = chunk[buffer.find(b"\n", 0, size) + 1 :] if first else chunk
                digits_only = first_byte_outside(body, list(b"0123456789,\r\n")) is None
            first = False
    after = source.path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise SourceError(f"{source.path} changed while it was read: wait until it is complete, then build again")
    sha256 = digest.hexdigest()
    return Fingerprint(before.st_size, sha256, published_files().get((source.name, sha256), "unknown"), digits_only)
