"""Norms are looked at and said, and changed only if that is asked for; conversions are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from torch_save import Tensor
from torch_save import save as torch_save

import emm1
from emm1.convert.run import Imported, convert

NOTHING: dict[str, Any] = {"key": None, "vector": None, "store": None, "dataset": None, "modality": None}


def unit(rows: int = 5000, dims: int = 64) -> NDArray[np.float64]:
    vectors = np.random.default_rng(3).normal(size=(rows, dims))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def imported(folder: Path, rows: NDArray[Any], *, normalize: bool = False) -> Imported:
    np.savez(folder / "a.npz", v=rows)
    return convert(folder / "a.npz", folder / "b.npy", normalize=normalize, **NOTHING)


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_vectors_are_divided_by_their_norms_once(tmp_path: Path, dtype: str) -> None:
    rows = (unit() * np.geomspace(1e-2, 1e2, 5000)[:, None]).astype(dtype)
    done = imported(tmp_path, rows, normalize=True)
    written = np.load(tmp_path / "b.npy")
    as_written = rows.astype(written.dtype).astype(np.float64)
    expected = as_written / np.linalg.norm(as_written, axis=1, keepdims=True)
    assert written.dtype == (np.float16 if dtype == "float16" else np.float32)
    # The oracle's norms may differ in the last bit.
    np.testing.assert_allclose(written, expected, rtol=1e-3 if dtype == "float16" else 2e-7, atol=1e-7)
    norms = np.linalg.norm(as_written, axis=1)
    assert f"the norms were from {norms.min():.4g} to {norms.max():.4g}, and are 1 now" in done.facts


def test_norms_of_bfloat16_are_near_enough_to_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = unit().astype(ml_dtypes.bfloat16)
    torch_save(monkeypatch, Tensor(rows), tmp_path / "a.pt")
    done = convert(tmp_path / "a.pt", tmp_path / "b.npy", **NOTHING)
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    assert np.abs(norms - 1).max() > 1e-4
    assert done.notes == ["bfloat16 was widened to float32"]
    assert done.facts == [f"the norms are from {norms.min():.4g} to {norms.max():.4g}"]


def test_norms_far_from_1_are_said_with_what_to_do(tmp_path: Path) -> None:
    done = imported(tmp_path, (unit() * 3).astype(np.float32))
    assert done.facts == ["the norms are 3, not 1: normalize them for the metric dot"]
    assert done.notes == []


def test_zero_vectors_are_counted_and_stay(tmp_path: Path) -> None:
    rows = unit().astype(np.float32)
    rows[[4100, 4990]] = 0
    words = "zero vectors: 2 of 5,000 rows (the first is row 4100 of a.npz)"
    assert imported(tmp_path, rows).facts[0] == f"{words}: their cosine and dot product with everything are 0"
    (tmp_path / "b.npy").unlink()
    assert imported(tmp_path, rows, normalize=True).notes == [f"{words}: they were not normalized"]
    assert not np.load(tmp_path / "b.npy")[[4100, 4990]].any()


def test_nothing_but_zero_vectors(tmp_path: Path) -> None:
    done = imported(tmp_path, np.zeros((3, 2), np.float32), normalize=True)
    assert done.notes == ["zero vectors: 3 of 3 rows (the first is row 0 of a.npz): they were not normalized"]
    assert not np.load(tmp_path / "b.npy").any()


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_integers_are_no_unit_vectors_but_may_become_some(tmp_path: Path, dtype: str) -> None:
    rows = np.random.default_rng(0).integers(1, 100, (50, 9)).astype(dtype)
    assert imported(tmp_path, rows).facts == []
    (tmp_path / "b.npy").unlink()
    done = imported(tmp_path, rows, normalize=True)
    expected = rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(np.load(tmp_path / "b.npy"), expected, rtol=2e-7)
    assert done.notes == [f"{dtype} became float32"]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_norms_that_float32_cannot_square(tmp_path: Path, scale: float) -> None:
    rows = (unit() * scale).astype(np.float32)
    imported(tmp_path, rows, normalize=True)
    np.testing.assert_allclose(np.linalg.norm(np.load(tmp_path / "b.npy").astype(np.float64), axis=1), 1, atol=1e-6)


def test_files_that_can_be_searched_are_normalized_with_their_ids(tmp_path: Path) -> None:
    rows = (unit() * 7).astype(np.float32)
    np.save(tmp_path / "a.npy", rows)
    np.save(tmp_path / "a.ids.npy", np.arange(5000)[::-1])
    with pytest.raises(emm1.EmbeddingError, match="needs no import"):
        emm1.import_embeddings(tmp_path / "a.npy", tmp_path / "b.npy")
    made = emm1.import_embeddings(tmp_path / "a.npy", tmp_path / "b.npy", normalize=True)
    np.testing.assert_allclose(made[:], unit(), atol=1e-6)
    assert made.ids.tolist() == list(range(5000))[::-1]


def test_big_endian_is_said(tmp_path: Path) -> None:
    rows = unit().astype(">f4")
    done = imported(tmp_path, rows)
    assert done.facts[0] == "big-endian numbers were written as little-endian"
    assert np.load(tmp_path / "b.npy").dtype == np.dtype("<f4")
    assert np.array_equal(np.load(tmp_path / "b.npy"), rows)


def test_only_the_rows_that_are_written_are_measured(tmp_path: Path, store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        known = store.sql("SELECT encord_image_id FROM e_mm1_100m.image LIMIT 3").fetchall()
        rows = unit()[:4].astype(np.float32) * [[1], [1], [50], [1]]
        keys = [known[0][0], known[1][0], 10**7, known[2][0]]
        pl.DataFrame({"k": keys, "v": rows.astype(np.float32)}).write_parquet(tmp_path / "a.parquet")
        done = convert(
            *(tmp_path / "a.parquet", tmp_path / "b.npy"),
            **{**NOTHING, "key": "k", "store": store, "dataset": "100m", "modality": "image"},
        )
    assert done.facts[-1] == "the norms are 1"
