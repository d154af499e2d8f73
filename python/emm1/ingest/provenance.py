"""Where the rows of a store come from: the table ``provenance``, with a row for each source file."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import duckdb

from emm1.ingest.readers.contract import ReadResult

if TYPE_CHECKING:
    from emm1.ingest.sources import Source

# The note of triplets whose columns were switched at build.
SWITCHED = "paired and annotated columns switched at build"
# The size of the older published triplets.csv equals that of the newer; its columns are switched (see docs).
OLDER_TRIPLETS = (
    "triplets.csv is the version of 2025-10-15, whose paired and annotated columns were switched on 2025-10-16: "
    "get the current file, or build with its columns switched"
)


@dataclass(frozen=True)
class ProvenanceRow:
    """A row of provenance, without the name and the path of the file."""

    bytes: int
    sha256: str
    rows: int
    read_at: datetime
    emm1_version: str
    published: str
    note: str | None


def row_of(source: Source, result: ReadResult, *, switched: bool) -> ProvenanceRow:
    """The row of a file that was read just now; `switched` says how the columns of triplets were read."""
    content = result.content
    note = next(iter(result.notes), source.note)
    if source.table == "triplets":
        note = SWITCHED if switched else OLDER_TRIPLETS if content.published == "older" else None
    now = datetime.now(UTC).replace(tzinfo=None)
    return ProvenanceRow(content.bytes, content.sha256, result.rows, now, version("emm1"), content.published, note)


def record(connection: duckdb.DuckDBPyConnection, source: Source, row: ProvenanceRow) -> None:
    """Add the row of a file."""
    connection.execute(
        "INSERT INTO provenance VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [source.name, str(source.path.resolve()), *astuple(row)],
    )


def rows_of(connection: duckdb.DuckDBPyConnection) -> dict[str, ProvenanceRow]:
    """The rows of a store, by the files' published names."""
    rows = connection.execute(
        "SELECT source, bytes, sha256, rows, read_at, emm1_version, published, note FROM provenance"
    ).fetchall()
    return {name: ProvenanceRow(*values) for name, *values in rows}
