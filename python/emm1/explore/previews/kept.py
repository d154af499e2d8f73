"""Keeps what was made of media files, beside the store, up to a number of bytes."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from pathlib import Path

from emm1.explore.media import Media

MOST_BYTES = 1_000_000_000
LEFT = 0.9  # of them, after the oldest went: so that this does not happen at every file


class Kept:
    """Files named by what they were made of; the oldest go.

    Args:
        folder: where they are kept. It is made when the first file is; where that is not allowed, a temporary folder is used.
        most: so many bytes at most.

    >>> folder = getfixture("tmp_path") / "kept"
    >>> kept = Kept(folder, most=100)
    >>> for number in range(12):
    ...     kept.put(f"{number:064}", bytes(10))
    >>> len(list(folder.iterdir())), kept.get(f"{0:064}"), kept.get(f"{11:064}") == bytes(10)
    (9, None, True)
    """

    def __init__(self, folder: Path, *, most: int = MOST_BYTES) -> None:
        self._wanted = folder
        self._most = most
        self._lock = threading.Lock()
        self._folder: Path | None = folder if folder.is_dir() else None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._bytes: int | None = None  # counted when the first file is put

    def get(self, key: str) -> bytes | None:
        """What was kept under a key; None if nothing is."""
        if self._folder is None:
            return None
        try:
            return (self._folder / key).read_bytes()
        except OSError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep something. Where the disk refuses, it is not kept, and nobody misses it but the next who asks."""
        with self._lock:
            try:
                self._write(self._place(), key, data)
            except OSError:
                if self._temporary is not None or self._folder is None:
                    return
                self._folder, self._bytes = None, None  # for instance a folder of another user, who may write to it
                self._put_elsewhere(key, data)

    def _put_elsewhere(self, key: str, data: bytes) -> None:
        try:
            self._write(self._elsewhere(), key, data)
        except OSError:
            return

    def _place(self) -> Path:
        if self._folder is None:
            try:
                self._wanted.mkdir(mode=0o700, exist_ok=True)
            except OSError:
                return self._elsewhere()
            self._folder = self._wanted
        return self._folder

    def _elsewhere(self) -> Path:
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="emm1-")
            self._folder = Path(self._temporary.name)
        return Path(self._temporary.name)

    def _write(self, folder: Path, key: str, data: bytes) -> None:
        """Write a file and rename it into place, so that others see all of it or nothing."""
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            unfinished = Path(file.name)
            try:
                file.write(data)
                file.close()
                unfinished.replace(folder / key)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
        self._bytes = len(data) + (self._bytes if self._bytes is not None else _size(folder))
        if self._bytes > self._most:
            self._bytes = _shrink(folder, int(self._most * LEFT))


def key_of(made: str, media: Media) -> str:
    """The name of what is made of a file as it is now: its real path, the time of its last change, its size.

    >>> path = getfixture("tmp_path") / "a.jpg"
    >>> path.write_bytes(b"a")
    1
    >>> from emm1.explore.media import MediaFolder
    >>> before = key_of("thumb", MediaFolder(str(path.parent)).find(str(path)))
    >>> path.write_bytes(b"ab")
    2
    >>> before == key_of("thumb", MediaFolder(str(path.parent)).find(str(path)))
    False
    """
    if media.file is None or media.found is None:
        raise ValueError("there is no file")
    parts = (made, os.fspath(media.file), str(media.found.st_mtime_ns), str(media.found.st_size))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _files(folder: Path) -> list[tuple[int, int, Path]]:
    """Time, size and path of each file, the oldest first."""
    found = []
    for entry in os.scandir(folder):
        try:
            known = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # another server of the same store removed it
            continue
        found.append((known.st_mtime_ns, known.st_size, Path(entry.path)))
    return sorted(found)


def _size(folder: Path) -> int:
    return sum(size for _, size, _ in _files(folder))


def _shrink(folder: Path, most: int) -> int:
    """Remove the oldest files until there are at most so many bytes; return how many there are."""
    files = _files(folder)
    total = sum(size for _, size, _ in files)
    for _, size, path in files:
        if total <= most:
            break
        path.unlink(missing_ok=True)
        total -= size
    return total
