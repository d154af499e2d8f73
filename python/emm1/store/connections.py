"""The connections of an open store: the caller's, and in other threads one for each call."""

from __future__ import annotations

import ctypes
import os
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, cast
from weakref import WeakSet

import duckdb

from emm1.errors import StoreError
from emm1.interrupts import interruptible
from emm1.store.refusals import Refusal, refusal_of

# The statements that set the variables which all connections of a store share.
SET = {
    "emm1_root": "SET VARIABLE emm1_root = ?",
    "emm1_audio_folder": "SET VARIABLE emm1_audio_folder = ?",
}

# Before DuckDB 1.5 a relation becomes invalid with its connection, so the latest are kept; each takes about 8 kB.
KEPT = 1000

# The connections of the stores that are in use.
_opened: WeakSet[Connections] = WeakSet()


def _never_close() -> None:
    """In a fork, never close the connections of the parent: DuckDB would wait for threads that a fork lacks, or crash."""
    for connections in _opened:
        for connection in (connections._own, *connections._kept):  # noqa: SLF001
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_never_close)


class Connections:
    """Hands out the connections of a store.

    A DuckDB connection runs one query at a time, and a relation runs on the connection that made it. So the thread that
    opened the store uses one connection for everything, which is the caller's ``Store.connection``. Any other thread
    gets a new connection for each call: the result may be used in any thread, and calls do not affect each other.

    Args:
        own: the connection that the store was opened with, which is the caller's.
        root: folder of the media; None for the one given at build.
        store: the file of the store, for errors.
    """

    def __init__(self, own: duckdb.DuckDBPyConnection, root: str | None, store: Path) -> None:
        self._own = own
        self._store = store
        self._process = os.getpid()
        self._thread = threading.current_thread()
        self._variables: dict[str, str] = {}
        self._kept: deque[duckdb.DuckDBPyConnection] = deque(maxlen=KEPT)
        if root is not None:
            own.execute(SET["emm1_root"], [root])
            self._variables["emm1_root"] = root
        _opened.add(self)

    @property
    def own(self) -> duckdb.DuckDBPyConnection:
        """The caller's connection.

        Raises:
            StoreError: it is closed, or belongs to the process that this one was forked from.
        """
        if os.getpid() != self._process:
            raise StoreError(
                f"{self._store.name} was opened in another process, from which this one was forked, and DuckDB works only there: "
                "open it in this process with emm1.open"
            )
        try:
            self._own.query_progress()  # fails if the connection is closed, and does nothing otherwise
        except duckdb.ConnectionException as error:
            raise StoreError(f"{self._store.name} is closed: open it again with emm1.open") from error
        return self._own

    def __reduce__(self) -> NoReturn:
        """Refused: another process cannot use a connection, nor open a file that this one may be writing."""
        raise StoreError(
            f"{self._store.name} is an open store, which cannot be copied or pickled: pass its path, and open it where it is "
            "needed; what Store.embeddings gives can be pickled"
        )

    def for_call(self) -> duckdb.DuckDBPyConnection:
        """The connection for a call from the current thread."""
        if self._is_own_thread():
            return self.own
        self._kept.append(connection := self.new())
        return connection

    def new(self) -> duckdb.DuckDBPyConnection:
        """A new connection, with the variables as the thread that opened the store last saw them."""
        self.note_variables()
        connection = interruptible(self.own.cursor())
        for name, value in list(self._variables.items()):
            connection.execute(SET[name], [value])
        return connection

    def internal(self) -> duckdb.DuckDBPyConnection:
        """A connection for emm1's own queries: on the caller's they would end a result that is not fetched yet."""
        return self.own.cursor()

    def note_variables(self) -> None:
        """Remember the variables of the caller's connection, which other threads must not query: it may be in use."""
        if not self._is_own_thread():
            return
        # DuckDB refuses queries until a failed transaction is rolled back, and since 2.0.1 until a result is fetched. `sql`
        # raises an error then, whereas `execute` would discard the caller's result.
        with suppress(duckdb.Error):
            values = self.own.sql("SELECT getvariable('emm1_root'), getvariable('emm1_audio_folder')").fetchall()[0]
            self._variables = {name: value for name, value in zip(SET, values, strict=True) if value is not None}

    def close(self) -> None:
        """Close the caller's connection, and with it those made from it."""
        if os.getpid() == self._process:
            self._kept.clear()
            self._own.close()

    def _is_own_thread(self) -> bool:
        return threading.current_thread() is self._thread


def sql_seeing(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    params: Any,
    caller: tuple[dict[str, Any], dict[str, Any]],
) -> duckdb.DuckDBPyRelation:
    """Run SQL that can use the local and global variables of a caller.

    DuckDB looks only at the frame that calls it, so the call is made in a frame with the caller's variables. Before 1.5
    it refuses relations of another connection; their rows are passed instead.
    """
    local, shared = caller
    call = {"_emm1_sql": connection.sql, "_emm1_query": query, "_emm1_params": params}
    variables = {**local, **call}
    while True:
        try:
            result = eval("_emm1_sql(_emm1_query, params=_emm1_params)", shared, variables)  # noqa: S307 - a fixed text
        except duckdb.InvalidInputException as error:
            refusal, name = refusal_of(error)
            relation = variables.get(name, shared.get(name))
            alone = len(connection.extract_statements(query)) == 1  # if there are several, some have already run
            foreign = alone and refusal is Refusal.OTHER_CONNECTION
            if not foreign or not isinstance(relation, duckdb.DuckDBPyRelation):
                raise
            variables[name] = relation.to_arrow_table()
        else:
            return cast("duckdb.DuckDBPyRelation", result)
