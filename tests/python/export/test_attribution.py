"""An export has a file ATTRIBUTION about the items that its rows name, as DuckDB's joins find them, or says why not."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import emm1
from emm1.curation.licenses import attribution

GROUPS = "SELECT * FROM e_mm1_100m.groups WHERE nn_index = 2 AND encord_text_id % 7 = 0"
TRIPLETS = "SELECT * FROM triplets WHERE annotation = 1"
COUNTED = re.compile(r"^Items: ([\d,]+)", re.MULTILINE)


@pytest.fixture
def store(illustrated: Path) -> Iterator[emm1.Store]:
    with emm1.open(illustrated, read_only=True) as opened:
        yield opened


def items_of(store: emm1.Store, query: str) -> Any:
    return store.sql(query).to_arrow_table()


@pytest.mark.parametrize(
    ("query", "to", "items"),
    [
        (
            GROUPS,
            "parquet",
            f"""
            WITH r AS ({GROUPS})
            SELECT '100m' AS dataset, 'text' AS modality, encord_text_id AS id FROM r UNION SELECT '100m', 'image', encord_image_id FROM r
            UNION SELECT '100m', 'audio', encord_audio_id FROM r UNION SELECT '100m', 'video', encord_video_id FROM r
            UNION SELECT '100m', 'points', encord_points_id FROM r
            """,
        ),
        (
            TRIPLETS,
            "hub",
            f"""
            WITH r AS ({TRIPLETS})
            SELECT '1m' AS dataset, paired_modality::VARCHAR AS modality, encord_paired_id AS id FROM r
            UNION SELECT '1m', annotated_modality::VARCHAR, encord_annotated_id FROM r
            UNION SELECT '1m', 'text', encord_text_id FROM r
            """,
        ),
        (
            "SELECT ID, dataset, Modality FROM assets WHERE id % 3 = 1 AND dataset <> '100m'",
            "csv",
            "SELECT dataset, modality::VARCHAR AS modality, id FROM assets WHERE id % 3 = 1 AND dataset <> '100m'",
        ),
        (
            "SELECT eshot_audio_id, NULL AS other FROM eshot.audio",
            "jsonl",
            "SELECT 'eshot' AS dataset, 'audio' AS modality, eshot_audio_id AS id FROM eshot.audio",
        ),
        (  # one of them is not an item of the store
            "SELECT unnest([NULL, 7, 99999999]) AS encord_image_id, '1m' AS dataset",
            "parquet",
            "SELECT '1m' AS dataset, 'image' AS modality, 7 AS id",
        ),
    ],
    ids=["groups", "triplets", "assets", "eshot", "unknown"],
)
def test_the_items_of_the_rows(store: emm1.Store, tmp_path: Path, query: str, to: Any, items: str) -> None:
    report = store.export(query, to, tmp_path / "out")
    text = (tmp_path / "out" / "ATTRIBUTION").read_text(encoding="utf-8")
    assert text == attribution(store, items_of(store, items))
    assert sum(int(count.replace(",", "")) for count in COUNTED.findall(text)) == len(items_of(store, items)) > 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert "ATTRIBUTION" in [file["path"] for file in manifest["files"]]
    assert "[ATTRIBUTION](ATTRIBUTION)" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert report.notes == ()


def test_samples(store: emm1.Store, tmp_path: Path) -> None:
    query = "SELECT id, modality, dataset, file_path FROM assets WHERE dataset = '100m' AND modality = 'points'"
    store.export(query, "webdataset", tmp_path / "out")
    text = (tmp_path / "out" / "ATTRIBUTION").read_text(encoding="utf-8")
    assert text == attribution(store, items_of(store, f"SELECT * EXCLUDE (file_path) FROM ({query})"))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT nn_index, count(*) AS rows FROM groups GROUP BY ALL", "the rows of the query name no items"),
        ("SELECT 7 AS encord_image_id", "not known of which dataset"),
        ("SELECT encord_image_id::VARCHAR AS encord_image_id, '1m' AS dataset FROM e_mm1_1m.image", "no whole numbers"),
        ("SELECT 100000000::BIGINT AS encord_image_id, '1m' AS dataset", "not between 0 and 100,000,000"),
        ("SELECT -1 AS encord_image_id, '1m' AS dataset", "not between 0 and 100,000,000"),
    ],
)
def test_items_that_are_not_known(store: emm1.Store, tmp_path: Path, query: str, reason: str) -> None:
    report = store.export(query, "parquet", tmp_path / "out")
    [note] = report.notes
    assert note.startswith("there is no file ATTRIBUTION, as ")
    assert reason in note
    assert not (tmp_path / "out" / "ATTRIBUTION").exists()
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"- {note}" in card
    assert "(ATTRIBUTION)" not in card
