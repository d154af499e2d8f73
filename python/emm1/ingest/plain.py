"""Files that are plainly what they should be: parsed natively, a block at a time, and streamed into their tables."""

from __future__ import annotations

import hashlib
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

Kind = Literal["integer", "number", "text", "symbol", "skipped"]
# The columns of a block, each its arrays and its bits of validity; what the native parser gives.
Columns = list[tuple[list[NDArray[Any]], NDArray[np.uint8] | None]]
Batches = Iterator[pa.RecordBatch]
TYPES: dict[Kind, pa.DataType] = {
    "integer": pa.int32(),
    "number": pa.float64(),
    "text": pa.string(),
    "symbol": pa.dictionary(pa.uint8(), pa.string()),
}
# Rows that one DuckDB thread compresses at a time.
ROW_GROUP = 122_880
# Bytes held at a time: two or three of the parts that DuckDB compresses at once, whose rows have some 130 bytes.
BUFFER = 40_000_000


class NotPlainError(Exception):
    """A file is not as plain as the fast way needs it: the general loader is to read it, and to say what is wrong."""


def read_records(
    path: Path,
    kinds: list[Kind],
    symbols: list[list[str]],
    most: int,
    held: int = BUFFER,
    digest: hashlib._Hash | None = None,
) -> Iterator[tuple[Columns, int]]:
    """The columns of a file, `most` rows at a time where they fit the buffer, and the number of these rows.

    Args:
        path: the file, whose first line is a header.
        kinds: what its columns are.
        symbols: the values of each column of symbols; gets those that are new.
        most: rows to give at a time.
        held: bytes of the buffer; a row that is longer is not plain.
        digest: gets all bytes of the file.

    Raises:
        NotPlainError: a row is not plainly what the columns are.
    """
    # Not mapped: a file that shrinks under a map ends the process.
    buffer = np.empty(min(held, path.stat().st_size + 1), np.uint8)
    with path.open("rb", buffering=0) as file:
        at, end, digested, wanting, last = 0, 0, 0, True, False
        crlf: bool | None = None
        while not last or at < end:
            if wanting and not last:
                buffer[: end - at] = buffer[at:end]
                at, end, digested = 0, _filled(buffer, end - at, file), 0
                last = end < len(buffer)
            if crlf is None:
                at, crlf = _after_header(buffer[: min(end, 1_000_000)].tobytes())
            parsed = parse_records(buffer[at:end], kinds, crlf, symbols, most, last)
            if parsed is None:
                raise NotPlainError
            columns, found, rows, used = parsed
            if not used and at < end and (last or end - at == len(buffer)):
                raise NotPlainError
            wanting = rows < most or end - at - used < 1.2 * used
            for known, more in zip(symbols, found, strict=True):
                known.extend(more[len(known) :])
            at += used
            if digest:
                digest.update(buffer[digested:at].data)
            digested = at
            if rows:
                yield columns, rows


def _filled(buffer: NDArray[np.uint8], end: int, file: io.FileIO) -> int:
    """Read a file into a buffer from `end` on, until one of them ends; where what it holds ends then."""
    while end < len(buffer) and (count := file.readinto(buffer[end:].data)):
        end += count
    return end


def _after_header(text: bytes) -> tuple[int, bool]:
    """Where the first row begins, and whether lines end in CRLF."""
    header, end, _rest = text.partition(b"\n")
    if b'"' in header or not end:
        raise NotPlainError
    return len(header) + 1, header.endswith(b"\r")


def insert(connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema, batches: Batches) -> int | None:
    """Append batches to a table, by the names of their columns.

    DuckDB's threads take turns to ask for the next batch, and compress theirs at once.

    Returns:
        The number of rows; None where the batches ended in `NotPlainError`, and the table is as it was.
    """
    refused = False

    def plain() -> Batches:
        nonlocal refused
        try:
            yield from batches
        except NotPlainError:
            refused = True
            raise

    connection.register("plain", pa.RecordBatchReader.from_batches(schema, plain()))
    try:
        insert = exp.Insert(this=exp.to_table(table), expression=exp.select("*").from_("plain"), by_name=True)
        inserted = connection.execute(insert.sql("duckdb")).fetchall()
    except duckdb.Error:
        if refused:
            return None
        raise
    finally:
        connection.unregister("plain")
    return int(inserted[0][0])


def schema_of(names: Sequence[str], kinds: Sequence[Kind]) -> pa.Schema:
    """The Arrow types of columns."""
    return pa.schema([(name, TYPES[kind]) for name, kind in zip(names, kinds, strict=True)])


def to_arrow(columns: Columns, rows: int, schema: pa.Schema, symbols: Sequence[pa.Array]) -> pa.RecordBatch:
    """Columns as Arrow arrays that share their memory; each column of symbols with its list."""
    lists = iter(symbols)
    arrays = []
    for kind, (values, valid) in zip(schema.types, columns, strict=True):
        buffers = [None if valid is None else pa.py_buffer(valid), *map(pa.py_buffer, values)]
        if pa.types.is_dictionary(kind):
            places = pa.Array.from_buffers(kind.index_type, rows, buffers)
            arrays.append(pa.DictionaryArray.from_arrays(places, next(lists)))
        else:
            arrays.append(pa.Array.from_buffers(kind, rows, buffers))
    return pa.record_batch(arrays, schema=schema)
