"""Read a file of items natively, in two passes: the first finds the values of the ENUMs, the second appends the rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from emm1.dataset import KEYS, MODALITIES_OF
from emm1.ingest.columns import Column
from emm1.ingest.enums import ITEM_ENUMS
from emm1.ingest.fingerprint import Digest, Fingerprint
from emm1.ingest.readers.contract import NewStore, ReadResult
from emm1.ingest.readers.native import (
    ROW_GROUP,
    Batches,
    FieldType,
    UnsupportedFileError,
    insert,
    read_records,
    schema_of,
    to_arrow,
)
from emm1.ingest.sources import Source

# Bytes searched for values at a time: few enough to stay in the cache.
SEARCHED = 4_000_000
FIELD_TYPES: Mapping[str, FieldType] = {"INTEGER": "integer", "DOUBLE": "number"}


def find_enum_values(sources: Iterable[Source], columns: Mapping[str, Sequence[Column]]) -> dict[str, list[str]] | None:
    """The sorted values of each ENUM in all files of items.

    Args:
        sources: all source files; those that are not files of items are ignored.
        columns: the columns of each CSV file, by its published name.

    Returns:
        The values by ENUM; None if a file cannot be read natively.
    """
    infos = [source for source in sources if source.table in MODALITIES_OF[source.split]]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda source: _values_in(source, columns[source.name]), infos))
    values: dict[str, set[str]] = {name: set() for name in ITEM_ENUMS}
    for more in found:
        if more is None:
            return None
        for name, some in more.items():
            values[name].update(some)
    return {name: sorted(some) for name, some in values.items()}


def _values_in(source: Source, columns: Sequence[Column]) -> dict[str, list[str]] | None:
    names = [column.name for column in columns if column.enum]
    symbols: list[list[str]] = [[] for _ in names]
    types: list[FieldType] = ["symbol" if column.enum else "skipped" for column in columns]
    try:
        for _ in read_records(source.path, types, symbols, most=2**31, held=SEARCHED):
            pass
    except UnsupportedFileError:
        return None
    return dict(zip(names, symbols, strict=True))


def read_info(new_store: NewStore, sources: Sequence[Source]) -> list[ReadResult] | None:
    """Append a file of items whose ids ascend, if the ENUMs exist.

    Returns:
        The result; None, with nothing appended, if the ids do not ascend or the file is unusual in another way.
    """
    if new_store.enums is None:
        return None
    (source,) = sources
    digest = new_store.begin(source)
    columns = new_store.columns[source.name]
    values = [new_store.enums[column.name] for column in columns if column.enum]
    schema = schema_of([column.name for column in columns], [_field_type(column) for column in columns])
    batches = _batches(source, columns, schema, values, digest)
    rows = insert(new_store.connection, f"{source.schema}.{source.table}", schema, batches)
    return None if rows is None else [ReadResult(rows, Fingerprint.of(source, digest))]


def _field_type(column: Column) -> FieldType:
    return "symbol" if column.enum else FIELD_TYPES.get(column.expected.type, "text")


def _batches(
    source: Source, columns: Sequence[Column], schema: pa.Schema, values: list[list[str]], digest: Digest
) -> Batches:
    types = [_field_type(column) for column in columns]
    key = schema.names.index(KEYS[source.split, source.table])
    symbols = [list(some) for some in values]
    arrays = [pa.array(some, pa.string()) for some in values]
    last = -1
    for found, rows in read_records(source.path, types, symbols, most=ROW_GROUP, digest=digest):
        (ids,), valid = found[key]
        if valid is not None or ids[0] <= last or not (ids[1:] > ids[:-1]).all() or symbols != values:
            raise UnsupportedFileError
        last = int(ids[-1])
        yield to_arrow(found, rows, schema, arrays)
