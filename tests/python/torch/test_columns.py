"""Columns of every type that DuckDB gives come back from the disk as they were."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emm1.errors import Error
from emm1.torch.columns import ColumnWriter, mapped_column

EXPRESSIONS = [
    "(i % 100)::TINYINT",
    "i",
    "i::HUGEINT",
    "i::UBIGINT",
    "(i / 3)::FLOAT",
    "i * 1.5::DECIMAL(30, 4)",
    "i % 2 = 0",
    "CASE WHEN i % 2 = 0 THEN i % 3 = 0 END",
    "CASE WHEN i % 3 > 0 THEN 'päth/' || i END",
    "repeat('x', i % 50)",
    "'\\x00\\xff'::BLOB",
    "CASE WHEN i % 5 > 0 THEN ('a' || i % 3)::ENUM ('a0', 'a1', 'a2', 'never') END",
    "DATE '2020-01-01' + i::INTEGER",
    "TIMESTAMP '2020-01-01' + to_seconds(i)",
    "make_timestamptz(i)",
    "to_days(i::INTEGER)",
    "TIME '10:00'",
    "CASE WHEN i % 4 > 0 THEN list_transform(range(i % 3), lambda x: x::FLOAT) END",
    "[[i::VARCHAR], [], NULL, ['ü', NULL]]",
    "[i, NULL]::DOUBLE[2]",
    "{'a': i, 'b': [{'c': CASE WHEN i % 2 = 0 THEN 'x' END}]}",
    "CASE WHEN i % 2 = 0 THEN {'a': i} END",
    "uuid()",
    "NULL",
]


def through_disk(folder: Path, kind: pa.DataType, arrays: list[pa.Array]) -> pa.Array:
    writer = ColumnWriter(folder / "0", kind)
    for array in arrays:
        writer.append(array)
    writer.finish()
    column = mapped_column(folder / "0", kind, sum(map(len, arrays)))
    column.validate(full=True)
    return column


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("rows", [0, 1, 5_003])
def test_types(tmp_path: Path, expression: str, rows: int) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = connection.sql(f"SELECT {expression} AS it FROM range({rows}) t(i)").to_arrow_table()
    batches = [batch.column(0) for batch in table.to_batches(max_chunksize=1_001)]
    found = through_disk(tmp_path, table.schema.field(0).type, batches)
    want = table["it"].to_pylist()
    assert found.to_pylist() == want
    chosen = np.random.default_rng(0).integers(0, max(rows, 1), 40 if rows else 0)
    assert found.take(pa.array(chosen)).to_pylist() == [want[i] for i in chosen]


@settings(deadline=None)
@given(st.lists(st.lists(st.none() | st.lists(st.none() | st.text(max_size=9), max_size=4), max_size=20), max_size=4))
def test_lists_of_texts(tmp_path_factory: pytest.TempPathFactory, batches: list[list[list[str | None] | None]]) -> None:
    kind = pa.list_(pa.string())
    # Slices, whose buffers begin before their first row.
    arrays = [pa.array([["before"], *batch, None], kind)[1:-1] for batch in batches]
    found = through_disk(tmp_path_factory.mktemp("lists"), kind, arrays)
    assert found.to_pylist() == [row for batch in batches for row in batch]


def test_a_type_that_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(Error, match="value of type map<string, int32> cannot be kept: cast it to VARCHAR"):
        ColumnWriter(tmp_path / "0", pa.map_(pa.string(), pa.int32()))
