"""Search in SQL beside the Python calls it stands for and beside DuckDB's own ways, in one run.

    python benchmarks/sql.py WORK [ROWS]

WORK is a folder for the vectors, shared with search.py (ROWS × 1,024 of float32 each; 400,000 by default). A task's
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
from search import about_machine, queries_for, write

import emm1

K = 10
QUERIES, TRIPLETS = 1000, 1_000_000
# DuckDB compares every query with every row, so its time is that of the pairs.
PART_QUERIES, PART_ROWS = 10, 40_000
ANN = "SIMILARITY array_inner_product(q.vector, v.vector)"
Contenders = dict[str, tuple[Callable[[], Any], int, float]]


def take_turns(contenders: Contenders) -> dict[str, float]:
    """Best seconds of each contender, which comes with its number of turns and what its time is to be multiplied by."""
    best: dict[str, float] = {}
    for turn in range(max(turns for _, turns, _ in contenders.values())):
        for name, (call, turns, scale) in contenders.items():
            if turn < turns:
                started = time.perf_counter()
                call()
                best[name] = min(best.get(name, np.inf), (time.perf_counter() - started) * scale)
    return best


def table(title: str, best: dict[str, float], base: str) -> None:
    """Milliseconds, and how many times as long as one of them."""
    print(f"\n### {title}\n\n| | ms | |\n|---|---:|---:|")
    for name, seconds in best.items():
        print(f"| {name} | {seconds * 1e3:,.4g} | {seconds / best[base]:.3g}× |", flush=True)


def one_query(connection: duckdb.DuckDBPyConnection, vectors: emm1.Embeddings, queries: Any) -> None:
    """The k nearest to one query."""
    query = queries[0]
    connection.execute("SET VARIABLE query = ?", [query.tolist()])
    numbers = f"[{', '.join(map(repr, query.tolist()))}]"
    rival = (
        f"SELECT id FROM vectors ORDER BY array_inner_product(vector, getvariable('query')::FLOAT[{len(query)}]) DESC"
    )

    def ask(sql: str) -> list[int]:
        return [row[0] for row in connection.execute(sql).fetchall()]

    by_variable = "SELECT id FROM nearest('vectors', getvariable('query'), k := 10)"
    by_numbers = f"SELECT id FROM nearest('vectors', {numbers}, k := 10)"
    right = vectors.search(query, K, metric="dot").ids.tolist()
    assert ask(by_variable) == ask(by_numbers) == ask(f"{rival} LIMIT 10") == right
    best = take_turns(
        {
            "Embeddings.search": (lambda: vectors.search(query, K, metric="dot"), 30, 1),
            "nearest, the query a variable": (lambda: ask(by_variable), 30, 1),
            "nearest, the query 1,024 numbers in the text": (lambda: ask(by_numbers), 30, 1),
            "DuckDB, ORDER BY array_inner_product LIMIT 10": (lambda: ask(f"{rival} LIMIT 10"), 5, 1),
        }
    )
    table(f"One query, k = 10, {len(vectors):,} × {vectors.dim:,}", best, "Embeddings.search")


def lateral(connection: duckdb.DuckDBPyConnection, vectors: emm1.Embeddings, queries: Any) -> None:
    """The k nearest to each of many queries."""
    join = "SELECT q.id, n.rank, n.id FROM queries q, nearest('vectors', q.vector, k := 10) n ORDER BY q.id, n.rank"
    rival = f"SELECT q.id, v.id FROM part_queries q JOIN part_vectors v EXACT NEAREST 10 BY {ANN}"
    whole = len(vectors) / PART_ROWS * QUERIES / PART_QUERIES

    def found() -> Any:
        return connection.execute(join).fetchnumpy()["id_1"].reshape(QUERIES, K)

    assert (found() == vectors.search(queries, K, metric="dot").ids).all()
    best = take_turns(
        {
            "Embeddings.search, 1,000 queries": (lambda: vectors.search(queries, K, metric="dot"), 3, 1),
            "LATERAL join with nearest": (found, 3, 1),
            f"DuckDB, EXACT NEAREST ({PART_QUERIES} × {PART_ROWS:,} measured, scaled)": (
                lambda: connection.execute(rival).fetchall(),
                2,
                whole,
            ),
        }
    )
    title = f"{QUERIES:,} queries, k = 10, {len(vectors):,} × {vectors.dim:,}"
    table(title, best, "Embeddings.search, 1,000 queries")


def triplets(connection: duckdb.DuckDBPyConnection, vectors: emm1.Embeddings, others: emm1.Embeddings) -> None:
    """The scores of many pairs."""
    random = np.random.default_rng(3)
    pairs = [random.integers(len(vectors), size=TRIPLETS) for _ in range(2)]
    a_ids, b_ids = pairs
    connection.execute("CREATE TABLE triplets (a_id INTEGER, b_id INTEGER)")
    connection.from_arrow(_table(a_id=a_ids.astype(np.int32), b_id=b_ids.astype(np.int32))).insert_into("triplets")

    def scored() -> Any:
        sql = "SELECT similarity('vectors', a_id, 'others', b_id) AS score FROM triplets"
        return connection.execute(sql).fetchnumpy()["score"]

    assert (scored() == emm1.score_pairs(vectors, a_ids, others, b_ids, metric="dot")).all()
    best = take_turns(
        {
            "score_pairs": (lambda: emm1.score_pairs(vectors, a_ids, others, b_ids, metric="dot"), 4, 1),
            "similarity": (scored, 4, 1),
        }
    )
    table(f"{TRIPLETS:,} pairs of {vectors.dim:,} components", best, "score_pairs")


def _table(**columns: Any) -> Any:
    import pyarrow as pa

    return pa.table(columns)


def load_rival(connection: duckdb.DuckDBPyConnection, file: Path, queries: Any) -> None:
    """The vectors as DuckDB's own arrays, in memory."""
    dims = queries.shape[1]
    connection.execute(f"CREATE TABLE vectors AS SELECT id, vector::FLOAT[{dims}] AS vector FROM emm1_scan('{file}')")
    connection.execute(f"CREATE TABLE queries (id INTEGER, vector FLOAT[{dims}])")
    rows = _table(id=np.arange(len(queries)), vector=list(queries))
    connection.from_arrow(rows).insert_into("queries")
    connection.execute(f"CREATE TABLE part_vectors AS FROM vectors LIMIT {PART_ROWS}")
    connection.execute(f"CREATE TABLE part_queries AS FROM queries LIMIT {PART_QUERIES}")


def main() -> None:
    folder, *rest = sys.argv[1:]
    work, rows = Path(folder), int(rest[0]) if rest else 400_000
    work.mkdir(parents=True, exist_ok=True)
    files = {"vectors": write("clustered", work, rows), "others": write("isotropic", work, rows)}
    queries = queries_for(files["vectors"], QUERIES)
    print(f"{about_machine()}, DuckDB {duckdb.__version__}")
    with TemporaryDirectory() as scratch:
        emm1.write_sample(f"{scratch}/sample", embeddings=0)
        with (
            warnings.catch_warnings(action="ignore"),  # the store has no items whose ids these could be
            emm1.build(f"{scratch}/sample", f"{scratch}/emm1.duckdb", splits=["eshot"]) as store,
        ):
            for name, file in files.items():
                store.add_embeddings(name, file, dataset="100m", modality="image", metric="dot")
            connection = store.connection
            connection.execute("ATTACH ':memory:' AS rival")
            connection.execute("SET search_path = 'emm1,rival'")
            vectors, others = (emm1.Embeddings(file) for file in files.values())
            with store.cursor() as cursor:
                cursor.execute("SET search_path = 'rival,emm1'")
                load_rival(cursor, files["vectors"], queries)
            one_query(connection, vectors, queries)
            lateral(connection, vectors, queries)
            triplets(connection, vectors, others)


if __name__ == "__main__":
    main()
