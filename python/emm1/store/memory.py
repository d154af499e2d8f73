"""How much memory DuckDB may use for a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from emm1.checks import memory_size


@contextmanager
def limited(connection: duckdb.DuckDBPyConnection, limit: str) -> Iterator[None]:
    """Let DuckDB use half of an amount of memory meanwhile, as in a build: the rest is for the allocator and libraries.

    Raises:
        emm1.errors.StoreError: it is no amount of memory.
    """
    with connection.cursor() as own:  # the caller's may have a result that is not read to its end
        before = _memory_limit(own)
        own.execute("SET memory_limit = ?", [memory_size(limit)])
        try:
            size, unit = _memory_limit(own)
            own.execute("SET memory_limit = ?", [f"{size / 2} {unit}"])
            yield
        finally:
            size, unit = before
            own.execute("SET memory_limit = ?", [f"{size + 0.05} {unit}"])  # DuckDB shows it rounded down to a tenth


def _memory_limit(connection: duckdb.DuckDBPyConnection) -> tuple[float, str]:
    ((limit,),) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    size, unit = limit.split()
    return float(size), unit
