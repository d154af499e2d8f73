"""Queries and ids as they come: from Polars, Arrow, pandas, PyTorch, DuckDB and Python itself."""

from __future__ import annotations

import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import ml_dtypes
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import emm1
from emm1.arguments import as_ids, as_vectors

MANY: list[list[float]] = [[0.5, -1.25, 3.0], [2.0, 0.0, -0.1], [1.0, 1.0, 1e-30]]
WIDE = np.array(MANY)
ONE = MANY[1]


def relation(rows: list[Any]) -> duckdb.DuckDBPyRelation:
    return duckdb.sql("SELECT unnest($rows::DOUBLE[][]) AS vector", params={"rows": rows})  # type: ignore[return-value]


FORMS: dict[str, Callable[[], Any]] = {
    "list": lambda: MANY,
    "tuples": lambda: tuple(map(tuple, MANY)),
    "list of arrays": lambda: [np.array(row) for row in MANY],
    "list of lists and arrays": lambda: [MANY[0], np.array(MANY[1]), tuple(MANY[2])],
    "array of objects": lambda: np.array(MANY, dtype=object),
    "array of lists": lambda: pl.Series(MANY).to_numpy(),
    "memoryview": lambda: memoryview(WIDE),  # type: ignore[arg-type]
    "list of arrays of the standard library": lambda: [array.array("d", row) for row in MANY],
    "Polars List": lambda: pl.Series(MANY),
    "Polars Array": lambda: pl.Series(MANY, dtype=pl.Array(pl.Float64, 3)),
    "Polars List of float32": lambda: pl.Series(MANY, dtype=pl.List(pl.Float32)),
    "Polars frame of one column": lambda: pl.DataFrame({"vector": MANY}),
    "Polars frame of numbers": lambda: pl.DataFrame(WIDE),
    "Polars chunks": lambda: pl.concat([pl.Series(MANY[:1]), pl.Series(MANY[1:])], rechunk=False),
    "Polars slice": lambda: pl.Series([[9.0], *MANY, [8.0]])[1:4],
    "Arrow list": lambda: pa.array(MANY),
    "Arrow large list": lambda: pa.array(MANY, pa.large_list(pa.float64())),
    "Arrow fixed-size list": lambda: pa.array(MANY, pa.list_(pa.float64(), 3)),
    "Arrow list view": lambda: pa.array(MANY, pa.list_view(pa.float64())),
    "Arrow slice": lambda: pa.array([[7.0] * 3, *MANY], pa.list_(pa.float64(), 3))[1:],
    "Arrow chunks": lambda: pa.chunked_array([MANY[:2], MANY[2:]]),
    "Arrow table": lambda: pa.table({"vector": MANY}),
    "Arrow record batch": lambda: pa.RecordBatch.from_pydict({"vector": MANY}),
    "Arrow scalars": lambda: list(pa.array(MANY)),
    "DuckDB relation": lambda: relation(MANY),
    "DuckDB rows": lambda: relation(MANY).fetchall(),
    "DuckDB rows of ARRAY": lambda: relation(MANY).select("vector::DOUBLE[3]").fetchall(),
    "DuckDB to NumPy": lambda: relation(MANY).fetchnumpy()["vector"],
}
SINGLE: dict[str, Callable[[], Any]] = {
    "list": lambda: ONE,
    "array.array": lambda: array.array("d", ONE),
    "memoryview": lambda: memoryview(array.array("d", ONE)),
    "Polars": lambda: pl.Series(ONE),
    "Polars row": lambda: pl.Series(MANY)[1],
    "Arrow": lambda: pa.array(ONE),
    "Arrow scalar": lambda: pa.array(MANY)[1],
    "Arrow scalar of a fixed-size list": lambda: pa.array(MANY, pa.list_(pa.float32(), 3))[1],
    "Arrow numbers": lambda: [pa.scalar(number) for number in ONE],
    "DuckDB value": lambda: relation(MANY).fetchall()[1][0],
}


@pytest.mark.parametrize("form", FORMS)
def test_several_queries(form: str) -> None:
    found = as_vectors(FORMS[form]())
    assert found.dtype == np.float32
    assert found.tolist() == WIDE.astype(np.float32).tolist()


@pytest.mark.parametrize("form", SINGLE)
def test_one_query(form: str) -> None:
    assert as_vectors(SINGLE[form]()).tolist() == WIDE[1].astype(np.float32).tolist()


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no vector": (lambda: [ONE, None], "the query has a null in row 1"),
    "no vector in Polars": (lambda: pl.Series([ONE, None]), "the query has a null in row 1"),
    "no vector in a Polars Array": (
        lambda: pl.Series([ONE, None], dtype=pl.Array(pl.Float32, 3)),
        "the query has a null in row 1",
    ),
    "no vector in Arrow": (lambda: pa.array([None, ONE]), "the query has a null in row 0"),
    "no vector in chunks": (lambda: pa.chunked_array([[ONE], [ONE, None]]), "the query has a null in row 2"),
    "no vector in DuckDB": (lambda: relation([ONE, None]), "the query has a null in row 1"),
    "no vector among scalars": (lambda: list(pa.array([ONE, None])), "the query has a null in row 1"),
    "a null": (lambda: pa.scalar(None, pa.list_(pa.float32())), "the query is null"),
    "no component": (lambda: [1.0, None, 2.0], "the query has a null in row 1"),
    "no component in a row": (lambda: [ONE, [1.0, None, 2.0]], "the query has a null in row 1"),
    "no component in Polars": (lambda: pl.Series([1.0, None]), "the query has a null in row 1"),
    "no component in a Polars List": (
        lambda: pl.Series([ONE, [1.0, 2.0, None]]),
        "the query has a null in row 1, component 2",
    ),
    "no component in a fixed-size list": (
        lambda: pa.array([ONE, [None, 2.0, 1.0]], pa.list_(pa.float32(), 3)),
        "the query has a null in row 1, component 0",
    ),
    "no component after a slice": (
        lambda: pa.array([[None], ONE, [3.0, None, 1.0]])[1:],
        "the query has a null in row 1, component 1",
    ),
    "ragged": (lambda: [ONE, ONE, [1.0]], "the query has the length 1 in row 2, but 3 in row 0"),
    "ragged arrays": (lambda: [np.ones(3), np.ones(4)], "the query has the length 4 in row 1, but 3 in row 0"),
    "ragged Polars": (lambda: pl.Series([ONE, [1.0]]), "the query has the length 1 in row 1, but 3 in row 0"),
    "ragged Arrow": (lambda: pa.array([[], ONE]), "the query has the length 3 in row 1, but 0 in row 0"),
    "ragged tensors": (
        lambda: [np.ones((1, 3)), np.ones(3)],
        "the query has the shape (3,) in row 1, but (1, 3) in row 0",
    ),
    "text": (lambda: pl.Series(["a"]), "a query must be numbers"),
    "texts": (lambda: pa.array([["a"], ["b"]]), "a query must be numbers"),
    "dates": (lambda: np.array(["2024-01-01"], "datetime64[D]"), "a query must be numbers"),
    "mapping": (lambda: {"a": 1}, "a query must be numbers"),
    "large": (lambda: pl.Series([1e300]), "a component of the query is too large for float32"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_queries(name: str) -> None:
    given_, message = WRONG[name]
    with pytest.raises(emm1.EmbeddingError) as raised:
        as_vectors(given_())
    assert str(raised.value).startswith(message)


@given(
    st.integers(1, 6).flatmap(
        lambda dim: st.lists(
            st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=dim, max_size=dim),
            min_size=1,
            max_size=5,
        )
    )
)
def test_every_library_gives_the_same_bits(rows: list[list[float]]) -> None:
    expected = np.array(rows, np.float32)
    forms = [
        rows,
        pl.Series(rows, dtype=pl.List(pl.Float64)),
        pl.Series(rows, dtype=pl.Array(pl.Float32, len(rows[0]))),
        pa.array(rows, pa.list_(pa.float32())),
        pa.array(rows, pa.list_(pa.float64(), len(rows[0]))),
        list(pa.array(rows, pa.list_(pa.float64()))),
    ]
    for form in forms:
        assert as_vectors(form).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.uint8, np.bool_, ml_dtypes.bfloat16, np.longdouble, ">f4"])
def test_types_of_numpy(dtype: Any) -> None:
    values: NDArray[Any] = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    assert as_vectors(values).tolist() == [[0, 1, 1], [1, 0, 1]]


IDS: dict[str, Callable[[], Any]] = {
    "range": lambda: range(3, 6),
    "Polars": lambda: pl.Series([3, 4, 5], dtype=pl.UInt16),
    "Polars frame": lambda: pl.DataFrame({"id": [3, 4, 5]}),
    "Arrow": lambda: pa.array([3, 4, 5], pa.int32()),
    "Arrow chunks": lambda: pa.chunked_array([[3], [4, 5]]),
    "array.array": lambda: array.array("q", [3, 4, 5]),
    "objects": lambda: np.array([3, 4, 5], dtype=object),
    "DuckDB relation": lambda: duckdb.sql("SELECT unnest([3, 4, 5]) AS id"),
    "NumPy scalars": lambda: [np.int8(3), np.int64(4), 5],
}


@pytest.mark.parametrize("form", IDS)
def test_ids(form: str) -> None:
    assert as_ids(IDS[form]()).tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    "ids", [[3, None], pl.Series([3, None]), pa.array([3, None]), np.array([3, None], dtype=object)], ids=str
)
def test_ids_without_a_value(ids: Any) -> None:
    with pytest.raises(emm1.EmbeddingError, match="ids has a null in row 1"):
        as_ids(ids)


def test_everything_takes_them(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    e = emm1.Embeddings(tmp_path / "x.npy", ids=pl.Series([10, 20, 30]))
    column, ids = pl.Series([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), pa.array([20, 10])
    assert e.search(column, k=1).ids.tolist() == [[20], [10]]
    assert e.search(column, k=1, among=pl.Series([True, False, False])).ids.tolist() == [[10], [10]]
    assert e.search(column, k=1, among=pa.array([30, 20])).ids.tolist() == [[20], [20]]
    assert e.search(e, k=1).ids.tolist() == [[10], [20], [30]]
    assert e.search(column[:0], k=2).ids.shape == (0, 2)
    assert e.within(column[0], 0.5).ids.tolist() == [20]
    assert e.score(ids, pa.array([0, 1, 0])).tolist() == [1, 0]
    assert e.vectors(ids).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert e.centroid(pl.Series([10, 20])).tolist() == [0.5, 0.5, 0]
    assert e[pl.Series([2, 0])].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert emm1.score_pairs(e, ids, e, pl.Series([20, 30])).tolist() == [1, 0]


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    for column in (
        pd.Series(MANY),
        pd.Series([np.array(row) for row in MANY]),
        pd.Series(MANY, dtype=pd.ArrowDtype(pa.list_(pa.float64()))),
        pd.DataFrame({"vector": MANY})["vector"],
        pd.DataFrame({"id": [1, 2, 3], "vector": MANY}, index=[7, 7, 9])["vector"],
        pd.DataFrame(WIDE),
    ):
        assert as_vectors(column).tolist() == WIDE.astype(np.float32).tolist()
    assert as_vectors(pd.Series(ONE)).tolist() == WIDE[1].astype(np.float32).tolist()
    for missing in (None, float("nan"), pd.NA):
        with pytest.raises(emm1.EmbeddingError, match="row 1"):
            as_vectors(pd.Series([ONE, missing], dtype=object))
    for dtype in ("int64", "Int64", "int32[pyarrow]"):
        assert as_ids(pd.Series([3, 4, 5], dtype=dtype)).tolist() == [3, 4, 5]
    with pytest.raises(emm1.EmbeddingError, match="ids has a null in row 1"):
        as_ids(pd.Series([3, None], dtype="Int64"))


def test_pytorch() -> None:
    torch = pytest.importorskip("torch")
    wide = torch.tensor(MANY, dtype=torch.float64)
    for tensor in (
        wide,
        wide.requires_grad_(),
        wide.float(),
        [*wide],
        [*wide.float().requires_grad_()],
        wide.T.contiguous().T,
    ):
        assert as_vectors(tensor).tolist() == WIDE.astype(np.float32).tolist()
    small = torch.tensor([[0.5, 1.5], [2.0, -1.0]])
    for dtype in (torch.bfloat16, torch.float16):
        assert as_vectors(small.to(dtype)).tolist() == small.tolist()
        assert as_vectors(small.to(dtype)[0]).tolist() == small[0].tolist()
    assert as_ids(torch.tensor([3, 4, 5])).tolist() == [3, 4, 5]
    assert as_vectors(torch.empty((0, 3))).shape == (0, 3)
    for nowhere in (torch.ones(3, device="meta"), torch.eye(3).to_sparse()):
        with pytest.raises(emm1.EmbeddingError, match="the query is a tensor without values in memory"):
            as_vectors(nowhere)
