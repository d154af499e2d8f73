"""A store copied by DuckDB, whole or by export, is still a store: its views and macros give the same answers."""

from pathlib import Path

import duckdb
import pytest

import emm1
from emm1.ingest.run import build_store
from emm1.ingest.upgrade import upgrade_store
from emm1.store.database import SCHEMA_VERSION

ASKED = (
    'SELECT * FROM "groups" WHERE encord_text_id < 3 ORDER BY ALL',
    "SELECT * FROM groups_of([5]) ORDER BY ALL",
    "SELECT count(*), count(file_path) FROM assets",
    "SELECT count(*), min(caption) FROM triplets_between(['points', 'audio'])",
    "SELECT * FROM nearest('text', embedding('text', 7), k := 3)",
    "SELECT count(*) FROM knn('text', 'text', k := 2)",
    "SELECT similarity('text', 1, 'text', 2), score('text', 1, embedding('text', 2)), media_root()",
    "SELECT name, rows FROM embeddings",
)
COUNTED = "SELECT count(*) FROM duckdb_{}() WHERE database_name = current_database() AND NOT internal"


def opened(path: Path | None = None) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(path or ":memory:", config={"allow_unsigned_extensions": True})
    emm1.load_extension(connection)
    return connection


def answers(connection: duckdb.DuckDBPyConnection) -> list[list[tuple[object, ...]]]:
    counted = [COUNTED.format(kind) for kind in ("tables", "views", "functions", "types")]
    return [connection.execute(query).fetchall() for query in (*ASKED, *counted)]


@pytest.mark.parametrize("way", ["COPY FROM DATABASE", "EXPORT DATABASE"])
def test_a_copy_answers_as_the_store_does(way: str, tree: Path, tmp_path: Path) -> None:
    with emm1.build(tree, tmp_path / "emm1.duckdb") as store:
        store.add_embeddings("text", tree / "embeddings/text.npy", dataset="100m", modality="text")
        expected = answers(store.connection)
    copy = tmp_path / "copy.duckdb"
    with opened() as connection:
        connection.execute(f"ATTACH '{tmp_path}/emm1.duckdb' AS emm1 (READ_ONLY)")
        if way == "COPY FROM DATABASE":
            connection.execute(f"ATTACH '{copy}' AS copy")
            connection.execute("COPY FROM DATABASE emm1 TO copy")
        else:
            connection.execute(f"EXPORT DATABASE emm1 TO '{tmp_path}/files' (FORMAT parquet)")
    with opened(copy) as connection:
        if way == "EXPORT DATABASE":
            connection.execute(f"IMPORT DATABASE '{tmp_path}/files'")
        assert answers(connection) == expected
        connection.execute("CREATE TABLE mine AS SELECT 1 AS a")
    build_store(tree, copy, force=True)
    with emm1.open(copy, read_only=True) as store:
        assert answers(store.connection)[: len(ASKED)] == expected[: len(ASKED)]
        assert store.sql("FROM mine").fetchall() == [(1,)]
    with duckdb.connect(str(copy)) as connection:
        connection.execute(f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION - 1}")
    upgrade_store(copy)
    with emm1.open(copy, read_only=True) as store:
        assert answers(store.connection)[: len(ASKED)] == expected[: len(ASKED)]
