"""Rows of the groups in ranges of captions are the rows of the query, each once; other queries are not parted."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import pytest

import emm1
from emm1.export.ranges import in_ranges

PARTED = [
    "SELECT * FROM groups",
    "FROM group_captions",
    "SELECT g.* EXCLUDE (caption), caption AS text FROM main.groups g WHERE nn_index IN (1, 3) AND caption IS NOT NULL",
    "SELECT encord_text_id FROM e_mm1_100m.groups WHERE encord_image_id BETWEEN 20 AND 90 OR nn_index = 2",
    "SELECT encord_image_id AS encord_text_id, nn_index FROM groups",
]
WHOLE = [
    "SELECT * FROM groups ORDER BY encord_image_id",
    "SELECT * FROM groups LIMIT 50",
    "SELECT DISTINCT encord_text_id FROM groups",
    "SELECT encord_text_id FROM groups GROUP BY ALL",
    "SELECT encord_text_id FROM groups GROUP BY encord_text_id",
    "SELECT encord_text_id FROM groups QUALIFY row_number() OVER () < 9",
    "SELECT * FROM groups WHERE random() < 0.5",
    "SELECT *, row_number() OVER () AS number FROM groups",
    "SELECT * FROM groups TABLESAMPLE 10%",
    "SELECT * FROM groups USING SAMPLE 10",
    "SELECT * FROM groups WHERE nn_index = (SELECT max(nn_index) FROM e_mm1_100m.groups)",
    "WITH groups AS (SELECT 1::INTEGER AS encord_text_id) SELECT * FROM groups",
    "SELECT a.* FROM groups a, groups b WHERE a.nn_index = b.nn_index",
    "SELECT * FROM groups UNION ALL SELECT * FROM groups",
    "SELECT nn_index FROM groups",
    "SELECT caption AS encord_text_id FROM groups",
    "SELECT * FROM triplets",
]


@pytest.fixture
def store(store_path: Path) -> Iterator[emm1.Store]:
    with emm1.open(store_path, read_only=True) as opened:
        yield opened


@pytest.mark.parametrize("query", PARTED)
def test_parts_are_the_rows(store: emm1.Store, query: str) -> None:
    rows = store.sql(query)
    ids = store.sql("SELECT encord_text_id FROM e_mm1_100m.text").fetchall()
    parts = [part.fetchall() for part in in_ranges(store.connection, query, rows, captions=len(ids) // 3)]
    assert len(parts) == 3 + bool(len(ids) % 3)
    assert Counter(row for part in parts for row in part) == Counter(rows.fetchall())
    assert sum(map(bool, parts)) > 1
    assert len(in_ranges(store.connection, query, rows, captions=len(ids))) == 1


@pytest.mark.parametrize("query", WHOLE)
def test_other_queries_are_not_parted(store: emm1.Store, query: str) -> None:
    rows = store.sql(query)
    assert in_ranges(store.connection, query, rows, captions=100) == [rows]


@pytest.mark.parametrize("to", ["parquet", "hub"])
def test_exported_in_parts(store: emm1.Store, tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "SELECT * FROM groups WHERE nn_index <= 2" if to == "parquet" else "SELECT * FROM e_mm1_100m.groups"
    store.export(query, to, tmp_path / "whole")  # type: ignore[arg-type]
    monkeypatch.setattr("emm1.export.run.in_ranges", partial(in_ranges, captions=100))
    store.export(query, to, tmp_path / "parts")  # type: ignore[arg-type]
    whole, parts = (
        Counter(duckdb.read_parquet(f"{tmp_path / name}/data/*.parquet", filename=False).fetchall())
        for name in ("whole", "parts")
    )
    assert parts == whole
    assert whole
