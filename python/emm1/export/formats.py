"""The formats of tables, one class each: a file that takes rows as they come."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from emm1.errors import StoreError

# What CSV has as it is; all else is written as DuckDB shows it.
PLAIN = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string)
PARQUET = {"compression": "zstd", "write_page_index": True}


class Sink(Protocol):
    """A file of rows, open for writing."""

    def write(self, rows: pa.Table) -> None:
        """Add rows; in Parquet and Arrow they become a group of their own."""

    def close(self) -> None:
        """Finish the file."""


class Parquet:
    """A Parquet file."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(file, schema, **PARQUET, **_encodings(schema))

    def write(self, rows: pa.Table) -> None:
        """Add a row group."""
        self._writer.write_table(rows, row_group_size=max(rows.num_rows, 1))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def _encodings(schema: pa.Schema) -> dict[str, Any]:
    """Integers as differences in as few bits as they need: ids hardly repeat, and a dictionary of them takes twice the space."""
    empty = io.BytesIO()
    pq.ParquetWriter(empty, schema).close()
    paths = [column.path for column in pq.ParquetFile(empty).schema]
    integers = [each.name for each in schema if pa.types.is_integer(each.type) and paths.count(each.name) == 1]
    return {
        "use_dictionary": [path for path in paths if path not in integers],
        "column_encoding": dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
    }


class Arrow:
    """An Arrow IPC file."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        self._writer = pa.ipc.new_file(file, schema)

    def write(self, rows: pa.Table) -> None:
        """Add a record batch."""
        self._writer.write_table(rows, max_chunksize=max(rows.num_rows, 1))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class Csv:
    """A CSV file with a header: NULL is empty, a text in quotes, so that an empty one is told from it."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        self._odd = [i for i, field in enumerate(schema) if not any(is_one(field.type) for is_one in PLAIN)]
        for i in self._odd:
            schema = schema.set(i, pa.field(schema.field(i).name, pa.string()))
        self._schema = schema
        self._writer = pa_csv.CSVWriter(file, schema)

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        if self._odd:
            with duckdb.connect() as connection:
                odd = connection.from_arrow(rows.select(self._odd))
                texts = odd.project("COLUMNS(*)::VARCHAR").to_arrow_table()
            for place, i in enumerate(self._odd):
                rows = rows.set_column(i, self._schema.field(i), texts.column(place))
        self._writer.write_table(rows)

    def close(self) -> None:
        """Nothing follows the rows."""
        self._writer.close()


class JsonLines:
    """A file with a JSON object in each line."""

    def __init__(self, file: Any, _schema: pa.Schema) -> None:
        self._file = file

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        with duckdb.connect() as connection:
            given = connection.from_arrow(rows).set_alias("emm1_rows")
            lines = given.project("to_json(emm1_rows)::VARCHAR").fetchall()
        self._file.writelines(line.encode() + b"\n" for (line,) in lines)

    def close(self) -> None:
        """Nothing follows the rows."""


FORMATS: dict[str, type[Parquet | Arrow | Csv | JsonLines]] = {
    "parquet": Parquet,
    "arrow": Arrow,
    "csv": Csv,
    "jsonl": JsonLines,
}


def open_sink(to: str, path: Path | io.BytesIO, schema: pa.Schema) -> tuple[Sink, Any]:
    """A new file of a format, with what has to be closed after it."""
    file = path if isinstance(path, io.BytesIO) else path.open("wb")
    try:
        return FORMATS[to](file, schema), file
    except BaseException:
        file.close()
        raise


def check_schema(to: str, schema: pa.Schema) -> None:
    """Refuse columns that a format cannot hold, before any work.

    Raises:
        emm1.errors.StoreError: names the column and its type.
    """
    for field in schema:
        try:
            alone = pa.schema([field])
            sink, _ = open_sink(to, io.BytesIO(), alone)
            sink.write(alone.empty_table())
            sink.close()
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError, duckdb.Error) as error:
            raise StoreError(
                f"column {field.name!r} is of the type {field.type}, which {to} files cannot hold: cast it, as to VARCHAR"
            ) from error


def without_dictionaries(kind: pa.DataType) -> pa.DataType:
    """A type with texts in place of ENUMs, which not all readers know, at any depth."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(without_dictionaries(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(without_dictionaries(kind.value_type)))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(without_dictionaries(kind.value_type)), kind.list_size)
    if pa.types.is_map(kind):
        return pa.map_(without_dictionaries(kind.key_type), without_dictionaries(kind.item_type))
    return kind
