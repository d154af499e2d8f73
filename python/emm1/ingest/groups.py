"""Load files of groups the fast way: 264 MB of digits each, parsed natively. Others go the general way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import duckdb

from emm1.dataset import GROUP_COLUMNS
from emm1.ingest.plain import ROW_GROUP, Batches, Kind, NotPlainError, insert, read_records, schema_of, to_arrow
from emm1.ingest.provenance import Fingerprint, Read
from emm1.ingest.tables import read_header

if TYPE_CHECKING:
    from emm1.ingest.sources import Source

SCHEMA = schema_of(GROUP_COLUMNS, ["integer"] * len(GROUP_COLUMNS))


def load_groups(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], begun: Callable[[Source], None]
) -> dict[str, Read] | None:
    """Append files of groups, where every field is digits, ranks are the folders' and captions ascend in each file.

    They are appended together: DuckDB's threads wait for each other at the end of a statement.

    Args:
        connection: of the store.
        sources: the files.
        begun: called with each file before it is read, on another thread.

    Returns:
        What each file is, by its published name; None, and nothing is appended, where anything is
        otherwise: the general loader then reads the files, and says what is wrong if it is.
    """
    headers = [read_header(source.path) for source in sources]
    if any(sorted(header) != sorted(GROUP_COLUMNS) for header in headers):
        return None
    read: dict[str, Read] = {}

    def batches() -> Batches:
        for source, header in zip(sources, headers, strict=True):
            begun(source)
            rows, digest = 0, hashlib.sha256()
            for batch in _batches(source, header, digest):
                rows += batch.num_rows
                yield batch
            read[source.name] = Read(rows, Fingerprint.of(source, digest.hexdigest()))

    inserted = insert(connection, "e_mm1_100m.groups", SCHEMA, batches())
    return None if inserted is None else read


def _batches(source: Source, header: list[str], digest: hashlib._Hash) -> Batches:
    last = -1
    kinds: list[Kind] = ["integer"] * len(header)
    places = [header.index(name) for name in GROUP_COLUMNS]
    captions_at, ranks_at = GROUP_COLUMNS.index("encord_text_id"), GROUP_COLUMNS.index("nn_index")
    for found, rows in read_records(source.path, kinds, [], most=ROW_GROUP, digest=digest):
        columns = [found[place] for place in places]
        (captions,), (ranks,) = columns[captions_at][0], columns[ranks_at][0]
        ascending = captions[0] > last and (captions[1:] > captions[:-1]).all()
        whole = all(valid is None for _, valid in columns)
        if not (whole and ascending and (ranks == source.rank).all()):
            raise NotPlainError
        last = int(captions[-1])
        yield to_arrow(columns, rows, SCHEMA, [])
