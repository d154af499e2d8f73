"""Standard output and error of the command line: they write every character, and all write errors end it the same way."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import Any, TextIO

from emm1 import system
from emm1.errors import Error

# Replacements for the characters of tables and messages in an encoding that lacks them.
SUBSTITUTES = str.maketrans(
    {"×": "x", "…": "...", "→": "->", "−": "-", "·": "."}
    | dict.fromkeys("─━╌", "-")
    | dict.fromkeys("│┃", "|")
    | dict.fromkeys("┌┬┐├┼┤└┴┘╭╮╰╯", "+")
)
# Escape sequences for control characters, which a terminal would obey.
VISIBLE = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))} | {9: "\\t", 10: "\\n", 13: "\\r"}
VISIBLE_IN_LINES = {number: shown for number, shown in VISIBLE.items() if number != ord("\n")}


class ReaderGoneError(Exception):
    """The reader of the output, such as `head`, closed the pipe. Not an OSError, which libraries in between would handle."""


class _Raw(io.RawIOBase):
    """A standard stream that raises emm1's errors; after the first one it discards everything.

    It writes to Python's own stream, because on Windows only that writes every character to a console.
    """

    def __init__(self, stream: io.RawIOBase, *, needed: bool) -> None:
        self._stream = stream
        self._needed = needed
        self._broken = False

    def fileno(self) -> int:
        """The descriptor of the stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int | None:
        """Write some bytes."""
        if not self._broken:
            try:
                return self._stream.write(data)
            except OSError as error:
                self._broken = True
                if self._needed:
                    raise _write_error(error) from None
        return len(data)


def _write_error(error: OSError) -> Exception:
    # A pipe whose reader is gone is an invalid argument to Windows.
    if isinstance(error, BrokenPipeError) or (system.WINDOWS and error.errno == errno.EINVAL):
        return ReaderGoneError()
    return Error(f"the output cannot be written: {error.strerror}")


def prepare() -> None:
    """Replace `sys.stdout` and `sys.stderr` with streams that write every character and report write errors.

    Raises:
        emm1.errors.Error: standard output is closed.
    """
    codecs.register_error("emm1", _substitute)
    if sys.stderr is None:
        # Occupies descriptor 2, so that no file opened later gets it.
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    else:
        sys.stderr = _text(sys.stderr, needed=False)
    if sys.stdout is None:
        raise Error(f"standard output is closed: send it to a file, or to {os.devnull}")
    sys.stdout = _text(sys.stdout, needed=True)


def _text(stream: TextIO, *, needed: bool) -> TextIO:
    stream.flush()
    buffered: Any = stream.buffer
    raw = _Raw(getattr(buffered, "raw", buffered), needed=needed)  # an unbuffered stream is raw itself
    lines = not needed or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, "emm1", line_buffering=lines)


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(SUBSTITUTES)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


def printable(text: object, *, lines: bool = True) -> str:
    r"""Text with its control characters made visible, because a terminal would obey them; used for all output.

    Args:
        text: the text, or a value to convert to text.
        lines: whether to keep line breaks.

    >>> printable("a\x1b[31m\r\nb"), printable("a\nb", lines=False)
    ('a\\x1b[31m\\r\nb', 'a\\nb')
    """
    return str(text).translate(VISIBLE_IN_LINES if lines else VISIBLE)
