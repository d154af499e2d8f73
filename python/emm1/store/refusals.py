"""Tells DuckDB's errors apart.

Their classes are too coarse and differ between versions of DuckDB, so its messages are matched: here and nowhere else.
"""

from __future__ import annotations

import errno
import os
import re
from enum import Enum, auto

import duckdb


class Refusal(Enum):
    """The reasons for which DuckDB refuses something."""

    OPEN_HERE = auto()
    OPEN_ELSEWHERE = auto()
    NO_DATABASE = auto()
    READ_ONLY = auto()
    NO_FILES = auto()
    OTHER_CONNECTION = auto()
    DISK_FULL = auto()
    NO_MEMORY = auto()


# Patterns of the messages; a group captures the name of a process, database or variable.
_SAYS = {
    Refusal.OPEN_HERE: r"different configuration|file handle conflict",
    Refusal.OPEN_ELSEWHERE: r"(?:lock on file|File is already open in|used by another process)(?:.*(PID \d+))?",
    Refusal.NO_DATABASE: r"not a valid DuckDB database file",
    Refusal.READ_ONLY: r'(?:Cannot execute statement of type "\w+" on database "(.*)" which is attached in )?read-only',
    Refusal.NO_FILES: r"disabled through configuration",
    Refusal.OTHER_CONNECTION: r'\A(?=.*created by another Connection)[^"]*"([^"]*)"',
    Refusal.DISK_FULL: rf"{re.escape(os.strerror(errno.ENOSPC))}|not enough space on the disk",
}


def refusal_of(error: duckdb.Error | OSError) -> tuple[Refusal | None, str]:
    r"""The reason why DuckDB or the system refused, and the process, database or variable that its message names, or ''.

    >>> refusal_of(duckdb.IOException('Could not set lock on file "x": held in python (PID 7)'))
    (<Refusal.OPEN_ELSEWHERE: 2>, 'PID 7')
    >>> refusal_of(duckdb.IOException("Cannot open file: (in any language)\n\nFile is already open in \nC:\\p.exe (PID 8)"))
    (<Refusal.OPEN_ELSEWHERE: 2>, 'PID 8')
    >>> refusal_of(duckdb.Error("Parser Error"))
    (None, '')
    """
    if isinstance(error, duckdb.OutOfMemoryException):
        return Refusal.NO_MEMORY, ""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Refusal.DISK_FULL, ""
    for refusal, pattern in _SAYS.items():
        if found := re.search(pattern, str(error), re.DOTALL):
            return refusal, (found.groups(default="") or ("",))[0]
    return None, ""
