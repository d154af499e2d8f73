"""Names that look the same are the same, whether an accent is part of its letter (NFC) or follows it (NFD)."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import emm1
from emm1.ingest.run import build_store

NAME = "~ àéî"
APART = unicodedata.normalize("NFD", NAME)
AUDIO, POINTS = (f"eshot/category_to_{kind}_ids.json" for kind in ("audio", "point"))


def rename_last(tree: Path, names: dict[str, str]) -> None:
    """Rename the last category of the audio file (in code-point order), with another spelling in each file."""
    last = max(json.loads((tree / AUDIO).read_text()))
    for file, name in names.items():
        listed: dict[str, Any] = json.loads((tree / file).read_text())
        renamed = {
            name if unicodedata.normalize("NFC", key) == NAME or key == last else key: ids
            for key, ids in listed.items()
        }
        (tree / file).write_text(json.dumps(renamed))


def test_categories_in_two_forms_are_one(own_tree: Path, tmp_path: Path) -> None:
    plain, other = tmp_path / "plain.duckdb", tmp_path / "other.duckdb"
    rename_last(own_tree, {AUDIO: NAME, POINTS: NAME})
    assert not any("Unicode" in note for note in build_store(own_tree, plain).notes)
    query = "SELECT DISTINCT class_index, modality FROM eshot.categories WHERE category = ? ORDER BY ALL"
    for audio, points in ((NAME, APART), (APART, NAME)):
        rename_last(own_tree, {AUDIO: audio, POINTS: points})
        notes = build_store(own_tree, other).notes
        assert any(f"writes {points} in another Unicode form" in note for note in notes)
        assert not any(note.startswith("only ") for note in notes)
        with emm1.open(other) as store, emm1.open(plain) as expected:
            found = store.connection.execute(query, [audio]).fetchall()
            assert len(found) == 2
            assert found == expected.connection.execute(query, [NAME]).fetchall()


def test_one_file_with_both_forms_is_refused(own_tree: Path, tmp_path: Path) -> None:
    (own_tree / AUDIO).write_text(json.dumps({NAME: [0], APART: [1]}))
    with pytest.raises(emm1.SourceError, match="are the same text in two Unicode forms"):
        build_store(own_tree, tmp_path / "emm1.duckdb")


def test_file_names_are_keys_in_any_form(own_tree: Path, tmp_path: Path) -> None:
    path = own_tree / "e-mm1_100m/infos/image.csv"
    infos = pl.read_csv(path, infer_schema=False).with_columns(pl.format("é {}", "file_name").alias("file_name"))
    infos.write_csv(path)
    emm1.build(own_tree, tmp_path / "emm1.duckdb").close()
    names = [unicodedata.normalize("NFD", name) for name in infos["file_name"].reverse()]
    np.savez(tmp_path / "image.npz", v=np.eye(len(names), 3, dtype=np.float32), name=np.array(names))
    with emm1.open(tmp_path / "emm1.duckdb") as store:
        made = emm1.import_embeddings(
            tmp_path / "image.npz", tmp_path / "image.npy", key="name", store=store, dataset="100m", modality="image"
        )
    assert made.ids.tolist() == infos["encord_image_id"].cast(pl.Int64).reverse().to_list()
