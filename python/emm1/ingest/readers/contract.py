"""What a reader is: it appends the rows of published files to the tables of a new store, or leaves them to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from emm1.ingest.columns import Column
from emm1.ingest.fingerprint import Fingerprint
from emm1.ingest.sources import Source


@dataclass(frozen=True)
class NewStore:
    """The store that is being filled.

    Attributes:
        connection: to it; its tables are made, with every column that a file has.
        columns: of each CSV file with a header, by the file's published name.
        enums: the sorted values of each ENUM that is made already; None where they are made when all rows are there.
        begin: to be called with each file before it is read, on any thread.
    """

    connection: duckdb.DuckDBPyConnection
    columns: Mapping[str, Sequence[Column]]
    enums: Mapping[str, list[str]] | None
    begin: Callable[[Source], None]


@dataclass(frozen=True)
class ReadResult:
    """What reading a file gave.

    Attributes:
        rows: their number (for JSON files: ids listed).
        content: the file's content.
        notes: what to tell about the file; provenance gets the first.
        remarks: what to tell about several files.
    """

    rows: int
    content: Fingerprint
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


# Reads files of one kind, and gives a result for each. It gives None, and leaves the tables as they were, where the files
# are not what it can read; a file that no reader could read is a SourceError that says line, column and remedy.
Reader = Callable[[NewStore, Sequence[Source]], list[ReadResult] | None]
