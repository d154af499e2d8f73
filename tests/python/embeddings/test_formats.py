"""Every embedding format: files written by NumPy and the safetensors library are read row by row."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest
from formats import WRITERS, write_named, write_shards
from safetensors.numpy import save_file

import emm1

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROWS, DIMS = 23, 19
OF_FLOATS = [(write, dtype) for write, dtype in WRITERS if "float" in dtype]


def vectors(dtype: str) -> NDArray[np.generic]:
    random = np.random.default_rng(1)
    if np.dtype(dtype).kind in "iu":
        information = np.iinfo(dtype)
        return random.integers(information.min, information.max, (ROWS, DIMS), dtype, endpoint=True)
    return (random.normal(size=(ROWS, DIMS)) * 10).astype(dtype)


@pytest.mark.parametrize(("write", "dtype"), WRITERS)
def test_every_format_equals_npy(tmp_path: Path, write: Callable[[Path, NDArray[np.generic]], str], dtype: str) -> None:
    rows = vectors(dtype)
    ids = np.random.default_rng(2).permutation(1000)[:ROWS]
    e = emm1.Embeddings(tmp_path / write(tmp_path, rows), ids=ids)
    assert (len(e), e.dim, e.dtype) == (ROWS, DIMS, np.dtype(getattr(ml_dtypes, dtype, dtype)))
    widened = rows.astype(np.float32)
    assert e.vectors(ids).tobytes() == widened.tobytes()
    np.save(tmp_path / "oracle.npy", widened)
    oracle = emm1.Embeddings(tmp_path / "oracle.npy", ids=ids)
    for metric in ("cosine", "dot", "l2"):
        found, expected = (x.search(widened[:3], 7, metric, threads=2) for x in (e, oracle))
        assert (found.ids.tolist(), found.scores.tobytes()) == (expected.ids.tolist(), expected.scores.tobytes())
    assert all(file.is_file() for file in e.files)


@pytest.mark.parametrize(("write", "dtype"), WRITERS)
def test_ids_lie_beside_every_format(
    tmp_path: Path, write: Callable[[Path, NDArray[np.generic]], str], dtype: str
) -> None:
    ids = np.arange(ROWS) * 3 + 5
    for name in ("a.ids.npy", "shards.ids.npy"):
        np.save(tmp_path / name, ids)
    e = emm1.Embeddings(tmp_path / write(tmp_path, vectors(dtype)))
    assert (e.ids == ids).all()
    assert e.ids_path is not None
    assert e.ids_path.name.endswith(".ids.npy")


def test_shards_may_have_ids_each(tmp_path: Path) -> None:
    rows = vectors("float32")
    ids = np.random.default_rng(3).permutation(100)[:ROWS]
    folder = tmp_path / write_shards(tmp_path, rows)
    assert emm1.Embeddings(folder).ids_path is None
    for i, part in enumerate(np.array_split(ids, [0, 5, 6, 6])):
        np.save(folder / f"part-{i:03}.ids.npy", part)
    e = emm1.Embeddings(folder)
    assert (e.ids == ids).all()
    assert e.ids_path == folder
    np.save(folder / "part-001.ids.npy", ids[:6])
    with pytest.raises(emm1.EmbeddingError, match=r"part-001.ids.npy: 6 ids for the 5 rows of .*part-001.npy"):
        emm1.Embeddings(folder)
    (folder / "part-001.ids.npy").unlink()
    with pytest.raises(emm1.FileNotFoundError, match=r"part-001.ids.npy"):
        emm1.Embeddings(folder)


def test_a_tensor_is_chosen_by_name(tmp_path: Path) -> None:
    write_named(tmp_path, vectors("float32"))
    with pytest.raises(emm1.EmbeddingError, match=r"several tensors of 2 dimensions.*b#v, first"):
        emm1.Embeddings(tmp_path / "a.safetensors")
    with pytest.raises(emm1.EmbeddingError, match=r"no tensor is called 'x'.*b#v, first"):
        emm1.Embeddings(tmp_path / "a.safetensors#x")
    save_file({"d": np.zeros((2, 2))}, tmp_path / "d.safetensors")
    with pytest.raises(emm1.EmbeddingError, match="'d' is of type F64, expected F32, F16, BF16 or I8"):
        emm1.Embeddings(tmp_path / "d.safetensors")


@pytest.mark.parametrize(("write", "dtype"), OF_FLOATS)
def test_wrong_rows_and_cut_files_are_named(
    tmp_path: Path, write: Callable[[Path, NDArray[np.generic]], str], dtype: str
) -> None:
    rows = vectors(dtype)
    rows[17, 3] = np.nan
    e = emm1.Embeddings(tmp_path / write(tmp_path, rows))
    with pytest.raises(emm1.EmbeddingError, match="row 17 "):
        e.search(rows[0].astype(np.float32))
    assert (e.vectors([16]) == rows[16]).all()
    last = e.files[-1]
    os.truncate(last, last.stat().st_size - 1)
    with pytest.raises(emm1.EmbeddingError, match=f"{last.name}: was cut short since it was opened"):
        e.vectors([0])
    with pytest.raises(emm1.EmbeddingError, match="cut short"):
        emm1.Embeddings(e.path)


def test_a_store_registers_every_format(tree: Path, tmp_path: Path) -> None:
    rows = np.load(tree / "embeddings/image.npy")
    folder = tmp_path / write_shards(tmp_path, rows)
    write_named(tmp_path, rows)
    with emm1.build(tree, tmp_path / "emm1.duckdb") as store:
        for name, file in (("shards", folder), ("tensor", tmp_path / "a.safetensors#b#v")):
            store.add_embeddings(name, file, dataset="100m", modality="image")
            assert store.nearest(name, rows[5], k=1).fetchall() == [(1, 5, 1.0)]
            assert store.nearest(name, rows[5], k=1).fetchall() == [(1, 5, 1.0)]
        sizes = dict(store.sql("SELECT name, bytes FROM embeddings").fetchall())
        assert sizes["shards"] == sum(file.stat().st_size for file in folder.glob("*.npy"))
        assert sizes["tensor"] == (tmp_path / "a.safetensors").stat().st_size
