"""Search in SQL compared with the equivalent Python calls and with DuckDB's own means, in one run.

    python -m benchmarks.sql WORK [ROWS]

WORK is a folder for the vectors, shared with the other searches (ROWS × 1,024 of float32 each; 400,000 by default). A task's
contenders take turns, and the best of several turns counts; everything is warm and in the page cache. What DuckDB needs
minutes for is measured on a part and scaled to the whole; the table says on which.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

import emm1
from benchmarks.data import queries_for, write
from benchmarks.jobs import ROWS
from benchmarks.record import Row, measured
from benchmarks.report import finish

K = 10
QUERIES, PAIRS = 1000, 1_000_000
# DuckDB compares every query with every row, so its time is proportional to the number of pairs.
PART_QUERIES, PART_ROWS = 10, 40_000
Contenders = dict[str, tuple[Callable[[], Any], int, float]]


def take_turns(contenders: Contenders) -> dict[str, float]:
    """The best time of each contender in seconds; each has a number of turns and a factor for its time."""
    best: dict[str, float] = {}
    for turn in range(max(turns for _, turns, _ in contenders.values())):
        for name, (call, turns, scale) in contenders.items():
            if turn < turns:
                started = time.perf_counter()
                call()
                best[name] = min(best.get(name, np.inf), (time.perf_counter() - started) * scale)
    return best


def rows_of(task: str, best: dict[str, float]) -> list[Row]:
    return [Row(task, name, {"seconds": seconds}) for name, seconds in best.items()]


def one_query(connection: duckdb.DuckDBPyConnection, vectors: emm1.Embeddings, queries: Any) -> list[Row]:
    """The k nearest vectors of one query."""
    query = queries[0]
    numbers = query.tolist()
    connection.execute("SET VARIABLE query = ?", [numbers])

    def ask(sql: str, parameters: Any = None) -> list[int]:
        return [row[0] for row in connection.execute(sql, parameters).fetchall()]

    def by_variable() -> list[int]:
        return ask("SELECT id FROM nearest('vectors', getvariable('query'), k := 10)")

    def by_parameter() -> list[int]:
        return ask("SELECT id FROM nearest('vectors', $query, k := 10)", {"query": numbers})

    def by_id() -> list[int]:
        return ask("SELECT id FROM nearest('vectors', embedding('vectors', 7), k := 10)")

    def rival() -> list[int]:
        similarity = f"array_inner_product(vector, getvariable('query')::FLOAT[{len(query)}])"
        return ask(f"SELECT id FROM rival.vectors ORDER BY {similarity} DESC LIMIT 10")

    right = vectors.search(query, K, metric="dot").ids.tolist()
    assert by_variable() == by_parameter() == rival() == right
    best = take_turns(
        {
            "Embeddings.search": (lambda: vectors.search(query, K, metric="dot"), 30, 1),
            "nearest, the query a variable": (by_variable, 30, 1),
            "nearest, the query a parameter, a list of Python": (by_parameter, 30, 1),
            "nearest, the query embedding(name, id)": (by_id, 30, 1),
            "DuckDB, ORDER BY array_inner_product LIMIT 10": (rival, 5, 1),
        }
    )
    return rows_of(f"One query, k = 10, {len(vectors):,} × {vectors.dim:,}", best)


def lateral(connection: duckdb.DuckDBPyConnection, vectors: emm1.Embeddings, queries: Any) -> list[Row]:
    """The k nearest vectors of each of many queries."""
    whole = len(vectors) / PART_ROWS * QUERIES / PART_QUERIES

    def join() -> Any:
        sql = """
            SELECT n.id FROM rival.queries q, nearest('vectors', q.vector, k := 10) n ORDER BY q.id, n.rank
        """
        return connection.execute(sql).fetchnumpy()["id"].reshape(QUERIES, K)

    def rival() -> Any:
        sql = """
            SELECT q.id, v.id FROM rival.part_queries q
            JOIN rival.part_vectors v EXACT NEAREST 10 BY SIMILARITY array_inner_product(q.vector, v.vector)
        """
        return connection.execute(sql).fetchall()

    assert (join() == vectors.search(queries, K, metric="dot").ids).all()
    best = take_turns(
        {
            "Embeddings.search": (lambda: vectors.search(queries, K, metric="dot"), 3, 1),
            "LATERAL join with nearest": (join, 3, 1),
            f"DuckDB, EXACT NEAREST ({PART_QUERIES} × {PART_ROWS:,} measured, scaled)": (rival, 2, whole),
        }
    )
    return rows_of(f"{QUERIES:,} queries, k = 10, {len(vectors):,} × {vectors.dim:,}", best)


def pairs(connection: duckdb.DuckDBPyConnection, vectors: emm1.Embeddings, others: emm1.Embeddings) -> list[Row]:
    """The scores of many pairs."""
    random = np.random.default_rng(3)
    a_ids, b_ids = (random.integers(len(vectors), size=PAIRS) for _ in range(2))
    rows = pa.table({"a_id": a_ids.astype(np.int32), "b_id": b_ids.astype(np.int32)})  # noqa: F841 - named in SQL
    connection.execute("CREATE TABLE rival.pairs AS FROM rows")

    def similarity() -> Any:
        sql = "SELECT similarity('vectors', a_id, 'others', b_id) AS score FROM rival.pairs"
        return connection.execute(sql).fetchnumpy()["score"]

    def score_pairs() -> Any:
        return emm1.score_pairs(vectors, a_ids, others, b_ids, metric="dot")

    assert (similarity() == score_pairs()).all()
    best = take_turns({"score_pairs": (score_pairs, 4, 1), "similarity": (similarity, 4, 1)})
    return rows_of(f"{PAIRS:,} pairs of {vectors.dim:,} components", best)


def load_rival(connection: duckdb.DuckDBPyConnection, file: Path, queries: Any) -> None:
    """Load the vectors into memory as DuckDB arrays."""
    dims = queries.shape[1]
    rows = pa.table({"id": np.arange(len(queries)), "vector": list(queries)})  # noqa: F841 - named in SQL
    for sql in (
        "ATTACH ':memory:' AS rival",
        f"CREATE TABLE rival.vectors AS SELECT id, vector::FLOAT[{dims}] AS vector FROM emm1_scan('{file}')",
        f"CREATE TABLE rival.queries AS SELECT id, vector::FLOAT[{dims}] AS vector FROM rows",
        f"CREATE TABLE rival.part_vectors AS FROM rival.vectors LIMIT {PART_ROWS}",
        f"CREATE TABLE rival.part_queries AS FROM rival.queries LIMIT {PART_QUERIES}",
    ):
        connection.execute(sql)


def main() -> None:
    folder, *rest = sys.argv[1:]
    work, rows = Path(folder), int(rest[0]) if rest else ROWS
    work.mkdir(parents=True, exist_ok=True)
    files = {"vectors": write(work / f"clustered-{rows}.npy"), "others": write(work / f"isotropic-{rows}.npy")}
    queries = queries_for(files["vectors"], QUERIES)
    with TemporaryDirectory() as scratch:
        emm1.write_sample(f"{scratch}/sample", embeddings=0)
        with (
            warnings.catch_warnings(action="ignore"),  # the store has no items with these ids
            emm1.build(f"{scratch}/sample", f"{scratch}/emm1.duckdb", splits=["eshot"]) as store,
        ):
            for name, file in files.items():
                store.add_embeddings(name, file, dataset="100m", modality="image", metric="dot")
            vectors, others = (emm1.Embeddings(file) for file in files.values())
            load_rival(store.connection, files["vectors"], queries)
            found = [
                *one_query(store.connection, vectors, queries),
                *lateral(store.connection, vectors, queries),
                *pairs(store.connection, vectors, others),
            ]
    finish(measured("sql", found), work, documented=rows == ROWS)


if __name__ == "__main__":
    main()
