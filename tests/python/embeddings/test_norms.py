"""The norms of all rows: NumPy's, rounded once, whether they come from the codes or from the rows."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import emm1
from emm1 import _native

TINY = float(np.finfo(np.float32).smallest_subnormal)


def rows_of_all_sizes(dtype: str, count: int = 5_000, dims: int = 33) -> np.ndarray:
    """Rows of norms that differ by many orders, the first of them zero."""
    rng = np.random.default_rng(1)
    if dtype == "int8":
        rows = rng.integers(-128, 128, size=(count, dims)).astype(dtype)
    else:
        rows = (rng.normal(size=(count, dims)) * 10.0 ** rng.uniform(-3, 3, size=(count, 1))).astype(dtype)
    rows[[0, 64, count - 1]] = 0
    return rows


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_like_numpy_from_codes_and_from_rows(dtype: str, tmp_path: Path) -> None:
    rows = rows_of_all_sizes(dtype)
    np.save(path := tmp_path / "x.npy", rows)
    expected = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1)).astype(np.float32)
    heard: list[int] = []
    plain = _native.EmbeddingFile(path).norms(2, heard.append)
    codes = emm1.Embeddings(path).build_codes()
    coded = _native.EmbeddingFile(path, codes_path=codes).norms(2, heard.append)
    assert (plain.dtype.name, len(plain)) == ("float32", len(rows))
    # The order of a sum is another in NumPy: at most the last bit differs.
    assert np.array_equal(plain == 0, expected == 0)
    np.testing.assert_allclose(plain, expected, rtol=2e-7)
    assert coded.tobytes() == plain.tobytes()
    assert heard.count(len(rows)) >= 2


def test_the_smallest_and_the_largest_rows(tmp_path: Path) -> None:
    rows = np.zeros((4, 2), np.float32)
    rows[1, 0] = TINY
    rows[2] = 1e38
    rows[3] = 3.4e38  # its norm is beyond float32
    np.save(path := tmp_path / "x.npy", rows)
    expected = np.array([0, TINY, np.hypot(1e38, 1e38), np.inf], np.float32)
    codes = emm1.Embeddings(path).build_codes()
    for place in (None, codes):
        norms = _native.EmbeddingFile(path, codes_path=place).norms(1, lambda _rows: None)
        np.testing.assert_allclose(norms, expected, rtol=2e-7)


def test_damaged_codes_are_not_used(tmp_path: Path) -> None:
    rows = rows_of_all_sizes("float32")
    np.save(path := tmp_path / "x.npy", rows)
    codes = emm1.Embeddings(path).build_codes()
    expected = _native.EmbeddingFile(path).norms(1, lambda _rows: None)
    data = bytearray(codes.read_bytes())
    for at in range(len(data) // 8, len(data), 997):
        data[at] ^= 0xFF
    codes.write_bytes(data)
    found = _native.EmbeddingFile(path, codes_path=codes).norms(1, lambda _rows: None)
    assert found.tobytes() == expected.tobytes()


def test_a_row_that_is_not_finite(tmp_path: Path) -> None:
    rows = rows_of_all_sizes("float32")
    rows[1234, 5] = np.nan
    np.save(path := tmp_path / "x.npy", rows)
    with pytest.raises(emm1.EmbeddingError, match=r"row 1234 \(id 1234\) holds NaN"):
        _native.EmbeddingFile(path).norms(2, lambda _rows: None)


@pytest.mark.parametrize("threads", [1, 2, os.cpu_count() or 1])
def test_progress_rises_to_the_end(threads: int, tmp_path: Path) -> None:
    np.save(path := tmp_path / "x.npy", rows_of_all_sizes("float32", 40_000))
    codes = emm1.Embeddings(path).build_codes()
    file = _native.EmbeddingFile(path, codes_path=codes)
    for work in (
        partial(_native.EmbeddingFile(path).norms, threads),
        partial(file.norms, threads),
        partial(file.verify_codes, threads),
        partial(file.build_codes, tmp_path / "other.codes", threads),
    ):
        heard: list[int] = []
        work(heard.append)
        assert heard == sorted(heard)
        assert heard[-1] == 40_000
