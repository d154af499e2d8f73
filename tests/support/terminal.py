"""Runs emm1 in a terminal of a given size."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

from system import command


def in_terminal(
    *arguments: object, columns: int = 80, lines: int = 24, cwd: Path | None = None, **environment: str
) -> tuple[int, str]:
    """The exit status of emm1, and all that a terminal of this size shows; without bold and dim text unless TERM is set."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        command(*arguments),
        stdin=writing,
        stdout=writing,
        stderr=writing,
        env=inherited | {"TERM": "dumb"} | environment,
        cwd=cwd,
        start_new_session=True,
    )
    os.close(writing)
    shown = read_all(reading)
    return process.wait(), shown.replace("\r\n", "\n")


def read_all(descriptor: int) -> str:
    """All that a terminal or a pipe gives until its other end is closed."""
    read = b""
    while True:
        try:
            more = os.read(descriptor, 1 << 16)
        except OSError:  # Linux's signal that the other end of a terminal is closed
            more = b""
        if not more:
            os.close(descriptor)
            return read.decode(errors="replace")
        read += more
