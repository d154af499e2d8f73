"""Read files of groups natively: 264 MB of digits each, all of them in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from emm1.dataset import GROUP_COLUMNS
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

SCHEMA = schema_of(GROUP_COLUMNS, ["integer"] * len(GROUP_COLUMNS))


def read_groups(new_store: NewStore, sources: Sequence[Source]) -> list[ReadResult] | None:
    """Append group files in which every field is digits or empty, ranks match the folder and caption ids ascend.

    Returns:
        The result of each file; None, with nothing appended, if one of them is different.
    """
    headers = [[column.name for column in new_store.columns[source.name]] for source in sources]
    if any(sorted(header) != sorted(GROUP_COLUMNS) for header in headers):
        return None
    results: list[ReadResult] = []

    def batches() -> Batches:
        for source, header in zip(sources, headers, strict=True):
            rows, digest = 0, new_store.begin(source)
            for batch in _batches(source, header, digest):
                rows += batch.num_rows
                yield batch
            results.append(ReadResult(rows, Fingerprint.of(source, digest)))

    inserted = insert(new_store.connection, "e_mm1_100m.groups", SCHEMA, batches())
    return None if inserted is None else results


def _batches(source: Source, header: list[str], digest: Digest) -> Batches:
    last = -1
    types: list[FieldType] = ["integer"] * len(header)
    places = [header.index(name) for name in GROUP_COLUMNS]
    captions_at, ranks_at = GROUP_COLUMNS.index("encord_text_id"), GROUP_COLUMNS.index("nn_index")
    for found, rows in read_records(source.path, types, [], most=ROW_GROUP, digest=digest):
        columns = [found[place] for place in places]
        (captions,), (ranks,) = columns[captions_at][0], columns[ranks_at][0]
        ascending = captions[0] > last and (captions[1:] > captions[:-1]).all()
        whole = all(columns[place][1] is None for place in (captions_at, ranks_at))
        if not (whole and ascending and (ranks == source.rank).all()):
            raise UnsupportedFileError
        last = int(captions[-1])
        yield to_arrow(columns, rows, SCHEMA, [])
