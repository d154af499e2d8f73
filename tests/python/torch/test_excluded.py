"""Rows for training and exports without what is flagged."""

import shutil
from pathlib import Path

import pytest

import emm1
import emm1.torch

QUERY = "SELECT encord_text_id, nn_index, encord_image_id FROM e_mm1_100m.groups"


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> emm1.Store:
    opened = emm1.open(shutil.copy(store_path, tmp_path / "emm1.duckdb"))
    for dataset, modality in (("100m", "image"), ("100m", "text"), ("1m", "image")):
        ids = opened.sql(
            "SELECT id FROM assets WHERE dataset = $d AND modality::VARCHAR = $m ORDER BY id LIMIT 5",
            params={"d": dataset, "m": modality},
        ).fetchall()
        items = {"dataset": [dataset] * 5, "modality": [modality] * 5, "id": [number for (number,) in ids]}
        opened.add_flags(items, "odd")
    return opened


def left(store: emm1.Store, table: str, conditions: dict[str, str]) -> int:
    """How many rows have no flagged item, counted by DuckDB."""
    absent = " AND ".join(
        f"NOT EXISTS (FROM flags f WHERE f.id = t.{key} AND {condition})" for key, condition in conditions.items()
    )
    ((count,),) = store.sql(f"SELECT count(*) FROM {table} t WHERE {absent}").fetchall()
    return int(count)


def test_rows_that_name_a_flagged_item_are_left_out(store: emm1.Store, tmp_path: Path) -> None:
    of = {
        "encord_text_id": "dataset = '100m' AND modality = 'text'",
        "encord_image_id": "dataset = '100m' AND modality = 'image'",
    }
    expected = left(store, "e_mm1_100m.groups", of)
    every = len(emm1.torch.QueryDataset(store, QUERY))
    assert expected < every
    for rows in (
        emm1.torch.QueryDataset(store, QUERY, exclude=["odd"]),
        emm1.torch.RowStream(store, QUERY, exclude=["odd"]),
        emm1.torch.GroupDataset(store, exclude=["odd"]),
    ):
        assert len(rows) == expected
    assert store.export(QUERY, "csv", tmp_path / "csv", exclude=["odd"]).rows == expected
    assert store.export(QUERY, "csv", tmp_path / "all").rows == every
    triplets = left(
        store,
        "e_mm1_1m.triplets",
        {
            f"encord_{side}_id": f"dataset = '1m' AND modality = 'image' AND t.{side}_modality = 'image'"
            for side in ("paired", "annotated")
        },
    )
    assert len(emm1.torch.TripletDataset(store, exclude=["odd"])) == triplets
    store.remove_flags("odd")
    with pytest.raises(emm1.StoreError, match="no item has the flag 'odd'"):
        emm1.torch.QueryDataset(store, QUERY, exclude=["odd"])
