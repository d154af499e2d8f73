"""Reads published files into tables: the readers of each kind of file, in the order in which they are tried.

A new file format is a module here with a function of the type `emm1.ingest.readers.contract.Reader`, and its place in
`READERS`; `emm1.ingest.sources` says under which name the file is published and which table it fills.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from emm1.ingest.readers.categories import read_categories
from emm1.ingest.readers.contract import NewStore, Reader, ReadResult
from emm1.ingest.readers.duckdb_csv import read_csv
from emm1.ingest.readers.groups import read_groups
from emm1.ingest.readers.hub import read_hub
from emm1.ingest.readers.infos import read_info
from emm1.ingest.readers.labels import read_labels
from emm1.ingest.sources import Source

# The readers by the table that the files fill; the last one of each also reports what is wrong with a file.
READERS: dict[str, tuple[Reader, ...]] = {
    "groups": (read_groups, read_csv),
    "annotation_mapping": (read_labels,),
    "triplets": (read_csv,),
    "categories": (read_categories,),
    "hub": (read_hub,),
}
# The readers of the tables of items.
INFO_READERS: tuple[Reader, ...] = (read_info, read_csv)
# Tables whose files are read together: group files in one statement, because DuckDB's threads wait for each other at the
# end of every statement; category files because one of them numbers the classes of both; the Hub's files of a split because
# an item is in many of them.
TOGETHER = {"groups", "categories", "hub"}
# Tables that are filled last: triplets are checked against the labels, and the Hub's files fill, or are compared with, what
# CSV files left or filled.
LAST = ("triplets", "hub")


def batches(sources: Sequence[Source], apart: Collection[str]) -> Iterator[list[Source]]:
    """The files in the order in which they are read; files that are read together are in one list.

    Args:
        sources: the files.
        apart: published names of files that are not read; they never share a list with files that are.
    """
    ordered = sorted(sources, key=lambda source: LAST.index(source.table) if source.table in LAST else -1)
    grouped = groupby(ordered, lambda s: (s.name in apart, s.split, s.table if s.table in TOGETHER else s.name))
    return (list(batch) for _, batch in grouped)


def read(new_store: NewStore, batch: Sequence[Source]) -> list[ReadResult]:
    """Read the files of a batch with the first reader that can; one by one if none can read them together.

    Raises:
        SourceError: a file is not as expected; the message gives line, column and remedy.
    """
    for reader in READERS.get(batch[0].table, INFO_READERS):
        results = reader(new_store, batch)
        if results is not None:
            return results
    return [result for source in batch for result in read(new_store, [source])]
