"""Python functions in a DuckDB database: how columns come in, how answers go out, and how long functions live.

DuckDB keeps the bare address of a Python function in the catalog of the database, and the reference that keeps the
function alive in the connection that registered it. When that connection closes, every other one calls freed memory. So
what is registered here is kept for the life of the process: a few hundred bytes for each function and database.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from emm1 import _native
from emm1.errors import EmbeddingError, Error

Ids = NDArray[np.int64]

# The kinds of parameters, and their SQL types. Whole numbers may have any numeric type, so they are checked when they are
# read.
TEXT, TEXTS, QUERY, NUMBER, ID, IDS, K = "text", "texts", "query", "number", "an id", "the ids", "k"
SQL_TYPES = {TEXT: "VARCHAR", TEXTS: "VARCHAR[][]", QUERY: "DOUBLE[]", NUMBER: "DOUBLE"}
# Files change, so DuckDB must not fold an answer into a plan. DuckDB's type hints ask for members of enumerations, which
# have moved between its versions; it accepts their names as well.
BEHAVIOUR: dict[str, Any] = {"type": "arrow", "null_handling": "special", "side_effects": True}
# Doubles up to this are exact whole numbers; larger ones may have been rounded.
EXACT = 2**53
BIGINT = range(-(2**63), 2**63)
# Seconds for which a deleted file may stay open while others are in use.
PATIENCE = 1.0


@dataclass(frozen=True)
class File:
    """An open embedding file."""

    path: Path
    native: _native.EmbeddingFile
    ids: Ids
    version: _native.Version

    def known(self, ids: Ids) -> Ids:
        """The ids that have a vector."""
        return ids[np.isin(ids, self.ids)]


@dataclass(frozen=True)
class Function:
    """A SQL function.

    Attributes:
        name: its name in SQL.
        parameters: the kind of each parameter, one of the constants above.
        each: positions of the parameters that may differ between rows that are answered together.
        answer: takes the database, the other parameters, and a list of values for each position in `each`; returns a list
            of results. A result that is a list is a NumPy or Arrow array, which rows with the same result share.
        returns: the SQL type of a result.
        arrow: its Arrow type; for a list, the type of an item.
        of_null: whether it is called for NULLs too; otherwise a NULL argument gives NULL.
    """

    name: str
    parameters: list[str]
    each: tuple[int, ...]
    answer: Callable[..., Sequence[Any]]
    returns: str
    arrow: pa.DataType
    of_null: bool = False

    def call(self, database: Database, columns: Sequence[pa.ChunkedArray]) -> pa.Array:
        """The answers for the rows of a chunk: rows that share arguments are answered together."""
        shared = [place for place in range(len(self.parameters)) if place not in self.each]
        rows = list(zip(*map(_values, columns, self.parameters), strict=True))
        results: list[Any] = [None] * len(rows)
        together: dict[tuple[Any, ...], list[int]] = {}
        for number, row in enumerate(rows):
            if self.of_null or None not in row:
                together.setdefault(tuple(row[place] for place in shared), []).append(number)
        for key, numbers in together.items():
            lists = ([rows[number][place] for number in numbers] for place in self.each)
            for number, result in zip(numbers, self.answer(database, *key, *lists), strict=True):
                results[number] = result
        return (
            _lists(results, self.arrow, database, self.name)
            if self.returns.endswith("[]")
            else pa.array(results, self.arrow)
        )


class Database:
    """A database whose functions run in Python: its last known settings, and the files in use."""

    _all: list[Database] = []  # noqa: RUF012 - of the class: kept for the life of the process, as the module says

    def __init__(self) -> None:
        self._connections: list[weakref.ref[duckdb.DuckDBPyConnection]] = []
        self._allowed = True
        self._open: dict[str, File] = {}
        self._swept = 0.0
        self._kept: list[Callable[..., pa.Array]] = []
        self.memory_limit = math.inf

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, marker: str) -> Database:
        """The database of a connection in which functions were registered with this marker."""
        call = exp.select(exp.func(marker, exp.Literal.number(0)))
        ((number,),) = connection.execute(call.sql("duckdb")).fetchall()
        return cls._all[int(number)]

    @classmethod
    def register(cls, connection: duckdb.DuckDBPyConnection, functions: Iterable[Function], marker: str) -> Database:
        """Register functions in the database of a connection, and a function named `marker` that identifies the database."""
        database = cls()
        cls._all.append(database)
        number = len(cls._all) - 1
        mark = Function(marker, [K], (0,), lambda _database, rows: [number] * len(rows), "BIGINT", pa.int64())
        for function in (*functions, mark):
            call = database._over_arrow(function)
            connection.create_function(function.name, call, None, function.returns, **BEHAVIOUR)
        return database

    def _over_arrow(self, function: Function) -> Callable[..., pa.Array]:
        """A function as DuckDB calls it."""

        def call(*columns: pa.ChunkedArray) -> pa.Array:
            return function.call(self, columns)

        # DuckDB inspects the signature: the number of parameters and their annotations. Without an annotation a parameter
        # may have any type.
        names = [
            Parameter(f"column_{place}", Parameter.POSITIONAL_ONLY, annotation=SQL_TYPES.get(kind, Parameter.empty))
            for place, kind in enumerate(function.parameters)
        ]
        call.__signature__ = Signature(names)  # type: ignore[attr-defined]
        self._kept.append(call)
        return call

    def know(self, connection: duckdb.DuckDBPyConnection) -> None:
        """From now on, read the settings from this connection too; it is not kept open for that."""
        self._connections.append(weakref.ref(connection, lambda _gone: self._open.clear()))

    def __getitem__(self, argument: str) -> File:
        """The file that an argument names, as it is now."""
        self._look_at_settings()
        self._sweep()
        path, ids_path, codes_path = _native.parse_location(argument)
        version = _native.Version(path, ids_path, codes_path)
        found = self._open.get(argument)
        if found is None or found.version != version:
            native = _native.EmbeddingFile(path, ids_path=ids_path, codes_path=codes_path)
            found = self._open[argument] = File(path, native, native.ids(), version)
        return found

    def _look_at_settings(self) -> None:
        """Read the settings from an open connection; if none is left, the last known ones apply."""
        for known in list(self._connections):
            connection = known()
            try:
                if connection is not None:
                    with connection.cursor() as cursor:
                        settings = "SELECT current_setting('enable_external_access'), current_setting('memory_limit')"
                        ((self._allowed, limit),) = cursor.execute(settings).fetchall()
                    self.memory_limit = bytes_of(limit)
                    break
            except duckdb.ConnectionException:  # the connection is closed
                pass
            with suppress(ValueError):  # another thread has removed it
                self._connections.remove(known)
        if not self._allowed:
            raise EmbeddingError("emm1 reads no embedding files here: enable_external_access is false")

    def _sweep(self) -> None:
        """Close files that were deleted or have changed since they were opened."""
        if time.monotonic() < self._swept + PATIENCE:
            return
        self._swept = time.monotonic()
        for argument, file in list(self._open.items()):
            try:
                same = _native.Version(*_native.parse_location(argument)) == file.version
            except Error:
                same = False
            if not same:
                self._open.pop(argument, None)


def bytes_of(text: str) -> float:
    """A number of bytes as DuckDB writes it; anything else is no limit.

    >>> bytes_of("1.5 KiB"), bytes_of("unlimited")
    (1536.0, inf)
    """
    units = {unit: 1024.0**power for power, unit in enumerate(("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"))}
    number, _, unit = text.partition(" ")
    try:
        return float(number) * units[unit]
    except (ValueError, KeyError):
        return math.inf


def whole(value: object, what: str) -> int | None:
    """A whole number that fits BIGINT, of any numeric type.

    >>> from decimal import Decimal
    >>> whole(7.0, "k"), whole(Decimal("7.00"), "k"), whole(None, "k")
    (7, 7, None)
    """
    if value is None:
        return None
    if type(value) is int and value in BIGINT:
        return value
    if isinstance(value, bytes):  # UHUGEINT in older versions of DuckDB
        return whole(int.from_bytes(value, "little"), what)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise EmbeddingError(f"{what} must be a whole number: cast it to BIGINT")
    if math.isfinite(value) and value == int(value):
        if isinstance(value, float) and abs(value) > EXACT:
            raise EmbeddingError(
                f"{what} is {_shown(value)}, and a DOUBLE so large may have been rounded: cast it to BIGINT"
            )
        if int(value) in BIGINT:
            return int(value)
    raise EmbeddingError(f"{what} must be a whole number that fits BIGINT, not {_shown(value)}")


def _shown(value: float | Decimal) -> str:
    """A value as the extension writes it in messages."""
    if isinstance(value, float):
        return repr(value).replace("e+", "e").replace("nan", "NaN")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _values(column: pa.ChunkedArray, kind: str) -> list[Any]:
    """The values of a column, hashable; lists of numbers as bytes: float64, or int64 without NULLs."""
    values: list[Any] = column.to_pylist()
    match kind:
        case "texts":
            return [None if lists is None else tuple(map(tuple, lists)) for lists in values]
        case "query":
            return [None if numbers is None else _query_bytes(numbers) for numbers in values]
        case "the ids":
            if not any(test(column.type) for test in (pa.types.is_list, pa.types.is_fixed_size_list, pa.types.is_null)):
                raise EmbeddingError(f"{kind} must be a list of whole numbers")
            return [None if numbers is None else _id_bytes(numbers) for numbers in values]
        case "k" | "an id":
            return [whole(value, kind) for value in values]
    return values


def _query_bytes(numbers: list[Any]) -> bytes:
    if None in numbers:
        raise EmbeddingError(f"component {numbers.index(None)} of the query is NULL")
    return np.array(numbers, np.float64).tobytes()


def _id_bytes(numbers: list[Any]) -> bytes:
    return np.array([whole(number, ID) for number in numbers if number is not None], np.int64).tobytes()


def _lists(results: list[Any], item: pa.DataType, database: Database, name: str) -> pa.Array:
    """A column of lists, in which rows with the same object share the items: a copy for each could fill the memory."""
    distinct = {id(result): result for result in results if result is not None}
    size = sum(result.nbytes for result in distinct.values())
    if size > database.memory_limit:
        raise EmbeddingError(
            f"the answers of {name} to these rows take {size / 1e6:.1f} MB, with memory_limit at "
            f"{database.memory_limit / 1e6:.1f} MB: ask for less at a time, or raise memory_limit"
        )
    lists = [pa.array(result, item) for result in distinct.values()]
    places = {key: place for place, key in enumerate(distinct)}
    rows = [places.get(id(result), -1) for result in results]
    # One more list, without items, for rows that have none.
    lengths = np.array([*map(len, lists), 0], np.int64)
    starts = np.cumsum(lengths) - lengths
    return pa.LargeListViewArray.from_arrays(
        pa.array(starts[rows]),
        pa.array(lengths[rows]),
        pa.concat_arrays([*lists, pa.array([], item)]),
        mask=pa.array([result is None for result in results]),
    )
