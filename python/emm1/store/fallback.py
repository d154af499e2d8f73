"""The extension's scalar functions in Python, for connections that may not load it.

DuckDB passes Arrow columns, a chunk of rows at a time. Rows that share arguments are answered together, by the library
behind the Python API, so the answers are the same as the extension's.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1 import _native
from emm1.arguments import as_vectors, thread_count
from emm1.errors import EmbeddingError
from emm1.store.functions import ID, IDS, NUMBER, QUERY, TEXT, TEXTS, Database, File, Function, Ids, K


def register(connection: duckdb.DuckDBPyConnection, marker: str, *, again: bool) -> None:
    """Register the functions that have a stand-in in Python, in the database of a connection.

    Args:
        connection: the settings of the database are read from it as long as it is open.
        marker: the name of the function that exists only if the others are implemented in Python.
        again: whether the functions are already registered.
    """
    database = Database.of(connection, marker) if again else Database.register(connection, FUNCTIONS, marker)
    database.know(connection)
    # Macros are temporary, so that nothing stays in a file: each connection has its own.
    connection.execute((files("emm1") / "sql" / "fallback" / "macros.sql").read_text(encoding="utf-8"))


def _query(packed: bytes) -> NDArray[np.float32]:
    return as_vectors(np.frombuffer(packed, np.float64))


def _topk(opened: Database, file: str, k: int, metric: str, queries: list[bytes]) -> Sequence[Any]:
    return _search(opened[file], None, k, metric, queries)


def _topk_among(opened: Database, file: str, ids: bytes, k: int, metric: str, queries: list[bytes]) -> Sequence[Any]:
    return _search(opened[file], np.frombuffer(ids, np.int64), k, metric, queries)


def _search(file: File, among: Ids | None, k: int, metric: str, queries: list[bytes]) -> Sequence[Any]:
    """Search for each distinct query once, all of them together."""
    if k < 1:
        raise EmbeddingError(f"k must be at least 1, not {k}")
    vectors = {packed: _query(packed) for packed in queries}
    for vector in vectors.values():
        if len(vector) != file.native.dims:
            raise EmbeddingError(
                f"the query has {len(vector)} components, the vectors of {file.path} have {file.native.dims}"
            )
    most = min(k, max(file.native.rows, 1))
    hits = file.native.search(np.stack(list(vectors.values())), most, _how(metric, among))
    ranked = {packed: _ranked(*hit) for packed, hit in zip(vectors, zip(*hits, strict=True), strict=True)}
    return [ranked[packed] for packed in queries]


def _ranked(ids: Ids, scores: NDArray[np.float32]) -> pa.Array:
    return pa.StructArray.from_arrays([np.arange(1, len(ids) + 1), ids, scores], fields=list(_RANKED))


def _within(opened: Database, file: str, threshold: float, metric: str, queries: list[bytes]) -> Sequence[Any]:
    native, how = opened[file].native, _how(metric)
    found = {
        packed: _scored(*(x[0] for x in native.within(_query(packed)[np.newaxis], threshold, how)))
        for packed in set(queries)
    }
    return [found[packed] for packed in queries]


def _scored(ids: Ids, scores: NDArray[np.float32]) -> pa.Array:
    return pa.StructArray.from_arrays([ids, scores], fields=list(_SCORED))


def _score(opened: Database, file: str, query: bytes, metric: str, ids: list[int]) -> Sequence[Any]:
    known = opened[file].known(np.array(ids, np.int64))
    scores = opened[file].native.score(known, _query(query), metric)
    by_id = dict(zip(known.tolist(), scores.tolist(), strict=True))
    return [by_id.get(number) for number in ids]


def _rank(opened: Database, file: str, metric: str, ids: list[int], queries: list[bytes]) -> Sequence[Any]:
    known = set(opened[file].known(np.array(ids, np.int64)).tolist())
    asked = [(number, _query(packed)) for number, packed in zip(ids, queries, strict=True) if number in known]
    if not asked:
        return [None] * len(ids)
    targets = np.array([number for number, _ in asked], np.int64)
    ranks = opened[file].native.rank_of(targets, np.stack([vector for _, vector in asked]), _how(metric))
    found = (dict(zip(_RANK.names, rank, strict=True)) for rank in zip(*(part.tolist() for part in ranks), strict=True))
    return [next(found) if number in known else None for number in ids]


def _how(metric: str, among: Ids | None = None) -> _native.How:
    return {"metric": metric, "among": among, "exclude": None, "threads": thread_count(None)}


def _similarity(
    opened: Database, file_a: str, file_b: str, metric: str, a_ids: list[int], b_ids: list[int]
) -> Sequence[Any]:
    a, b = opened[file_a], opened[file_b]
    left, right = np.array(a_ids, np.int64), np.array(b_ids, np.int64)
    both = np.isin(left, a.ids) & np.isin(right, b.ids)
    scores = iter(a.native.score_pairs(left[both], b.native, right[both], metric, thread_count(None)).tolist())
    return [next(scores) if known else None for known in both]


def _vector(opened: Database, file: str, ids: list[int]) -> Sequence[Any]:
    known = opened[file].known(np.array(ids, np.int64))
    by_id = dict(zip(known.tolist(), opened[file].native.vectors(known), strict=True))
    return [by_id.get(number) for number in ids]


def _ids(opened: Database, names: list[str]) -> Sequence[Any]:
    return [opened[name].ids for name in names]


def _file(opened: Database, names: list[str]) -> Sequence[Any]:
    return [_facts(opened[name].native, str(_native.parse_location(name)[0])) for name in names]


def _facts(file: _native.EmbeddingFile, path: str) -> dict[str, Any]:
    listed = None if file.ids_path is None else str(file.ids_path)
    return {"path": path, "ids_path": listed, "rows": file.rows, "dims": file.dims, "dtype": file.dtype}


def _centroid_of(opened: Database, file: str, lists: list[bytes]) -> Sequence[Any]:
    known = {packed: opened[file].known(np.frombuffer(packed, np.int64)) for packed in set(lists)}
    means = {packed: opened[file].native.centroid(ids) if ids.size else None for packed, ids in known.items()}
    return [means[packed] for packed in lists]


def _registered(
    opened: Database, known: tuple[tuple[str | None, ...], ...] | None, names: list[str | None]
) -> Sequence[dict[str, str]]:
    entries = {name: _entry(opened, _native.Registered(name, known or ())) for name in dict.fromkeys(names)}
    return [entries[name] for name in names]


def _entry(opened: Database, found: _native.Registered) -> dict[str, str]:
    if found.shape is not None:
        found.check(opened[found.argument].native)
    return {"file": found.argument, "metric": found.metric, "items": found.items}


_SCORED = pa.struct({"id": pa.int64(), "score": pa.float32()})
_RANKED = pa.struct({"rank": pa.int64(), "id": pa.int64(), "score": pa.float32()})
_RANK = pa.struct({"above": pa.int64(), "equal": pa.int64()})
_ENTRY = pa.struct({"file": pa.string(), "metric": pa.string(), "items": pa.string()})
_FACTS = pa.struct(
    {"path": pa.string(), "ids_path": pa.string(), "rows": pa.int64(), "dims": pa.int64(), "dtype": pa.string()}
)
_RANKED_SQL = "STRUCT(rank BIGINT, id BIGINT, score FLOAT)[]"
_SCORED_SQL = "STRUCT(id BIGINT, score FLOAT)[]"
_FACTS_SQL = "STRUCT(path VARCHAR, ids_path VARCHAR, rows BIGINT, dims BIGINT, dtype VARCHAR)"
_ENTRY_SQL = "STRUCT(file VARCHAR, metric VARCHAR, items VARCHAR)"

FUNCTIONS = [
    Function("emm1_topk", [TEXT, QUERY, K, TEXT], (1,), _topk, _RANKED_SQL, _RANKED),
    Function("emm1_topk_among", [TEXT, QUERY, IDS, K, TEXT], (1,), _topk_among, _RANKED_SQL, _RANKED),
    Function("emm1_within", [TEXT, QUERY, NUMBER, TEXT], (1,), _within, _SCORED_SQL, _SCORED),
    Function("emm1_score", [TEXT, ID, QUERY, TEXT], (1,), _score, "FLOAT", pa.float32()),
    Function("emm1_rank", [TEXT, ID, QUERY, TEXT], (1, 2), _rank, "STRUCT(above BIGINT, equal BIGINT)", _RANK),
    Function("emm1_similarity", [TEXT, ID, TEXT, ID, TEXT], (1, 3), _similarity, "FLOAT", pa.float32()),
    Function("emm1_vector", [TEXT, ID], (1,), _vector, "FLOAT[]", pa.float32()),
    Function("emm1_ids", [TEXT], (0,), _ids, "BIGINT[]", pa.int64()),
    Function("emm1_file", [TEXT], (0,), _file, _FACTS_SQL, _FACTS),
    Function("emm1_registered", [TEXT, TEXTS], (0,), _registered, _ENTRY_SQL, _ENTRY, of_null=True),
    Function("emm1_centroid_of", [TEXT, IDS], (1,), _centroid_of, "FLOAT[]", pa.float32()),
]
