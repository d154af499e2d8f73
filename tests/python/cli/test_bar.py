"""Progress bars: a rate and the time left on a terminal of any width, and nothing anywhere else."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

# Steps whose amount is unknown and known, with lines on both streams in between.
STEPS = """
import time
from emm1.cli import show
with show.progress({unit!r}) as progress:
    progress("a step whose amount is unknown and whose name is too long for any line of this screen", 0, 0)
    time.sleep(0.3)
    for done in range(0, 1_000_000, 100_000):
        progress("\\x1b[2Jcounting", done, 1_000_000)
        time.sleep(0.1)
        if done == 500_000:
            show.warn("in between")
            print("a result")
"""
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


# A step that does not react to Ctrl-C.
DEAF = """
import hashlib, sys
from pathlib import Path
from emm1.cli import show
from emm1.interrupts import Interrupts, abandonable
with Interrupts().listening(), abandonable(Path(sys.argv[1])), show.progress() as progress:
    progress("deaf", 0, 0)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1_000_000_000)
"""


def test_a_bar_that_is_abandoned_gives_the_cursor_back(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", DEAF, tmp_path / "gone"], stderr=theirs, env=environment)
    os.close(theirs)
    got = b""
    while b"deaf" not in got:
        got += os.read(ours, 4096)
    time.sleep(1)  # until it is in the step, not on its way there
    process.send_signal(signal.SIGINT)
    while True:
        try:
            got += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert process.wait() == 130
    assert b"\r\x1b[K\x1b[?25hemm1: interrupted\r\n" in got


def on_terminal(columns: int, unit: str) -> tuple[str, str]:
    """Run the steps with standard error on a terminal; returns standard output and what the terminal got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-c", STEPS.format(unit=unit)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**environment, "TERM": "xterm"},
        text=True,
    )
    os.close(theirs)
    got = b""
    while True:
        try:
            got += (chunk := os.read(ours, 4096))
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
    os.close(ours)
    assert process.stdout is not None
    output = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0
    return output, got.decode()


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize(("unit", "rate"), [("rows", r"[\d,]+ rows/s"), ("bytes", r"[\d.]+ [kM]B/s")])
def test_a_bar_on_a_terminal(columns: int, unit: str, rate: str) -> None:
    output, got = on_terminal(columns, unit)
    assert output == "a result\n"
    frames = [line.strip() for line in ESCAPE.sub("", got).replace("\r", "\n").split("\n")]
    assert max(map(len, frames)) <= columns
    last = next(frame for frame in reversed(frames) if "%" in frame)
    assert re.search(rf"%\s+{rate} +\d:\d\d:\d\d( left)?$", last)
    assert "emm1: in between" in frames
    assert "\x1b[2Jc" not in got  # what a name holds is shown, not obeyed
    assert got.endswith("\x1b[2K")  # the bar is gone
    assert got.count("\x1b[?25h") == got.count("\x1b[?25l") == 1  # and the cursor is back


def test_no_bar_in_a_pipe() -> None:
    code = STEPS.format(unit="rows") + "import sys; print('rich.progress' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("a result\nFalse\n", "emm1: in between\n")
