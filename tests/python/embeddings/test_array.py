"""Embeddings as an array: what NumPy gives for the same key of the same array, in every format."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from formats import IN_PIECES, WRITERS, write_fvecs, write_named, write_npy, write_shards
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import emm1
from emm1 import errors

ROWS, DIMS = 23, 7
KEYS: list[Any] = [
    0,
    22,
    -1,
    -23,
    np.int8(3),
    np.array(4),
    slice(None),
    slice(3, 9),
    slice(-5, None),
    slice(20, 2, -3),
    slice(9, 3),
    slice(0, 10**12, 7),
    ...,
    [4, 2, 4, -1],
    np.array([5], np.uint64),
    [],
    np.arange(ROWS) % 3 == 0,
    (3, 4),
    (3, -1),
    (-2, slice(1, 3)),
    (slice(2, 8), 5),
    (slice(2, 8), [0, 6, 0]),
    (slice(None), np.arange(DIMS) > 3),
    ([1, 20], slice(None, None, 2)),
    ([1, 20], 3),
    (3, ...),
    (..., 2),
    (np.arange(ROWS) > 20, -1),
    (4,),
]


def vectors(dtype: str) -> NDArray[Any]:
    return np.random.default_rng(1).integers(0, 100, (ROWS, DIMS)).astype(getattr(ml_dtypes, dtype, dtype))


def same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    return (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


@pytest.mark.parametrize(("write", "dtype"), WRITERS)
def test_keys_of_every_format(tmp_path: Path, write: Callable[[Path, NDArray[Any]], str], dtype: str) -> None:
    rows = vectors(dtype)
    e = emm1.Embeddings(tmp_path / write(tmp_path, rows), ids=range(100, 100 + ROWS))
    assert (e.shape, e.ndim, e.dtype, e.nbytes, len(e)) == (rows.shape, 2, rows.dtype, rows.nbytes, ROWS)
    for key in KEYS:
        found = e[key]
        assert same(np.asarray(found), np.asarray(rows[key])), key
        assert found.ndim == 0 or (found.flags.writeable and found.flags.owndata | (found.base is not None))
    assert all(same(row, expected) for row, expected in zip(e, rows, strict=True))
    assert e.search(e[3], k=1).ids.tolist() == e.search(rows[3].astype(np.float32), k=1).ids.tolist()


@pytest.mark.parametrize(("write", "dtype"), WRITERS)
def test_numpy_asks_for_all(tmp_path: Path, write: Callable[[Path, NDArray[Any]], str], dtype: str) -> None:
    rows = vectors(dtype)
    e = emm1.Embeddings(tmp_path / write(tmp_path, rows))
    assert same(np.asarray(e), rows)
    assert same(np.array(e), rows)
    assert np.array(e).flags.writeable
    assert same(np.asarray(e, dtype=np.float64), rows.astype(np.float64))
    assert same(np.array(e, dtype=np.float32, copy=True), rows.astype(np.float32))
    assert (np.stack([e, e]) == np.stack([rows, rows])).all()
    if write in IN_PIECES:
        with pytest.raises(ValueError, match="without a copy: they are not in one piece"):
            np.asarray(e, copy=False)
    else:
        view = np.asarray(e, copy=False)
        assert same(view, rows)
        assert not view.flags.writeable
        assert not view.flags.owndata
    wide = np.dtype(np.float64)
    with pytest.raises(emm1.EmbeddingError, match=r"without a copy: they are") as raised:
        np.asarray(e, dtype=wide, copy=False)
    assert isinstance(raised.value, ValueError)


def test_a_view_is_of_the_file_that_is_open(tmp_path: Path) -> None:
    """It outlives the embeddings, shows what is written into the file, and not what takes the file's place."""
    file = tmp_path / "x.npy"
    np.save(file, np.ones((2, 3), np.float32))
    e = emm1.Embeddings(file)
    view, row = np.asarray(e), e[0]
    before = os.dup(0)
    views = [np.asarray(e) for _ in range(50)]
    del views
    after = os.dup(0)
    assert after <= before + 2  # the lowest free descriptor: none is left open
    os.close(before)
    os.close(after)
    np.load(file, mmap_mode="r+")[0, 1] = 5
    assert (view[0].tolist(), e[0].tolist(), row.tolist()) == ([1, 5, 1], [1, 5, 1], [1, 1, 1])
    np.save(tmp_path / "y.npy", np.zeros((4, 3), np.float32))
    (tmp_path / "y.npy").replace(file)
    assert (e[0].tolist(), np.asarray(e).shape, e.shape) == ([1, 5, 1], (2, 3), (2, 3))
    del e
    assert view[0].tolist() == [1, 5, 1]


def test_a_file_that_shrank_is_an_error(tmp_path: Path) -> None:
    for name, write in (("a", write_npy), ("b", write_shards)):
        (tmp_path / name).mkdir()
        e = emm1.Embeddings(tmp_path / name / write(tmp_path / name, vectors("float32")))
        os.truncate(e.files[-1], 200)
        for ask in (lambda e=e: e[0], lambda e=e: e[:], lambda e=e: list(e), lambda e=e: np.asarray(e)):
            with pytest.raises(emm1.EmbeddingError, match="was cut short"):
                ask()


def test_a_damaged_row_of_fvecs_is_an_error(tmp_path: Path) -> None:
    e = emm1.Embeddings(tmp_path / write_fvecs(tmp_path, vectors("float32")))
    with (tmp_path / "a.fvecs").open("r+b") as file:
        file.seek(5 * (DIMS + 1) * 4)
        file.write(b"\x03")
    assert e[4].shape == (DIMS,)
    for ask in (e.__getitem__, lambda _row: np.asarray(e)):
        with pytest.raises(emm1.EmbeddingError, match="row 5"):
            ask(5)


WRONG: list[tuple[Any, type[Exception], str]] = [
    (23, IndexError, "x.npy has no row 23: it has 23 rows"),
    (-24, IndexError, "x.npy has no row -24"),
    ([0, 23], IndexError, "x.npy has no row 23"),
    (10**30, IndexError, "x.npy has no row 10000"),
    ([10**30], errors.EmbeddingError, "does not fit"),
    (np.ones(22, bool), IndexError, "a mask for 23 rows has the shape"),
    (True, IndexError, "a mask for 23 rows has the shape"),
    ((0, 0, 0), IndexError, "2 dimensions, rows and components, not 3"),
    ((0, 7), IndexError, "x.npy has 7 components"),
    (([1, 2], [1, 2]), errors.EmbeddingError, "take the rows first"),
    (1.0, errors.EmbeddingError, "rows must be a list of integers"),
    (None, errors.EmbeddingError, "rows must be a list of integers"),
    ("a", errors.EmbeddingError, "rows must be a list of integers"),
    ([[1, 2]], errors.EmbeddingError, "rows must be a list of integers"),
    ([1, None], errors.EmbeddingError, "rows has a null in row 1"),
]


@pytest.mark.parametrize(("key", "kind", "message"), WRONG)
def test_wrong_keys(tmp_path: Path, key: Any, kind: type[Exception], message: str) -> None:
    np.save(tmp_path / "x.npy", vectors("float32"))
    e = emm1.Embeddings(tmp_path / "x.npy")
    with pytest.raises(kind, match=message) as raised:
        e[key]
    assert isinstance(raised.value, emm1.Error)


def test_no_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.empty((0, 4), np.float16))
    e = emm1.Embeddings(tmp_path / "x.npy")
    assert (e[:].shape, np.asarray(e).shape, list(e), e[[]].shape, bool(e)) == ((0, 4), (0, 4), [], (0, 4), False)
    with pytest.raises(errors.IndexError, match="no row 0"):
        e[0]


def test_rows_are_read_in_bounded_pieces(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(3000, 300)).astype(np.float32)
    np.save(tmp_path / "x.npy", rows)
    bases = set()
    for row, expected in zip(emm1.Embeddings(tmp_path / "x.npy"), rows, strict=True):
        assert same(row, expected)
        bases.add(row.base.nbytes if row.base is not None else 0)
    assert max(bases) < 2 * 2**20


@given(st.data())
def test_any_key(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    rows = np.arange(60, dtype=np.float32).reshape(12, 5)
    folder = tmp_path_factory.getbasetemp() / "any-key"
    folder.mkdir(exist_ok=True)
    if not (folder / "shards").exists():
        write_shards(folder, rows)
    e = emm1.Embeddings(folder / "shards")
    whole = st.integers(-14, 14)
    one = st.one_of(
        whole, st.slices(12), st.lists(whole, max_size=5), st.lists(st.booleans(), min_size=12, max_size=12)
    )
    key = data.draw(st.one_of(one, st.tuples(one, st.one_of(whole, st.slices(5)))))
    try:
        expected = rows[key]
    except IndexError:
        with pytest.raises(errors.IndexError):
            e[key]
    else:
        assert same(np.asarray(e[key]), np.asarray(expected))


def test_membership_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", vectors("float32"))
    e = emm1.Embeddings(tmp_path / "x.npy")
    for value in (3, e[3]):
        with pytest.raises(emm1.EmbeddingError, match=r"`id in E.ids`"):
            value in e  # noqa: B015


def test_notebooks(tmp_path: Path) -> None:
    np.save(tmp_path / "<b>.npy", vectors("float32"))
    e = emm1.Embeddings(tmp_path / "<b>.npy")
    text = e._repr_html_()
    assert "&lt;b&gt;.npy</td>" in text
    assert "<b>" not in text
    assert "<tr><th>shape</th><td>23 × 7</td></tr>" in text
    assert "<tr><th>ids</th><td>the row numbers</td></tr>" in text
    assert "<td>given</td>" in emm1.Embeddings(e.path, ids=range(ROWS))._repr_html_()


def test_pickled_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", vectors("float32"))
    np.save("ids.npy", np.arange(ROWS) + 50)
    write_named(tmp_path, vectors("float16"))
    plain, listed = emm1.Embeddings("x.npy"), emm1.Embeddings("x.npy", ids=np.arange(ROWS) * 2, codes=False)
    named = emm1.Embeddings("a.safetensors#b#v", ids="ids.npy")
    plain.build_codes("elsewhere.codes")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    for e in (plain, listed, named):
        again = pickle.loads(pickle.dumps(e))  # noqa: S301
        assert type(again) is emm1.Embeddings
        assert again.path.is_absolute()
        assert same(again[:], e[:])
        assert again.ids.tolist() == e.ids.tolist()
        assert (again.codes_path and again.codes_path.name) == (e.codes_path and e.codes_path.name)
    assert len(pickle.dumps(plain)) < 1000
    np.save(tmp_path / "x.ids.npy", np.arange(ROWS) + 7)
    assert pickle.loads(pickle.dumps(listed)).ids[1] == 2  # noqa: S301
    data = pickle.dumps(plain)
    (tmp_path / "x.npy").unlink()
    with pytest.raises(emm1.FileNotFoundError, match=r"x\.npy"):
        pickle.loads(data)  # noqa: S301


def test_copies_share_the_open_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", vectors("float32"))
    e = emm1.Embeddings(tmp_path / "x.npy")
    (tmp_path / "x.npy").unlink()
    for again in (copy.copy(e), copy.deepcopy(e), copy.deepcopy([e])[0]):
        assert again is not e
        assert same(again[:], e[:])


def test_hits_as_frames(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", vectors("float32"))
    e = emm1.Embeddings(tmp_path / "x.npy")
    for hits in (e.search(e[:2], k=3), e.search(e[0], k=3), e.search(e[:0], k=3), e.within(e[0], 2.0)):
        frame = hits.pl()
        assert frame.columns == (["query_index"] if hits.ids.ndim == 2 else []) + ["rank", "id", "score"]
        assert frame["id"].to_list() == hits.ids.ravel().tolist()
        assert frame.equals(hits.to_frame())
        assert hits.arrow().to_pydict() == frame.to_dict(as_series=False)
    assert e.search(e[:2], k=2).pl().select("query_index", "rank").rows() == [(0, 1), (0, 2), (1, 1), (1, 2)]
    (neighbours,) = emm1.knn(e, e, k=2)
    assert neighbours.arrow().equals(neighbours.to_arrow())
    assert neighbours.pl().columns == ["query_id", "rank", "id", "score"]


def test_hits_as_pandas(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    np.save(tmp_path / "x.npy", vectors("float32"))
    e = emm1.Embeddings(tmp_path / "x.npy")
    pandas.testing.assert_frame_equal(e.search(e[:2], k=3).df(), e.search(e[:2], k=3).arrow().to_pandas())
