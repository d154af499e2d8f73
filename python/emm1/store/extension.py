"""The DuckDB extension: where it is, and how it is loaded, or else replaced by Python functions."""

from __future__ import annotations

import warnings
from pathlib import Path

import duckdb

from emm1.errors import StoreError
from emm1.store.refusals import Refusal, refusal_of

PATH = Path(__file__).parents[1] / "emm1.duckdb_extension"
# A function that exists only if the others are implemented in Python.
IN_PYTHON = "emm1_in_python"


def load_statement() -> str:
    """The SQL that loads the extension in any client.

    >>> load_statement().startswith("LOAD '")
    True
    """
    from sqlglot import exp

    return exp.Command(this="LOAD", expression=exp.Literal.string(str(PATH)).sql("duckdb")).sql("duckdb")


def load_extension(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a connection that you opened yourself the functions ``emm1_…``.

    The extension is loaded if the connection allows it, that is, if it was opened with
    ``config={"allow_unsigned_extensions": True}``. Otherwise the scalar functions are registered as Python functions: they
    give the same answers more slowly, and a warning says so; aggregate and table functions are left out. All connections
    of the same database get the functions, and keep them when this one is closed. `emm1.open` does all this itself.

    Raises:
        emm1.errors.StoreError: the connection may read no files (``enable_external_access`` is false).

    >>> import duckdb, emm1
    >>> connection = duckdb.connect(config={"allow_unsigned_extensions": True})
    >>> emm1.load_extension(connection)
    >>> import numpy as np
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.eye(3, dtype="float32"))
    >>> connection.execute("SELECT emm1_topk(?, [0, 2, 1], 1, 'dot')", [str(path)]).fetchall()
    [([{'rank': 1, 'id': 1, 'score': 2.0}],)]
    """
    try:
        connection.load_extension(str(PATH))  # does nothing if it is loaded
    except duckdb.Error as error:
        known = _functions(connection)
        if IN_PYTHON in known:
            _register_fallback(connection, again=True)
        if known:
            return
        if refusal_of(error)[0] is Refusal.NO_FILES:
            raise StoreError(
                "this connection may read no files (enable_external_access is false): emm1 has nothing to search"
            ) from error
        _register_fallback(connection, again=False)
        warnings.warn(
            "the emm1 extension cannot be loaded here, its functions run in Python: the same answers, slower. To load "
            f'it, open the database with config={{"allow_unsigned_extensions": True}} (DuckDB: {str(error).splitlines()[0]})',
            stacklevel=2,
        )


def _register_fallback(connection: duckdb.DuckDBPyConnection, *, again: bool) -> None:
    from emm1.store import fallback

    fallback.register(connection, IN_PYTHON, again=again)


def _functions(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Which of two functions a database has: they tell whether it has emm1's functions, and whether in Python."""
    query = "SELECT function_name FROM duckdb_functions() WHERE function_name IN ('emm1_topk', ?)"
    return {name for (name,) in connection.execute(query, [IN_PYTHON]).fetchall()}
