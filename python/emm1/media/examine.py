"""Finds out whether a media file can be used: that it is there, is of its kind, and decodes from its beginning to its end."""

from __future__ import annotations

import stat
from importlib.util import find_spec
from pathlib import Path

from emm1.errors import SourceError
from emm1.media.boxes import ends_early
from emm1.media.describe import FIRST, kind_of
from emm1.media.finding import Finding, Status
from emm1.media.limited import UnreadableError
from emm1.media.points import read_points

# Which kinds of file can hold a modality: audio of the dataset is MP4.
HOLDS = {"image": {"image"}, "audio": {"audio", "clip"}, "video": {"video", "clip"}, "points": {"points"}}
PACKAGES = {"PIL": "pillow", "av": "av"}


# What is said of other kinds.
INSTEAD = {"html": Status.html, "zeros": Status.truncated}
# Words in what decoders say of files that were cut off.
ENDS = ("truncated", "broken data stream", "end of file", "moov atom not found")


def missing_packages() -> list[str]:
    """The packages that are not installed and without which nothing is decoded."""
    return [package for module, package in PACKAGES.items() if find_spec(module) is None]


def examine(path: Path, modality: str, seconds: float | None = None, *, decode: bool = True) -> Finding:
    """Find out whether a file can be used.

    Args:
        path: the file.
        modality: ``image``, ``audio``, ``video`` or ``points``.
        seconds: how long the clip is, as the dataset says; None if it does not.
        decode: whether to decode it, for which images need pillow, and audio and video need av. Otherwise only its size and
            its first bytes are looked at, and point clouds are read.

    >>> path = getfixture("tmp_path") / "page.jpg"
    >>> _ = path.write_text("<!DOCTYPE html><title>Not found</title>")
    >>> examine(path, "image").status
    <Status.html: 'html'>
    >>> examine(path.with_name("no.jpg"), "image")
    Finding(status=<Status.missing: 'missing'>, detail=None)
    """
    try:
        first = _beginning(path)
        if isinstance(first, Finding):
            return first
        family, what = kind_of(path, first)
        if family not in HOLDS[modality]:
            return Finding(INSTEAD.get(family, Status.wrong_kind), what)
        if family == "clip" and ends_early(path):
            return Finding(Status.truncated, "it ends before its last part does")
        return _decoded(path, modality, seconds, decode=decode)
    except (FileNotFoundError, NotADirectoryError):
        return Finding(Status.missing)
    except (UnreadableError, SourceError) as error:
        ends = any(words in str(error).lower() for words in ENDS)
        return Finding(Status.truncated if ends else Status.damaged, str(error))
    except OSError as error:  # no permission, or its disk fails
        return Finding(Status.unreadable, error.strerror)


def _beginning(path: Path) -> bytes | Finding:
    """The first bytes of a file, or why there are none."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        return Finding(Status.unreadable, f"it is {'a folder' if stat.S_ISDIR(found.st_mode) else 'no regular file'}")
    if not found.st_size:
        return Finding(Status.empty)
    with path.open("rb") as file:
        return file.read(FIRST)


def _decoded(path: Path, modality: str, seconds: float | None, *, decode: bool) -> Finding:
    if modality == "points":
        read_points(path)
    elif decode:
        from emm1.media import decoding  # noqa: PLC0415 - needs packages that may be missing

        if modality == "image":
            return decoding.image(path)
        return (decoding.audio if modality == "audio" else decoding.video)(path, seconds)
    return Finding(Status.ok)
