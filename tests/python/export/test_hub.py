"""The edition of the Hub comes out as it went in: a store built from it has the same rows."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import emm1


@pytest.fixture
def store(store_path: Path) -> Iterator[emm1.Store]:
    with emm1.open(store_path, read_only=True) as opened:
        yield opened


def test_triplets_are_those_of_the_published_edition(store: emm1.Store, hub: Path, tmp_path: Path) -> None:
    store.export("triplets", "hub", tmp_path / "out")
    published = sorted((hub / "E-MM1-1M/data").glob("*.parquet"))
    assert [path.name for path in sorted((tmp_path / "out/data").iterdir())] == [path.name for path in published]
    for path in published:
        expected, found = pl.read_parquet(path), pl.read_parquet(tmp_path / "out/data" / path.name)
        assert found.schema == expected.schema
        assert Counter(found.rows()) == Counter(expected.rows())


def test_groups_are_those_of_the_published_edition(store: emm1.Store, hub: Path, tmp_path: Path) -> None:
    store.export("SELECT * FROM e_mm1_100m.groups WHERE nn_index <= 2", "hub", tmp_path / "out")
    for name in ("nn_01.parquet", "nn_02.parquet"):
        expected, found = pl.read_parquet(hub / "E-MM1-100M/data" / name), pl.read_parquet(tmp_path / "out/data" / name)
        assert set(expected.columns) <= set(found.columns)
        assert Counter(found.select(expected.columns).rows()) == Counter(expected.rows())


def test_a_store_is_built_from_an_export(store: emm1.Store, tmp_path: Path) -> None:
    store.export("e_mm1_1m.triplets", "hub", tmp_path / "out")
    with emm1.build(tmp_path / "out", tmp_path / "again.duckdb", splits=["1m"]) as again:
        query = "SELECT * EXCLUDE (paired_modality_file_path, annotated_modality_file_path) FROM triplets"
        assert Counter(again.sql(query).fetchall()) == Counter(store.sql(query).fetchall())


def test_rows_without_the_published_columns_are_refused(store: emm1.Store, tmp_path: Path) -> None:
    with pytest.raises(emm1.Error, match="the rows need the columns encord_text_id"):
        store.export("SELECT 1 AS a", "hub", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
