"""The DuckDB extension: where it lies, how it is loaded, and what stands in for it where it cannot be."""

from __future__ import annotations

import warnings
from pathlib import Path

import duckdb

from emm1.errors import StoreError

PATH = Path(__file__).parents[1] / "emm1.duckdb_extension"
# A function that is there where the others are in Python.
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

    The extension is loaded where the connection allows it, that is where it was opened with
    ``config={"allow_unsigned_extensions": True}``. Elsewhere the functions that give a value for each row are registered
    in Python: the same answers, slower, and a warning says so; aggregate and table functions are left out. All
    connections of the same database get them, and keep them when this one is closed. `emm1.open` does this by itself.

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
    known = _functions(connection)
    if IN_PYTHON in known:
        _stand_in(connection, again=True)
    if known:
        return
    try:
        connection.load_extension(str(PATH))
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        if "disabled through configuration" in reason:
            raise StoreError(
                "this connection may read no files (enable_external_access is false): emm1 has nothing to search"
            ) from None
        _stand_in(connection, again=False)
        warnings.warn(
            "the emm1 extension cannot be loaded here, its functions run in Python: the same answers, slower. To load "
            f'it, open the database with config={{"allow_unsigned_extensions": True}} (DuckDB: {reason})',
            stacklevel=2,
        )


def _stand_in(connection: duckdb.DuckDBPyConnection, *, again: bool) -> None:
    from emm1.store import fallback

    fallback.register(connection, IN_PYTHON, again=again)


def _functions(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Those functions of emm1 in a database that tell which way it has them."""
    query = "SELECT function_name FROM duckdb_functions() WHERE function_name IN ('emm1_topk', ?)"
    return {name for (name,) in connection.execute(query, [IN_PYTHON]).fetchall()}
