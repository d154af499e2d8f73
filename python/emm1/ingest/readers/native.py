"""Parse CSV files natively, a block at a time, and stream them into their tables; unusual files are left to DuckDB."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from emm1._native import parse_records
from emm1.errors import SourceError
from emm1.ingest.content import is_compressed, open_content
from emm1.ingest.fingerprint import Digest

FieldType = Literal["integer", "number", "text", "symbol", "skipped"]
# The columns of a block as the native parser returns them: the arrays and the validity bitmap of each.
Columns = list[tuple[list[NDArray[Any]], NDArray[np.uint8] | None]]
Batches = Iterator[pa.RecordBatch]
ARROW_TYPES: dict[FieldType, pa.DataType] = {
    "integer": pa.int32(),
    "number": pa.float64(),
    "text": pa.string(),
    "symbol": pa.dictionary(pa.uint8(), pa.string()),
}
# Rows that one DuckDB thread compresses at a time.
ROW_GROUP = 122_880
# Bytes in memory at a time: two or three of DuckDB's row groups, at about 130 bytes per row.
BUFFER = 40_000_000


class UnsupportedFileError(Exception):
    """The native parser does not support this file: DuckDB reads it, or reports what is wrong with it."""


def read_records(
    path: Path,
    types: list[FieldType],
    symbols: list[list[str]],
    most: int,
    held: int = BUFFER,
    digest: Digest | None = None,
) -> Iterator[tuple[Columns, int]]:
    """The columns of a file, up to `most` rows at a time if they fit in the buffer, with the number of rows.

    Args:
        path: the file, whose first line is a header.
        types: the types of its fields.
        symbols: the values of each column of symbols; new ones are appended.
        most: the maximum number of rows in a block.
        held: size of the buffer in bytes; longer rows are not supported.
        digest: updated with all bytes of the file.

    Raises:
        UnsupportedFileError: a row is not clearly of these types.
    """
    # Not memory-mapped: the process would be killed if the file shrank.
    buffer = np.empty(held if is_compressed(path) else min(held, path.stat().st_size + 1), np.uint8)
    with open_content(path) as file:
        at, end, digested, wanting, last = 0, 0, 0, True, False
        crlf: bool | None = None
        while not last or at < end:
            if wanting and not last:
                buffer[: end - at] = buffer[at:end]
                at, end, digested = 0, _filled(buffer, end - at, file), 0
                last = end < len(buffer)
            if crlf is None:
                at, crlf = _after_header(buffer[: min(end, 1_000_000)].tobytes())
            parsed = parse_records(buffer[at:end], types, crlf, symbols, most, last)
            if parsed is None:
                raise UnsupportedFileError
            columns, found, rows, used = parsed
            if not used and at < end and (last or end - at == len(buffer)):
                raise UnsupportedFileError
            wanting = rows < most or end - at - used < 1.2 * used
            for known, more in zip(symbols, found, strict=True):
                known.extend(more[len(known) :])
            at += used
            if digest:
                digest.update(buffer[digested:at].data)
            digested = at
            if rows:
                yield columns, rows


def _filled(buffer: NDArray[np.uint8], end: int, file: io.RawIOBase) -> int:
    """Read a file into a buffer from `end` on, until either ends; returns the new end of the data."""
    while end < len(buffer) and (count := file.readinto(buffer[end:].data)):
        end += count
    return end


def _after_header(text: bytes) -> tuple[int, bool]:
    """Where the first row begins, and whether lines end in CRLF."""
    header, end, _rest = text.partition(b"\n")
    if b'"' in header or not end:
        raise UnsupportedFileError
    return len(header) + 1, header.endswith(b"\r")


def insert(connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema, batches: Batches) -> int | None:
    """Append batches to a table, by the names of their columns.

    DuckDB's threads take turns to ask for the next batch, and compress their batches in parallel.

    Returns:
        The number of rows; None, with the table unchanged, if the batches raised `UnsupportedFileError`.

    Raises:
        SourceError: the batches raised it.
    """
    refusal: UnsupportedFileError | SourceError | None = None

    def watched() -> Batches:
        nonlocal refusal
        try:
            yield from batches
        except (UnsupportedFileError, SourceError) as error:
            refusal = error
            raise

    connection.register("batches", pa.RecordBatchReader.from_batches(schema, watched()))
    try:
        insert = exp.Insert(this=exp.to_table(table), expression=exp.select("*").from_("batches"), by_name=True)
        inserted = connection.execute(insert.sql("duckdb")).fetchall()
    except duckdb.Error:
        if isinstance(refusal, SourceError):
            raise refusal from None
        if refusal:
            return None
        raise
    finally:
        connection.unregister("batches")
    return int(inserted[0][0])


def schema_of(names: Sequence[str], types: Sequence[FieldType]) -> pa.Schema:
    """The Arrow types of columns."""
    return pa.schema([(name, ARROW_TYPES[of]) for name, of in zip(names, types, strict=True)])


def to_arrow(columns: Columns, rows: int, schema: pa.Schema, symbols: Sequence[pa.Array]) -> pa.RecordBatch:
    """Columns as Arrow arrays that share their memory; each column of symbols is a dictionary over its list."""
    lists = iter(symbols)
    arrays = []
    for arrow_type, (values, valid) in zip(schema.types, columns, strict=True):
        buffers = [None if valid is None else pa.py_buffer(valid), *map(pa.py_buffer, values)]
        if pa.types.is_dictionary(arrow_type):
            places = pa.Array.from_buffers(arrow_type.index_type, rows, buffers)
            arrays.append(pa.DictionaryArray.from_arrays(places, next(lists)))
        else:
            arrays.append(pa.Array.from_buffers(arrow_type, rows, buffers))
    return pa.record_batch(arrays, schema=schema)
