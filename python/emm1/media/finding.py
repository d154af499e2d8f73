"""What can be said of a media file that was looked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What became of a file."""

    ok = "ok"
    missing = "missing"  # also what leads out of the media folder
    unreadable = "unreadable"  # no permission, a folder, a device
    empty = "empty"
    html = "html"  # a page that a server sent in its place
    wrong_kind = "wrong_kind"
    truncated = "truncated"
    damaged = "damaged"
    slow = "slow"  # its decoder did not come to an end
    silent = "silent"  # audio without sound
    still = "still"  # a video in which nothing moves
    too_short = "too_short"  # for the clip that it is


@dataclass(frozen=True)
class Finding:
    """What became of a file, and more about it; None if there is no more to say."""

    status: Status
    detail: str | None = None
