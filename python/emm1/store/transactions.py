"""Writes to a store that happen as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from emm1.errors import StoreError
from emm1.store.refusals import Refusal, refusal_of


@contextmanager
def all_or_nothing(connection: duckdb.DuckDBPyConnection, *, purpose: str, changed: str) -> Iterator[None]:
    """A transaction, which an error or Ctrl-C takes back.

    Args:
        connection: the connection that writes.
        purpose: what the store must be open for writing for, as in "open it for writing to split it".
        changed: what to say if another connection wrote to the same tables meanwhile.

    Raises:
        StoreError: the store is open for reading only, the disk is full, the memory too small, or another connection wrote to
            the same tables meanwhile.
    """
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException as error:
        with suppress(duckdb.Error):  # a commit that fails has done it
            connection.rollback()
        if isinstance(error, duckdb.TransactionException):
            raise StoreError(changed) from error
        if isinstance(error, duckdb.Error) and (reason := _reason(error, purpose)):
            raise StoreError(reason) from error
        raise


def _reason(error: duckdb.Error, purpose: str) -> str | None:
    match refusal_of(error)[0]:
        case Refusal.READ_ONLY:
            return f"the store is open for reading only: open it for writing to {purpose}"
        case Refusal.DISK_FULL:
            return "no space left on the disk of the store, which is as it was: free some"
        case Refusal.NO_MEMORY:
            return f"not enough memory: raise the memory limit ({str(error).splitlines()[0]})"
    return None
