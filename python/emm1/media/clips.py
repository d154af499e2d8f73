"""Opens clips for decoding: only as what their names say, and without anything outside of the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from emm1.media.limited import SECONDS, Limited, UnreadableError

# Formats by suffix. A file is read as nothing else: some formats, such as playlists, name other files and addresses.
FORMATS = {
    ".flac": "flac",
    ".m4a": "mov",
    ".mkv": "matroska",
    ".mov": "mov",
    ".mp3": "mp3",
    ".mp4": "mov",
    ".ogg": "ogg",
    ".opus": "ogg",
    ".wav": "wav",
    ".webm": "matroska",
}


@contextmanager
def opened(path: Path, seconds: float = SECONDS) -> Iterator[tuple[InputContainer, Limited]]:
    """A clip, and the file that it is read from, which ends after so many seconds.

    Raises:
        UnreadableError: it is damaged, or no clip; also for whatever the caller meets in it.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise UnreadableError(f"{path.suffix or 'a file without a suffix'} is not decoded")
    with Limited(path, seconds=seconds) as file:
        try:
            with av.open(file, "r", form, io_open=_refuse) as container:
                yield container, file
        except UnreadableError:
            raise
        except Exception as error:  # decoders raise all kinds of them for damaged files
            if file.is_late:
                raise UnreadableError("it takes too long to read") from error
            raise UnreadableError(f"it cannot be decoded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)[:200]


def _refuse(_url: str, _flags: int, _options: dict[str, Any]) -> Any:
    raise UnreadableError("it consists of several files")
