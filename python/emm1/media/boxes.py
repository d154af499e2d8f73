"""The boxes of MP4 files."""

from __future__ import annotations

from pathlib import Path

HEADER, LONG = 8, 16
TO_THE_END = 0  # as a size
LARGE = 1  # as a size: eight bytes with the size follow


def ends_early(path: Path) -> bool:
    """Whether an MP4 file ends before the last of its outermost boxes does, as one that was not downloaded whole.

    Source: ISO/IEC 14496-12, "Object structure": four bytes with the size of the box, four with its type.

    >>> path = getfixture("tmp_path") / "a.mp4"
    >>> _ = path.write_bytes(bytes([0, 0, 0, 12]) + b"ftypisom")
    >>> ends_early(path)
    False
    >>> _ = path.write_bytes(bytes([0, 0, 0, 13]) + b"ftypisom")
    >>> ends_early(path)
    True
    """
    end = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at < end:
            file.seek(at)
            header = file.read(LONG)
            size = int.from_bytes(header[:4])
            if size == TO_THE_END:
                return False
            if size == LARGE:
                size = int.from_bytes(header[HEADER:LONG])
            if size < HEADER:
                return True  # no box begins here
            at += size
    return at > end
