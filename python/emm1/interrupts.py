"""Ctrl-C on the command line: it also interrupts the queries that DuckDB is running."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
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
STDERR = 2
# Seconds between two interrupts: DuckDB forgets one that comes just before a query starts.
RETRY_INTERVAL = 0.1
# Seconds after which the process exits although a query is still running, where `abandonable` allows it.
PATIENCE = 0.7

_connections: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
_abandonable: list[Path | None] = []
# What gives a terminal back what is shown on it now.
_undoing: list[str] = []


def interruptible(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Let Ctrl-C interrupt the queries of this connection."""
    _connections.add(connection)
    return connection


@contextmanager
def abandonable(folder: Path | None = None) -> Iterator[None]:
    """Let Ctrl-C end the process if a query does not react to it: at most this folder has to be removed."""
    _abandonable.append(folder)
    try:
        yield
    finally:
        _abandonable.remove(folder)


@contextmanager
def undone_by(text: str) -> Iterator[None]:
    """Write this text to standard error if the process ends at once: it undoes what was done to the terminal."""
    _undoing.append(text)
    try:
        yield
    finally:
        _undoing.remove(text)


class Interrupts:
    """Handles Ctrl-C for a process.

    Attributes:
        received: whether a Ctrl-C has reached the main thread.
    """

    def __init__(self) -> None:
        self.received = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Raise KeyboardInterrupt in the main thread at each Ctrl-C, and interrupt the queries that block it.

        Python runs its signal handlers only after DuckDB returns. So a thread waits for the byte that the C-level handler
        writes at once: to a socket, since Windows can wait for nothing else.
        """
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # set by nohup, and by shells for background jobs
            yield
            return
        reading, writing = socket.socketpair()
        writing.setblocking(False)
        before = signal.signal(signal.SIGINT, self._handle)
        wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        thread = threading.Thread(target=self._listen, args=(reading,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            signal.signal(signal.SIGINT, before)
            writing.close()
            thread.join()
            reading.close()

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        self.received = True
        sys.unraisablehook = lambda _: None  # destructors of interrupted work may fail
        raise KeyboardInterrupt

    def _listen(self, reading: socket.socket) -> None:
        """From the first Ctrl-C on, keep interrupting all queries, until the other end is closed."""
        first: float | None = None
        while True:
            if first is None or select.select([reading], [], [], RETRY_INTERVAL)[0]:
                signals = reading.recv(1)
                if not signals:
                    return
                if first is None and signals[0] == signal.SIGINT:
                    first = time.monotonic()
            if first is not None:
                _stop_queries()
                if _abandonable and not self.received and time.monotonic() > first + PATIENCE:
                    _abandon()


def _stop_queries() -> None:
    with suppress(Exception):  # a connection may be closed or opened meanwhile
        for connection in list(_connections):
            connection.interrupt()


def _abandon() -> None:
    for folder in filter(None, _abandonable):
        shutil.rmtree(folder, ignore_errors=True)
    os.write(STDERR, f"{''.join(_undoing)}emm1: interrupted\n".encode())
    os._exit(STATUS)
