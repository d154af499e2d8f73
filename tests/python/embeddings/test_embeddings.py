"""Embeddings against a float64 oracle that adds in the same sixteen lanes (`tests/oracle/reference.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from reference import centroid, scores

import emm1

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from emm1.embeddings.file import Metric


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("dims", [1, 15, 33, 100])
def test_search_equals_the_oracle(tmp_path: Path, metric: Metric, dtype: str, dims: int) -> None:
    random = np.random.default_rng(dims)
    rows = (random.normal(size=(60, dims)) * 5).astype(dtype)
    rows[7], rows[9] = 0, rows[3]
    np.save(tmp_path / "a.npy", rows)
    ids = random.permutation(1000)[:60]
    e = emm1.Embeddings(tmp_path / "a.npy", ids=ids)
    query = random.normal(size=dims).astype(np.float32)
    found = scores(metric, query, rows.astype(np.float32))
    best = sorted(range(60), key=lambda i: (found[i] if metric == "l2" else -found[i], ids[i]))
    for k in (1, 10, 99):
        hits = e.search(query, k, metric, threads=2)
        assert hits.ids.tolist() == [ids[i] for i in best[:k]]
        assert hits.scores.tobytes() == found[best[:k]].tobytes()
    assert e.score(ids, query, metric).tobytes() == found.tobytes()
    among = e.search(query, 5, "dot", among=[*ids[:3], ids[0], -4])
    assert sorted(among.ids) == sorted(ids[:3])
    assert e.search(query, among=[]).ids.shape == (0,)


def test_small_things(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    np.save(tmp_path / "a.npy", rows)
    e = emm1.Embeddings(tmp_path / "a.npy")
    assert (len(e), e.dim, e.dtype) == (20, 8, np.dtype(np.float32))
    assert (e.vectors([3, 1]) == rows[[3, 1]]).all()
    assert (e.centroid([3, 1]) == centroid(rows[[1, 3]])).all()
    assert e.search(rows, k=1).ids[:, 0].tolist() == list(range(20))
    mask = np.arange(20) % 2 == 1
    assert set(e.search(rows[4], k=20, among=mask).ids % 2) == {1}
    with pytest.raises(emm1.EmbeddingError, match="id 77"):
        e.vectors([77])
    with pytest.raises(emm1.EmbeddingError, match="1 components"):
        e.search([1.0])
    with pytest.raises(emm1.EmbeddingError, match="NaN"):
        e.search([np.nan] * 8)
    with pytest.raises(emm1.EmbeddingError, match="too large"):
        e.search([1e300] * 8)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2)), "<f8"),
        (np.zeros((2, 2), dtype=">f4"), "big-endian"),
        (np.asfortranarray(np.zeros((2, 3), dtype=np.float32)), "Fortran"),
        (np.zeros(3, dtype=np.float32), "expected 2"),
        (np.zeros((2, 0), dtype=np.float32), "no components"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, array: NDArray[np.generic], words: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(emm1.EmbeddingError, match=words):
        emm1.Embeddings(tmp_path / "a.npy")


def test_broken_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    rows = np.ones((4, 4), dtype=np.float32)
    rows[2, 1] = np.inf
    np.save(file, rows)
    with pytest.raises(emm1.EmbeddingError, match="row 2 "):
        emm1.Embeddings(file).search([1, 1, 1, 1])
    with pytest.raises(emm1.EmbeddingError, match="id 5 appears twice, in rows 0 and 2"):
        emm1.Embeddings(file, ids=[5, 1, 5, 2])
    with pytest.raises(emm1.EmbeddingError, match="3 ids"):
        emm1.Embeddings(file, ids=[5, 1, 2])
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(emm1.EmbeddingError):
            emm1.Embeddings(file)
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(emm1.EmbeddingError, match="git lfs pull"):
        emm1.Embeddings(file)
    (tmp_path / "a.pt").write_bytes(b"x")
    with pytest.raises(emm1.EmbeddingError, match="emm1 embeddings import"):
        emm1.Embeddings(tmp_path / "a.pt")
    with pytest.raises(emm1.FileNotFoundError):
        emm1.Embeddings(tmp_path / "none.npy")
