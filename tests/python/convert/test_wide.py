"""Vectors with a column for each component, and columns within structs, against the array from which they were written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from pyarrow import feather

import emm1
from emm1.convert.input_file import BLOCK

ROWS, DIMS = BLOCK + 300, 12
Write = Callable[[Path, pa.Table], Path]


def rows_of(dtype: str = "float32") -> NDArray[Any]:
    return np.abs(np.random.default_rng(8).normal(size=(ROWS, DIMS)) * 30).astype(dtype)


def table(rows: NDArray[Any], names: list[str], order: list[int] | None = None) -> pa.Table:
    """Columns in an order of their own, between the ids and a column that is no vector."""
    order = order if order is not None else list(np.random.default_rng(9).permutation(rows.shape[1]))
    columns = {names[j]: rows[:, j] for j in order}
    return pa.table({"id": np.arange(len(rows))[::-1], **columns, "take2": np.zeros(len(rows))})


def parquet(folder: Path, columns: pa.Table) -> Path:
    pq.write_table(columns, folder / "a.parquet", row_group_size=999)
    return folder / "a.parquet"


def arrow(folder: Path, columns: pa.Table) -> Path:
    feather.write_feather(columns, folder / "a.feather", chunksize=1000)
    return folder / "a.feather"


def stream(folder: Path, columns: pa.Table) -> Path:
    with pa.ipc.new_stream(folder / "a.arrows", columns.schema) as writer:
        writer.write_table(columns)  # one batch, longer than a block
    return folder / "a.arrows"


def lance(folder: Path, columns: pa.Table) -> Path:
    pytest.importorskip("lance").write_dataset(columns, folder / "a.lance", max_rows_per_file=1500)
    return folder / "a.lance"


WRITERS: list[Write] = [parquet, arrow, stream, lance]
NAMINGS = {
    "ebind": [f"ebind_{j:04}" for j in range(DIMS)],
    "from one, without zeros": [f"dim{j + 1}" for j in range(DIMS)],
    "nothing but numbers": [str(j) for j in range(DIMS)],
    "a prefix that ends with digits": [f"v2_{j:02}" for j in range(DIMS)],
}


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("naming", NAMINGS)
def test_components_are_in_the_order_of_their_numbers(tmp_path: Path, write: Write, naming: str) -> None:
    rows = rows_of()
    source = write(tmp_path, table(rows, NAMINGS[naming]))
    made = emm1.import_embeddings(source, tmp_path / "b.npy", key="id")
    assert np.array_equal(np.load(tmp_path / "b.npy"), rows)
    assert np.array_equal(made.ids, np.arange(ROWS)[::-1])


@pytest.mark.parametrize("name", ["ebind", "ebind_", "ebind_*", None])
def test_what_wide_vectors_are_called(tmp_path: Path, name: str | None) -> None:
    rows = rows_of()
    source = parquet(tmp_path, table(rows, NAMINGS["ebind"]))
    assert np.array_equal(emm1.import_embeddings(source, tmp_path / "b.npy", vector=name)[:], rows)


@pytest.mark.parametrize(
    ("kinds", "written", "said"),
    [
        (["float16"], "float16", None),
        (["float16", "float32"], "float32", None),
        (["float64"], "float32", "float64 was rounded"),
        (["float32", "float64"], "float32", "float64 was rounded"),
        (["uint8"], "float16", "uint8 was widened"),
        (["int8"], "int8", None),
    ],
)
@pytest.mark.filterwarnings("ignore:(float64|uint8) was")
def test_types_of_components(tmp_path: Path, kinds: list[str], written: str, said: str | None) -> None:
    rows = rows_of("uint8" if kinds == ["uint8"] else "int8" if kinds == ["int8"] else "float16").astype("float64")
    columns = {f"e_{j}": rows[:, j].astype(kinds[j % len(kinds)]) for j in range(DIMS)}
    source = parquet(tmp_path, pa.table(columns))
    if said:
        with pytest.warns(UserWarning, match=said):
            emm1.import_embeddings(source, tmp_path / "a.npy")
    made = emm1.import_embeddings(source, tmp_path / "b.npy")
    assert made.dtype == np.dtype(written)
    assert np.array_equal(made[:], rows)


def broken(change: Callable[[dict[str, Any]], object]) -> pa.Table:
    columns: dict[str, Any] = {f"e_{j:02}": list(map(float, rows_of()[:, j])) for j in range(DIMS)}
    change(columns)
    return pa.table(columns)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("e_03"), r"of the columns e_\*, number 3 is missing \(the next is 'e_04'\)"),
        (lambda c: (c.pop("e_00"), c.pop("e_01")), r"number 1 is missing \(the next is 'e_02'\)"),
        (lambda c: c.update({"e_3": c["e_03"]}), r"columns 'e_03' and 'e_3' would be the same component"),
        (
            lambda c: c.update({"e_12": ["x"] * ROWS}),
            r"column 'e_12' holds string, but it is one of the 13 columns e_\*",
        ),
        (lambda c: c.update({"e_12": [1] * ROWS}), r"column 'e_12' holds int64"),
        (lambda c: c["e_05"].__setitem__(BLOCK + 7, None), rf"row {BLOCK + 7} of 'e_05' is null"),
        (lambda c: c["e_05"].__setitem__(BLOCK + 7, np.nan), rf"row {BLOCK + 7} of 'e_\*' holds NaN"),
        (lambda c: c.update({f"f_{j}": c["e_00"] for j in range(2)}), r"name one of them \(e_\*, f_\*\)"),
    ],
)
def test_columns_that_are_wrong_are_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    source = parquet(tmp_path, broken(change))
    with pytest.raises(emm1.EmbeddingError, match=words):
        emm1.import_embeddings(source, tmp_path / "b.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_signed_and_unsigned_bytes_are_not_mixed(tmp_path: Path) -> None:
    source = parquet(tmp_path, pa.table({"e0": np.ones(3, np.int8), "e1": np.ones(3, np.uint8)}))
    with pytest.raises(emm1.EmbeddingError, match=r"mix types: 2 columns of int8 and uint8"):
        emm1.import_embeddings(source, tmp_path / "b.npy")


def test_messages_do_not_list_a_thousand_columns(tmp_path: Path) -> None:
    source = parquet(tmp_path, table(np.ones((2, 1024), np.float32), [f"ebind_{j:04}" for j in range(1024)]))
    with pytest.raises(emm1.EmbeddingError, match=r"has no column 'x': it has id, take2, ebind_\*$"):
        emm1.import_embeddings(source, tmp_path / "b.npy", key="x")
    with pytest.raises(emm1.EmbeddingError, match=r"column 'id' holds int64, expected vectors"):
        emm1.import_embeddings(source, tmp_path / "b.npy", vector="id")


def test_a_list_is_meant_before_columns_that_are_numbered(tmp_path: Path) -> None:
    rows = rows_of()[:5]
    columns = table(rows + 1, NAMINGS["ebind"]).append_column("v", pa.array(list(rows)))
    assert np.array_equal(emm1.import_embeddings(parquet(tmp_path, columns), tmp_path / "b.npy")[:], rows)
    made = emm1.import_embeddings(tmp_path / "a.parquet", tmp_path / "c.npy", vector="ebind")
    assert np.array_equal(made[:], rows + 1)


@pytest.mark.parametrize("write", WRITERS)
def test_fields_of_structs_are_columns(tmp_path: Path, write: Write) -> None:
    rows = rows_of()
    components = pa.StructArray.from_arrays([rows[:, j] for j in range(DIMS)], [f"e{j}" for j in range(DIMS)])
    item = pa.StructArray.from_arrays([pa.array(np.arange(ROWS) * 2), pa.array(["x"] * ROWS)], ["id", "note"])
    source = write(tmp_path, pa.table({"item": item, "out": components}))
    made = emm1.import_embeddings(source, tmp_path / "b.npy", key="item.id")
    assert np.array_equal(made[:], rows)
    assert np.array_equal(made.ids, np.arange(ROWS) * 2)
    for name in ("out", "out.e"):
        assert np.array_equal(emm1.import_embeddings(source, tmp_path / f"{name}.npy", vector=name)[:], rows)
    with pytest.raises(emm1.EmbeddingError, match=r"has no column 'item': it has item\.id, item\.note, out\.e\*"):
        emm1.import_embeddings(source, tmp_path / "c.npy", vector="item")


@pytest.mark.parametrize("write", WRITERS)
def test_a_list_in_a_struct_of_a_struct(tmp_path: Path, write: Write) -> None:
    rows = rows_of()
    lists = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), DIMS)
    inner = pa.StructArray.from_arrays([lists], ["vector"])
    source = write(tmp_path, pa.table({"a": pa.StructArray.from_arrays([inner], ["b"])}))
    assert np.array_equal(emm1.import_embeddings(source, tmp_path / "b.npy")[:], rows)


def test_a_struct_that_is_null_is_named(tmp_path: Path) -> None:
    values: list[Any] = [{"e0": 1.0, "e1": 2.0}] * 9
    values[4] = None
    source = parquet(tmp_path, pa.table({"out": values}))
    with pytest.raises(emm1.EmbeddingError, match=r"row 4 of 'out\.e0' is null"):
        emm1.import_embeddings(source, tmp_path / "b.npy")


def test_duckdb_writes_lists_arrays_and_structs_that_are_read(tmp_path: Path) -> None:
    query = """
        SELECT i AS id, [i, i + 1, i + 2]::FLOAT[] AS list, [i, i + 1, i + 2]::FLOAT[3] AS fixed,
               {{'e0': i::FLOAT, 'e1': (i + 1)::FLOAT, 'e2': (i + 2)::FLOAT}} AS struct
        FROM range(10) t(i)
    """
    duckdb.sql(f"COPY ({query.replace('{{', '{').replace('}}', '}')}) TO '{tmp_path / 'a.parquet'}'")
    expected = np.arange(10, dtype=np.float32)[:, None] + [0, 1, 2]
    for name in ("list", "fixed", "struct.e"):
        made = emm1.import_embeddings(tmp_path / "a.parquet", tmp_path / f"{name}.npy", vector=name, key="id")
        assert np.array_equal(made[:], expected)


def test_names_of_columns_may_hold_dots(tmp_path: Path) -> None:
    rows = rows_of()[:4]
    columns = {f"model.v1.{j}": rows[:, j] for j in range(DIMS)}
    source = parquet(tmp_path, pa.table({"a.id": [4, 3, 2, 1], **columns}))
    made = emm1.import_embeddings(source, tmp_path / "b.npy", key="a.id", vector="model.v1")
    assert np.array_equal(made[:], rows)
    assert made.ids.tolist() == [4, 3, 2, 1]
