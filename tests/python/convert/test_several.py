"""Several files are read as one: their rows one after the other, and messages that say which file is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch_save import Tensor
from torch_save import save as torch_save
from typer.testing import CliRunner

import emm1
from emm1.cli import app


def write(path: Path, rows: NDArray[Any], ids: list[Any], key: str = "id") -> Path:
    pq.write_table(pa.table({key: ids, "v": list(rows)}), path)
    return path


def rows_of(count: int, seed: int = 0, dims: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, dims)).astype(np.float32)


def test_rows_follow_one_another_in_the_order_of_the_files(tmp_path: Path) -> None:
    first, second = rows_of(5000), rows_of(4200, 1)
    a = write(tmp_path / "a.parquet", first, list(range(5000)))
    written = pa.table({"id": range(9000, 13200), "v": list(second)})
    with pa.ipc.new_stream(tmp_path / "b.arrows", written.schema) as stream:
        stream.write_table(written)
    made = emm1.import_embeddings([tmp_path / "b.arrows", a], tmp_path / "c.npy", key="id")
    assert np.array_equal(made[:], np.concatenate([second, first]))
    assert made.ids.tolist() == [*range(9000, 13200), *range(5000)]


def test_files_of_every_kind_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [rows_of(n, n) for n in (3, 4, 5, 6, 7)]
    np.save(tmp_path / "a.npy", parts[0])  # files that can be searched as they are may be among them
    np.save(tmp_path / "b.npy", parts[1].astype(">f8"))
    np.savez(tmp_path / "c.npz", vectors=parts[2])
    torch_save(monkeypatch, {"out": Tensor(parts[3])}, tmp_path / "d.pt")
    save_file({"x": parts[4]}, tmp_path / "e.safetensors")
    files = [tmp_path / name for name in ("a.npy", "b.npy", "c.npz", "d.pt", "e.safetensors")]
    with pytest.warns(UserWarning, match="float64 was rounded"):
        made = emm1.import_embeddings(files, tmp_path / "all.npy")
    assert np.array_equal(made[:], np.concatenate(parts))
    assert made.ids_path is None


def test_a_folder_of_arrays_that_cannot_be_searched(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for i in range(3):
        np.save(folder / f"{i}.npy", rows_of(4, i).astype(np.float64))
        np.save(folder / f"{i}.ids.npy", np.arange(4) + 10 * i)
    with pytest.warns(UserWarning, match="float64 was rounded"):
        made = emm1.import_embeddings(folder, tmp_path / "a.npy")
    assert np.array_equal(made[:], np.concatenate([rows_of(4, i) for i in range(3)]))
    assert made.ids.tolist() == [*range(4), *range(10, 14), *range(20, 24)]


def test_a_folder_of_shards_needs_no_import_but_to_be_normalized(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    np.save(folder / "0.npy", rows_of(4))
    np.save(folder / "1.npy", rows_of(4, 1))
    with pytest.raises(emm1.EmbeddingError, match="needs no import"):
        emm1.import_embeddings(folder, tmp_path / "a.npy")
    made = emm1.import_embeddings(folder, tmp_path / "a.npy", normalize=True)
    np.testing.assert_allclose(np.linalg.norm(made[:], axis=1), 1, atol=1e-6)


def test_what_is_wrong_with_one_of_them_names_it(tmp_path: Path) -> None:
    a = write(tmp_path / "a.parquet", rows_of(3), [1, 2, 3])
    nan = rows_of(5, 1)
    nan[4, 1] = np.nan

    def refused(words: str, other: Path, **options: Any) -> None:
        with pytest.raises(emm1.EmbeddingError, match=words):
            emm1.import_embeddings([a, other], tmp_path / "c.npy", key="id", **options)
        assert not list(tmp_path.glob("c*"))

    refused(
        r"row 1 of .*a\.parquet and row 0 of .*same\.parquet have the same key in 'id', for the id 2:",
        write(tmp_path / "same.parquet", rows_of(2), [2, 5]),
    )
    refused(
        r"wider\.parquet: its vectors have 4 components", write(tmp_path / "wider.parquet", rows_of(2, 0, 4), [8, 9])
    )
    refused(
        r"half\.parquet: its vectors have 3 components of float16 \(from row 0 on\), but those before it 3 of float32",
        write(tmp_path / "half.parquet", rows_of(2).astype(np.float16), [8, 9]),
    )
    refused(r"nan\.parquet: row 4 of 'v' holds NaN", write(tmp_path / "nan.parquet", nan, [5, 6, 7, 8, 9]))
    refused(
        r"text\.parquet: column 'id' holds text, but integers in the files before it",
        write(tmp_path / "text.parquet", rows_of(2), ["x", "y"]),
    )
    refused(
        r"keys\.parquet has no column 'id': it has key, v", write(tmp_path / "keys.parquet", rows_of(2), [8, 9], "key")
    )
    refused(r"a\.parquet is named twice", a)
    with pytest.raises(emm1.FileNotFoundError, match=r"none\.parquet does not exist"):
        emm1.import_embeddings([a, tmp_path / "none.parquet"], tmp_path / "c.npy")
    with pytest.raises(emm1.EmbeddingError, match="no file to import is named"):
        emm1.import_embeddings([], tmp_path / "c.npy")


def test_ids_beside_all_files_or_none(tmp_path: Path) -> None:
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", rows_of(3))
    np.save(tmp_path / "a.ids.npy", np.arange(3))
    with pytest.raises(emm1.EmbeddingError, match=r"a\.npy has ids beside it, but .*b\.npy has none"):
        emm1.import_embeddings([tmp_path / "a.npy", tmp_path / "b.npy"], tmp_path / "c.npy")
    np.save(tmp_path / "b.ids.npy", np.arange(3) + 3)
    made = emm1.import_embeddings([tmp_path / "a.npy", tmp_path / "b.npy"], tmp_path / "c.npy")
    assert made.ids.tolist() == [0, 1, 2, 3, 4, 5]


def test_keys_of_several_files_are_looked_up_together(tmp_path: Path, store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        found = store.sql("SELECT encord_image_id, file_name FROM e_mm1_100m.image ORDER BY hash(file_name) LIMIT 7")
        ids, names = map(list, zip(*found.fetchall(), strict=True))
    a = write(tmp_path / "a.parquet", rows_of(4), names[:4], "n")
    b = write(tmp_path / "b.parquet", rows_of(4, 1), [names[4], "none.jpg", *names[5:]], "n")
    done = CliRunner().invoke(
        app,
        [
            *("embeddings", "import", str(a), str(b), str(tmp_path / "c.npy"), "--key", "n"),
            *("--store", str(store_path), "--dataset", "100m", "--modality", "image"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert np.load(tmp_path / "c.ids.npy").tolist() == ids
    assert np.array_equal(np.load(tmp_path / "c.npy"), np.concatenate([rows_of(4), rows_of(4, 1)[[0, 2, 3]]]))
    said = done.output.replace("\n", " ")
    assert "1 of 8 rows were left out: their keys are no file_name of e_mm1_100m.image" in said
    assert "(the first is 'none.jpg', row 1 of" in said
    assert "keys taken as: file_name" in said
    assert "7 of " in said
    assert "image items of 100m have a vector" in said
