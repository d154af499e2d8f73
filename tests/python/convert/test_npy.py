"""Files that NumPy and torch write by default are converted: .npy of any type and order, a single tensor."""

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from torch_save import Tensor
from torch_save import save as torch_save

import emm1

TYPES_OF_NPY = ["<f8", ">f8", ">f4", ">f2", "|u1", "<f4", "<f2", "|i1"]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("descr", TYPES_OF_NPY)
def test_any_npy_is_searchable_as_it_is_or_by_import(descr: str, order: Literal["C", "F"], tmp_path: Path) -> None:
    rows = (
        (np.random.default_rng(5).standard_normal((4100, 7)) * 20)
        .astype(np.int8)
        .view(np.uint8)
        .astype(descr, order=order)
    )
    np.save(tmp_path / "a.npy", rows)
    ids = np.random.default_rng(6).permutation(len(rows)) * 3
    np.save(tmp_path / "a.ids.npy", ids)
    if order == "C" and descr in ("<f4", "<f2", "|i1"):
        with pytest.raises(emm1.EmbeddingError, match="needs no import"):
            emm1.import_embeddings(tmp_path / "a.npy", tmp_path / "b.npy")
        return
    with pytest.raises(emm1.EmbeddingError, match="convert it with `emm1 embeddings import"):
        emm1.Embeddings(tmp_path / "a.npy")
    with warnings.catch_warnings(action="ignore"):
        made = emm1.import_embeddings(tmp_path / "a.npy", tmp_path / "b.npy")
    np.testing.assert_array_equal(made.vectors(ids), rows.astype(np.float32))
    assert made.ids.tolist() == ids.tolist()


def test_an_npy_of_float64_is_rounded_once(tmp_path: Path) -> None:
    rows = np.random.default_rng(7).standard_normal((10, 3))
    np.save(tmp_path / "a.npy", rows)
    with pytest.warns(UserWarning, match="float64 was rounded to float32"):
        made = emm1.import_embeddings(tmp_path / "a.npy", tmp_path / "b.npy")
    np.testing.assert_array_equal(made.vectors(range(10)), rows.astype(np.float32))
    rows[6, 1] = 1e39
    np.save(tmp_path / "c.npy", rows)
    with pytest.raises(emm1.EmbeddingError, match=r"c\.npy: row 6 of 'array' holds a component too large for float32"):
        emm1.import_embeddings(tmp_path / "c.npy", tmp_path / "d.npy")
    cut = (tmp_path / "c.npy").read_bytes()[:-9]
    (tmp_path / "c.npy").write_bytes(cut)
    with pytest.raises(emm1.EmbeddingError, match="truncated"):
        emm1.import_embeddings(tmp_path / "c.npy", tmp_path / "d.npy")
    np.save(tmp_path / "e.npy", np.array([[None]]))
    with pytest.raises(emm1.EmbeddingError, match="no column of vectors"):
        emm1.import_embeddings(tmp_path / "e.npy", tmp_path / "d.npy")
    assert not (tmp_path / "d.npy").exists()


def test_a_tensor_by_itself_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.ones((3, 2), np.float32)
    rows[1] = np.nan
    torch_save(monkeypatch, Tensor(rows), tmp_path / "a.pt")
    with pytest.raises(emm1.EmbeddingError, match="row 1 of 'tensor' holds NaN"):
        emm1.import_embeddings(tmp_path / "a.pt", tmp_path / "a.npy")
    with pytest.raises(emm1.EmbeddingError, match="has no column 'x': it has tensor"):
        emm1.import_embeddings(tmp_path / "a.pt", tmp_path / "a.npy", vector="x")
