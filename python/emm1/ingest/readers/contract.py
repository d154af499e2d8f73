"""What a reader is: it appends the rows of published files to the tables of a new store, or leaves them to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from emm1.ingest.columns import Column
from emm1.ingest.fingerprint import Digest, Fingerprint
from emm1.ingest.sources import Source


@dataclass(frozen=True)
class NewStore:
    """The store that is being filled.

    Attributes:
        connection: a connection to it; its tables exist, with every column of every file.
        columns: the columns of each CSV file with a header, by the file's published name.
        enums: the sorted values of each ENUM; None if the ENUMs are created only after all rows are loaded.
        begin: call it with each file before reading it, on any thread; it gives what computes the checksum.
        step: call it with what is done with several files after they were read for their checksums.
    """

    connection: duckdb.DuckDBPyConnection
    columns: Mapping[str, Sequence[Column]]
    enums: Mapping[str, list[str]] | None
    begin: Callable[[Source], Digest]
    step: Callable[[str], object] = lambda _what: None


@dataclass(frozen=True)
class ReadResult:
    """The result of reading a file.

    Attributes:
        rows: the number of rows (for JSON files: of ids listed).
        content: the file's content.
        notes: notes about the file; the first one is stored in provenance.
        remarks: notes about several files.
    """

    rows: int
    content: Fingerprint
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


# Reads files of one kind and returns a result for each. If it cannot read the files, it returns None and leaves the tables
# unchanged; if no other reader could read them either, it raises a SourceError that gives line, column and remedy.
Reader = Callable[[NewStore, Sequence[Source]], list[ReadResult] | None]
