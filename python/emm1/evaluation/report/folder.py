"""The folder that a report is written to, and those in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from emm1.errors import Error

UNSAFE = re.compile(r"[^\w.+-]")
# Windows keeps these names for devices.
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
LONGEST = 80


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """Make a folder for a report, whose files are written in the block.

    Raises:
        Error: the folder is a file, or cannot be written.
    """
    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise Error(f"the report cannot be written to {folder}: {error.strerror or error}") from error


def check_folder(folder: Path) -> None:
    """Refuse a folder for a report that is a file, or in one.

    Raises:
        Error: it is.

    >>> check_folder(Path(__file__) / "report")
    Traceback (most recent call last):
    emm1.errors.Error: ...folder.py is a file: name a folder for the report
    """
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise Error(f"{place} is a file: name a folder for the report")


def folders(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """A folder's name for each model: its own, with what does not belong in the name of a file replaced.

    Args:
        names: the names of the models, without repeats.
        taken: names of files that no folder may have.

    >>> folders(["new", "New", "../old", "nul"])
    {'new': 'new', 'New': 'New-2', '../old': '_old', 'nul': '_nul'}
    """
    found: dict[str, str] = {}
    used = {each.casefold() for each in taken}
    for name in names:
        plain = UNSAFE.sub("_", name).strip(".")[:LONGEST].rstrip(".") or "model"
        plain = f"_{plain}" if DEVICES.match(plain) else plain
        own, number = plain, 1
        while own.casefold() in used:
            number += 1
            own = f"{plain}-{number}"
        used.add(own.casefold())
        found[name] = own
    return found
