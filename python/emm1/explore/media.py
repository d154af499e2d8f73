"""Media files of items: only those inside the media folder."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from emm1.media.inside import OutsideError, inside

# Types that a browser shows. It runs nothing that has one of them; whatever else a file is, it is only bytes.
BYTES = "application/octet-stream"
TYPES = {
    "image": {
        ".avif": "image/avif",
        ".gif": "image/gif",
        ".jpeg": "image/jpeg",
        ".jpg": "image/jpeg",
        ".png": "image/png",
        ".webp": "image/webp",
    },
    "audio": {
        ".flac": "audio/flac",
        ".m4a": "audio/mp4",
        ".mp3": "audio/mpeg",
        ".mp4": "audio/mp4",
        ".ogg": "audio/ogg",
        ".opus": "audio/ogg",
        ".wav": "audio/wav",
        ".webm": "audio/webm",
    },
    "video": {".mkv": "video/x-matroska", ".mov": "video/quicktime", ".mp4": "video/mp4", ".webm": "video/webm"},
}
KEPT = "private, max-age=600"


class State(StrEnum):
    """What became of the media of an item."""

    there = "there"
    missing = "missing"  # the usual case: most people have no media on their disk
    outside = "outside"  # its real path is not inside the media folder
    unnamed = "unnamed"  # the store has no path for it


@dataclass(frozen=True)
class Media:
    """The media of an item; `file` and `found` are None unless it is there."""

    state: State
    file: Path | None = None
    found: os.stat_result | None = None


class MediaFolder:
    """The folder that holds the media of a store.

    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "a.png").write_bytes(b"x")
    >>> (folder / "inner").mkdir()
    >>> inner = MediaFolder(str(folder / "inner"))
    >>> MediaFolder(str(folder)).find(str(folder / "a.png")).state, inner.find(str(folder / "a.png")).state
    (<State.there: 'there'>, <State.outside: 'outside'>)
    >>> inner.find(str(folder / "inner/b.png")).state, inner.find(None).state
    (<State.missing: 'missing'>, <State.unnamed: 'unnamed'>)
    """

    def __init__(self, root: str) -> None:
        self._root = Path(root).resolve()

    def find(self, path: str | None) -> Media:
        """The file at a path, where links lead: only regular files inside the folder are there."""
        if path is None:
            return Media(State.unnamed)
        try:
            real = inside(path, self._root)
            found = real.stat()
        except OSError:
            return Media(State.missing)
        except OutsideError:
            return Media(State.outside)
        return Media(State.there, real, found) if stat.S_ISREG(found.st_mode) else Media(State.missing)


def type_of(modality: str, file: Path) -> str:
    """The media type of a file of a modality, by its suffix.

    >>> type_of("audio", Path("a.MP4")), type_of("image", Path("a.svg"))
    ('audio/mp4', 'application/octet-stream')
    """
    return TYPES.get(modality, {}).get(file.suffix.lower(), BYTES)
