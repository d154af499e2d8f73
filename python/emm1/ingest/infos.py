"""Load a file of infos the fast way: parsed natively, in two passes, the first for the values of the ENUMs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from emm1.dataset import KEYS, MODALITIES_OF
from emm1.ingest.plain import ROW_GROUP, Batches, Kind, NotPlainError, insert, read_records, schema_of, to_arrow
from emm1.ingest.provenance import Fingerprint, Read
from emm1.ingest.tables import read_header

if TYPE_CHECKING:
    from emm1.ingest.sources import Source
    from emm1.ingest.tables import Loader

# The concepts that have an ENUM each, which is called like its columns.
SYMBOLS = ("source_dataset", "dataset_license", "save_folder")
# Bytes of a file that are searched for their values at a time: few enough to stay in the cache.
SEARCHED = 4_000_000
KINDS: Mapping[str, Kind] = {"INTEGER": "integer", "DOUBLE": "number"}


def find_symbols(sources: Iterable[Source]) -> dict[str, list[str]] | None:
    """The values of each concept that has an ENUM, sorted, over all info files; None where a file is not plain."""
    infos = [source for source in sources if _is_info(source)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_symbols_of, infos))
    values: dict[str, set[str]] = {name: set() for name in SYMBOLS}
    for symbols in found:
        if symbols is None:
            return None
        for name, more in symbols.items():
            values[name].update(more)
    return {name: sorted(some) for name, some in values.items()}


def _is_info(source: Source) -> bool:
    return source.table in MODALITIES_OF[source.split]


def _symbols_of(source: Source) -> dict[str, list[str]] | None:
    header = read_header(source.path)
    names = [name for name in header if name in SYMBOLS]
    symbols: list[list[str]] = [[] for _ in names]
    kinds: list[Kind] = ["symbol" if name in SYMBOLS else "skipped" for name in header]
    try:
        for _ in read_records(source.path, kinds, symbols, most=2**31, held=SEARCHED):
            pass
    except NotPlainError:
        return None
    return dict(zip(names, symbols, strict=True))


def load_info(
    connection: duckdb.DuckDBPyConnection, loader: Loader, source: Source, values: Mapping[str, list[str]]
) -> Read | None:
    """Append a file of infos that is plain and whose ids ascend.

    Args:
        connection: of the store.
        loader: knows its tables.
        source: the file.
        values: of each concept that has an ENUM, in its order.

    Returns:
        What the file is; None, and nothing is appended, where anything is otherwise: the general loader then reads
        the file, and says what is wrong if it is.
    """
    if not _is_info(source):
        return None
    names = loader.columns(source)
    declared = loader.declared[source.schema, source.table]
    kinds: list[Kind] = ["symbol" if name in SYMBOLS else KINDS.get(declared.get(name, ""), "text") for name in names]
    key = names.index(KEYS[source.split, source.table])
    schema = schema_of(names, kinds)
    lists = [values[name] for name in names if name in SYMBOLS]
    digest = hashlib.sha256()
    batches = _batches(source, schema, kinds, key, lists, digest)
    rows = insert(connection, f"{source.schema}.{source.table}", schema, batches)
    return None if rows is None else Read(rows, Fingerprint.of(source, digest.hexdigest()))


def _batches(
    source: Source, schema: pa.Schema, kinds: list[Kind], key: int, values: list[list[str]], digest: hashlib._Hash
) -> Batches:
    symbols = [list(some) for some in values]
    arrays = [pa.array(some, pa.string()) for some in values]
    last = -1
    for columns, rows in read_records(source.path, kinds, symbols, most=ROW_GROUP, digest=digest):
        (ids,), valid = columns[key]
        if valid is not None or ids[0] <= last or not (ids[1:] > ids[:-1]).all() or symbols != values:
            raise NotPlainError
        last = int(ids[-1])
        yield to_arrow(columns, rows, schema, arrays)
