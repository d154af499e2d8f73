"""Tells how much of a long query is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb

# Seconds between two questions.
INTERVAL = 0.2


@contextmanager
def watched(connection: duckdb.DuckDBPyConnection, tell: Callable[[float], object]) -> Iterator[None]:
    """Tell what share of the query that runs in the block is done, from 0 to 1, several times a second.

    >>> connection, told = duckdb.connect(), []
    >>> with watched(connection, told.append):
    ...     _ = connection.execute("CREATE TABLE t AS SELECT sum(hash(range)) FROM range(100_000_000)")
    >>> told == sorted(told), all(0 <= share <= 1 for share in told)
    (True, True)
    """
    connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    done = threading.Event()

    def watch() -> None:
        most = 0.0
        while not done.wait(INTERVAL):
            most = max(most, min(connection.query_progress() / 100, 1.0))
            tell(most)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
