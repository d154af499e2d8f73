"""Ctrl-C on the command line: it is heard while DuckDB is at work too, and ends whatever that is doing."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    import duckdb

STATUS = 128 + signal.SIGINT
# Seconds between two requests to stop: DuckDB forgets one that comes just before a query.
AGAIN = 0.1
# Seconds after which work that does not stop is abandoned, where it may be.
PATIENCE = 0.7

_connections: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
_abandonable: list[Path] = []


def interruptible(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Let Ctrl-C end what this connection does."""
    _connections.add(connection)
    return connection


@contextmanager
def abandonable(folder: Path) -> Iterator[None]:
    """Let Ctrl-C end the process where a function in a query does not hear of it: only this folder is to be removed."""
    _abandonable.append(folder)
    try:
        yield
    finally:
        _abandonable.remove(folder)


class Interrupts:
    """The Ctrl-C of a process.

    Attributes:
        heard: whether the main thread heard of one.
    """

    def __init__(self) -> None:
        self.heard = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Raise KeyboardInterrupt in the main thread at each Ctrl-C, and end the queries that keep it from hearing.

        Python's handlers wait until DuckDB returns. The byte that the system's handler writes is read at once, by a thread.
        """
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as nohup and shells in the background have it
            yield
            return
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        before = signal.signal(signal.SIGINT, self._handle)
        wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        thread = threading.Thread(target=self._listen, args=(reading,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            signal.signal(signal.SIGINT, before)
            os.close(writing)
            thread.join()
            os.close(reading)

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        self.heard = True
        sys.unraisablehook = lambda _: None  # what is cut short may complain when it is cleared away
        raise KeyboardInterrupt

    def _listen(self, reading: int) -> None:
        """From the first Ctrl-C on, interrupt every query there is; until the other end of the pipe is closed."""
        first: float | None = None
        while True:
            if first is None or select.select([reading], [], [], AGAIN)[0]:
                signals = os.read(reading, 1)
                if not signals:
                    return
                if first is None and signals[0] == signal.SIGINT:
                    first = time.monotonic()
            if first is not None:
                _stop_queries()
                if _abandonable and not self.heard and time.monotonic() > first + PATIENCE:
                    _abandon()


def _stop_queries() -> None:
    with suppress(Exception):  # a connection was closed, or one more was opened
        for connection in list(_connections):
            connection.interrupt()


def _abandon() -> None:
    for folder in _abandonable:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.write("emm1: interrupted\n")
    sys.stderr.flush()
    os._exit(STATUS)
