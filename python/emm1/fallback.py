"""The functions of the extension that give a value for each row, in Python: for connections that may not load it.

DuckDB hands over Arrow columns, a chunk of rows at a time. Rows that ask for the same are answered together, by the
library behind the Python API, so answers are those of the extension.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1 import _native
from emm1.arguments import as_vectors, thread_count
from emm1.errors import EmbeddingError, StoreError, unknown_embeddings

# Files change, so an answer must not be kept in a plan. DuckDB's types want members of enumerations, which have moved
# between its versions; it takes their names as well.
BEHAVIOUR: dict[str, Any] = {"type": "arrow", "null_handling": "special", "side_effects": True}

Ids = NDArray[np.int64]


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register every function that Python can stand in for, in the database of a connection."""
    opened = _Files(connection)
    for function in FUNCTIONS:
        connection.create_function(
            function.name,
            function.over_arrow(opened),
            function.parameters,
            function.returns,
            **BEHAVIOUR,
        )
    connection.execute((files("emm1") / "sql" / "fallback" / "macros.sql").read_text(encoding="utf-8"))


def split(argument: str) -> tuple[Path, Path | None, Path | None]:
    """The file, the file of ids where one is named, and that of codes, that an argument of the SQL functions names.

    >>> [str(path) for path in split("image.npy?ids=other.ids.npy")]
    ['image.npy', 'other.ids.npy', 'image.npy.codes']
    >>> [str(path) for path in split("image.npy?codes=")]  # without codes
    ['image.npy', 'None', 'None']
    """
    file, elsewhere, codes = argument.partition("?codes=")
    path, named, ids = file.partition("?ids=")
    if not path:
        raise EmbeddingError("the name of the embedding file is empty")
    place = (Path(codes) if codes else None) if elsewhere else Path(f"{path}.codes")
    return Path(path), Path(ids) if named else None, place


@dataclass(frozen=True)
class _File:
    """An embedding file, open."""

    path: Path
    native: _native.EmbeddingFile
    ids: Ids
    version: _native.Version

    def known(self, ids: Ids) -> Ids:
        """Those ids that have a vector."""
        return ids[np.isin(ids, self.ids)]


class _Files:
    """The files in use, opened once, and again when they change."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        # What is registered lives as long as the database, which a connection held here would keep open.
        self._connection = weakref.ref(connection)
        self._open: dict[str, _File] = {}

    def __getitem__(self, argument: str) -> _File:
        """The file that an argument names, as it is now."""
        self._check_access()
        path, ids_path, codes_path = split(argument)
        version = _native.Version(path, ids_path, codes_path)
        found = self._open.get(argument)
        if found is None or found.version != version:
            native = _native.EmbeddingFile(path, ids_path=ids_path, codes_path=codes_path)
            found = self._open[argument] = _File(path, native, native.ids(), version)
        return found

    def _check_access(self) -> None:
        connection = self._connection()
        if connection is None:
            return
        with connection.cursor() as cursor:
            (allowed,) = cursor.execute("SELECT current_setting('enable_external_access')").fetchall()[0]
        if not allowed:
            raise EmbeddingError("emm1 reads no embedding files here: enable_external_access is false")


@dataclass(frozen=True)
class _Function:
    """A function of SQL.

    Attributes:
        name: what SQL calls it.
        parameters: their SQL types.
        each: places of the parameters that may differ between rows answered together.
        answer: from the files, the other parameters, and lists of these, to a list of results.
        returns: SQL type of a result.
        arrow: its Arrow type.
        of_null: whether it is asked about NULLs too; else NULL in gives NULL out.
    """

    name: str
    parameters: list[Any]
    each: tuple[int, ...]
    answer: Callable[..., Sequence[Any]]
    returns: str
    arrow: pa.DataType
    of_null: bool = False

    def over_arrow(self, opened: _Files) -> Callable[..., pa.Array]:
        """The function as DuckDB calls it."""
        shared = [place for place in range(len(self.parameters)) if place not in self.each]

        def call(*columns: pa.ChunkedArray) -> pa.Array:
            rows = list(zip(*map(_values, columns), strict=True))
            results: list[Any] = [None] * len(rows)
            together: dict[tuple[Any, ...], list[int]] = {}
            for number, row in enumerate(rows):
                if self.of_null or None not in row:
                    together.setdefault(tuple(row[place] for place in shared), []).append(number)
            for key, numbers in together.items():
                lists = ([rows[number][place] for number in numbers] for place in self.each)
                for number, result in zip(numbers, self.answer(opened, *key, *lists), strict=True):
                    results[number] = result
            return pa.array(results, self.arrow)

        # DuckDB counts the parameters of what it is given.
        names = [Parameter(f"column_{place}", Parameter.POSITIONAL_ONLY) for place in range(len(self.parameters))]
        call.__signature__ = Signature(names)  # type: ignore[attr-defined]
        return call


def _values(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column, hashable; lists of numbers as bytes: float64, or int64 without NULLs."""
    values: list[Any] = column.to_pylist()
    if not pa.types.is_list(column.type):
        return values
    if pa.types.is_list(column.type.value_type):
        return [None if lists is None else tuple(map(tuple, lists)) for lists in values]
    kind = np.float64 if pa.types.is_floating(column.type.value_type) else np.int64
    return [None if numbers is None else _bytes(numbers, kind) for numbers in values]


def _bytes(numbers: list[Any], kind: type[np.float64 | np.int64]) -> bytes:
    if kind is np.int64:
        numbers = [number for number in numbers if number is not None]
    elif None in numbers:
        raise EmbeddingError(f"component {numbers.index(None)} of the query is NULL")
    return np.array(numbers, kind).tobytes()


def _query(packed: bytes) -> NDArray[np.float32]:
    return as_vectors(np.frombuffer(packed, np.float64))


def _topk(opened: _Files, file: str, k: int, metric: str, queries: list[bytes]) -> Sequence[Any]:
    return _search(opened[file], None, k, metric, queries)


def _topk_among(opened: _Files, file: str, ids: bytes, k: int, metric: str, queries: list[bytes]) -> Sequence[Any]:
    return _search(opened[file], np.frombuffer(ids, np.int64), k, metric, queries)


def _search(file: _File, among: Ids | None, k: int, metric: str, queries: list[bytes]) -> Sequence[Any]:
    """Each distinct query is asked once, all of them together."""
    if k < 1:
        raise EmbeddingError(f"k must be at least 1, not {k}")
    vectors = {packed: _query(packed) for packed in queries}
    for vector in vectors.values():
        if len(vector) != file.native.dims:
            raise EmbeddingError(
                f"the query has {len(vector)} components, the vectors of {file.path} have {file.native.dims}"
            )
    hits = file.native.search(
        np.stack(list(vectors.values())), min(k, max(file.native.rows, 1)), metric, among, thread_count(None)
    )
    ranked = {packed: _ranked(*hit) for packed, hit in zip(vectors, zip(*hits, strict=True), strict=True)}
    return [ranked[packed] for packed in queries]


def _ranked(ids: Ids, scores: NDArray[np.float32]) -> list[dict[str, Any]]:
    hits = zip(ids.tolist(), scores.tolist(), strict=True)
    return [{"rank": rank, "id": number, "score": score} for rank, (number, score) in enumerate(hits, 1)]


def _within(opened: _Files, file: str, threshold: float, metric: str, queries: list[bytes]) -> Sequence[Any]:
    native, threads = opened[file].native, thread_count(None)
    found = {
        packed: [x[0] for x in native.within(_query(packed)[np.newaxis], threshold, metric, None, threads)]
        for packed in set(queries)
    }
    return [
        [{"id": number, "score": score} for number, score in zip(*(x.tolist() for x in found[packed]), strict=True)]
        for packed in queries
    ]


def _score(opened: _Files, file: str, query: bytes, metric: str, ids: list[int]) -> Sequence[Any]:
    known = opened[file].known(np.array(ids, np.int64))
    scores = opened[file].native.score(known, _query(query), metric)
    by_id = dict(zip(known.tolist(), scores.tolist(), strict=True))
    return [by_id.get(number) for number in ids]


def _similarity(
    opened: _Files, file_a: str, file_b: str, metric: str, a_ids: list[int], b_ids: list[int]
) -> Sequence[Any]:
    a, b = opened[file_a], opened[file_b]
    left, right = np.array(a_ids, np.int64), np.array(b_ids, np.int64)
    both = np.isin(left, a.ids) & np.isin(right, b.ids)
    scores = iter(a.native.score_pairs(left[both], b.native, right[both], metric, thread_count(None)).tolist())
    return [next(scores) if known else None for known in both]


def _vector(opened: _Files, file: str, ids: list[int]) -> Sequence[Any]:
    known = opened[file].known(np.array(ids, np.int64))
    by_id = dict(zip(known.tolist(), opened[file].native.vectors(known), strict=True))
    return [by_id.get(number) for number in ids]


def _ids(opened: _Files, names: list[str]) -> Sequence[Any]:
    return [opened[name].ids for name in names]


def _file(opened: _Files, names: list[str]) -> Sequence[Any]:
    return [_facts(opened[name].native, str(split(name)[0])) for name in names]


def _facts(file: _native.EmbeddingFile, path: str) -> dict[str, Any]:
    listed = None if file.ids_path is None else str(file.ids_path)
    return {"path": path, "ids_path": listed, "rows": file.rows, "dims": file.dims, "dtype": file.dtype}


def _centroid_of(opened: _Files, file: str, lists: list[bytes]) -> Sequence[Any]:
    known = [opened[file].known(np.frombuffer(ids, np.int64)) for ids in lists]
    return [opened[file].native.centroid(ids) if ids.size else None for ids in known]


def _registered(
    opened: _Files, known: tuple[tuple[Any, ...], ...] | None, names: list[str | None]
) -> Sequence[dict[str, str]]:
    if not all(len(entry) == _ENTRY_LENGTH for entry in known or ()):
        raise StoreError(
            "the macros of this store and the extension loaded here are of different versions of emm1: run "
            "`emm1 upgrade STORE` with the newer one"
        )
    entries = {entry[0]: entry[1:] for entry in known or ()}
    return [_entry(opened, name, entries) for name in names]


def _entry(opened: _Files, name: str | None, entries: dict[Any, tuple[Any, ...]]) -> dict[str, str]:
    if name not in entries:
        raise unknown_embeddings(name, entries)
    store, file, ids, codes, metric, items, *registered = entries[name]
    folder = re.sub(r"[^/\\]*$", "", store)

    def under(path: str) -> str:
        return path if re.match(r"[/\\]|[A-Za-z]:", path) else folder + path

    argument = under(file) + (f"?ids={under(ids)}" if ids is not None else "")
    if codes is not None:
        argument += f"?codes={under(codes) if codes else ''}"
    native = None if None in registered else opened[argument].native
    if native and (now := [str(native.rows), str(native.dims), native.dtype]) != registered:
        raise EmbeddingError(
            f"{under(file)} holds {' × '.join(now)}, but {' × '.join(registered)} were registered as '{name}': register it "
            "again with `emm1 embeddings add --replace`"
        )
    return {"file": argument, "metric": metric, "items": items}


_SCORED = pa.struct({"id": pa.int64(), "score": pa.float32()})
_RANKED = pa.struct({"rank": pa.int64(), "id": pa.int64(), "score": pa.float32()})
_ENTRY = pa.struct({"file": pa.string(), "metric": pa.string(), "items": pa.string()})
_FACTS = pa.struct(
    {"path": pa.string(), "ids_path": pa.string(), "rows": pa.int64(), "dims": pa.int64(), "dtype": pa.string()}
)
_RANKED_SQL = "STRUCT(rank BIGINT, id BIGINT, score FLOAT)[]"
_SCORED_SQL = "STRUCT(id BIGINT, score FLOAT)[]"
_FACTS_SQL = "STRUCT(path VARCHAR, ids_path VARCHAR, rows BIGINT, dims BIGINT, dtype VARCHAR)"
_ENTRY_SQL = "STRUCT(file VARCHAR, metric VARCHAR, items VARCHAR)"
# What the macro registered_embeddings lists of each: name, store, file, ids, codes, metric, items, rows, dims, type.
_ENTRY_LENGTH = 10
_TEXT, _QUERY, _ID, _IDS = "VARCHAR", "DOUBLE[]", "BIGINT", "BIGINT[]"

FUNCTIONS = [
    _Function("emm1_topk", [_TEXT, _QUERY, _ID, _TEXT], (1,), _topk, _RANKED_SQL, pa.list_(_RANKED)),
    _Function("emm1_topk_among", [_TEXT, _QUERY, _IDS, _ID, _TEXT], (1,), _topk_among, _RANKED_SQL, pa.list_(_RANKED)),
    _Function("emm1_within", [_TEXT, _QUERY, "DOUBLE", _TEXT], (1,), _within, _SCORED_SQL, pa.list_(_SCORED)),
    _Function("emm1_score", [_TEXT, _ID, _QUERY, _TEXT], (1,), _score, "FLOAT", pa.float32()),
    _Function("emm1_similarity", [_TEXT, _ID, _TEXT, _ID, _TEXT], (1, 3), _similarity, "FLOAT", pa.float32()),
    _Function("emm1_vector", [_TEXT, _ID], (1,), _vector, "FLOAT[]", pa.list_(pa.float32())),
    _Function("emm1_ids", [_TEXT], (0,), _ids, "BIGINT[]", pa.list_(pa.int64())),
    _Function("emm1_file", [_TEXT], (0,), _file, _FACTS_SQL, _FACTS),
    _Function("emm1_registered", [_TEXT, "VARCHAR[][]"], (0,), _registered, _ENTRY_SQL, _ENTRY, of_null=True),
    _Function("emm1_centroid_of", [_TEXT, _IDS], (1,), _centroid_of, "FLOAT[]", pa.list_(pa.float32())),
]
