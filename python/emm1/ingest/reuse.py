"""Copies the rows of unchanged files from the previous store instead of reading them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import duckdb
from sqlglot import exp

from emm1.dataset import Split
from emm1.ingest.content import is_compressed
from emm1.ingest.fingerprint import Digest, fingerprint
from emm1.ingest.hub.files import DATASETS
from emm1.ingest.provenance import SWITCHED, ProvenanceRow, rows_of
from emm1.ingest.readers.contract import NewStore
from emm1.ingest.schema import add_columns, declared_columns
from emm1.ingest.sources import AUDIO_CATEGORIES, FOLDERS, Source
from emm1.store.database import connect, media_root_of

# The name under which the previous store is attached; no user's store is called that.
PREVIOUS = "the store before"


@dataclass(frozen=True)
class PreviousStore:
    """The previous store: the one that a build or an upgrade replaces.

    Attributes:
        provenance: its rows of provenance, by the published names of the files.
        media_root: the folder of the media given when it was built.
    """

    provenance: Mapping[str, ProvenanceRow]
    media_root: str

    @classmethod
    def at(cls, path: Path) -> Self:
        """The store in a file."""
        with connect(path, read_only=True) as connection:
            return cls(rows_of(connection), media_root_of(connection))


def unchanged(
    sources: list[Source], previous: PreviousStore, *, switched: bool, progress: Callable[[str, int, int], object]
) -> dict[str, ProvenanceRow]:
    """The provenance of the files whose size and checksum have not changed, by their published names.

    It keeps the time when a file was read, not the time when its rows were copied.

    A checksum is computed only if the size is the same or, of what is compressed, not known. EShot's categories refer to rows of its other files, so they are
    read again if any file of EShot is. So are triplets whose columns are switched now and were not before, or the reverse.
    """
    same_size = [
        source
        for source in sources
        if source.name in previous.provenance
        and (is_compressed(source.path) or previous.provenance[source.name].bytes == source.path.stat().st_size)
    ]
    total = sum(source.path.stat().st_size for source in same_size)

    def told(source: Source, before: int) -> Callable[[int], object]:
        progress(f"checksum of {source.name}", before, total)
        most = source.path.stat().st_size  # a compressed file holds more
        return lambda read: progress(f"checksum of {source.name}", before + min(read, most), total)

    done = 0
    kept: dict[str, ProvenanceRow] = {}
    for source in same_size:
        row, content = previous.provenance[source.name], fingerprint(source, Digest(told(source, done)))
        done += source.path.stat().st_size
        as_switched = source.table != "triplets" or (row.note == SWITCHED) == switched
        if content.sha256 == row.sha256 and as_switched:
            note = row.note if source.rank is None else source.note
            kept[source.name] = replace(row, published=content.published, note=note)
    eshot = {source.name for source in sources if source.split == "eshot"}
    if not eshot <= kept.keys() or eshot != {name for name in previous.provenance if name.startswith("eshot/")}:
        for source in sources:
            if source.table == "categories":
                kept.pop(source.name, None)
    for source in [source for source in sources if source.table == "hub"]:
        if not _same_files(source.split, sources, previous, kept):
            kept.pop(source.name, None)
    return kept


def _same_files(
    split: Split, sources: Iterable[Source], previous: PreviousStore, kept: Mapping[str, ProvenanceRow]
) -> bool:
    """Whether a split has the same files as before: the Hub's fill together what CSV files do not, and are compared with them."""
    now = {source.name for source in sources if source.split == split}
    names = (FOLDERS[split][0], DATASETS.get(split, ""))
    before = {name for name in previous.provenance if name.partition("/")[0] in names}
    return now == before and now <= kept.keys()


def copy_files(new_store: NewStore, sources: Sequence[Source]) -> None:
    """Copy the rows of files from the attached previous store: the columns that reading each file would fill."""
    for source in sources:
        new_store.begin(source)
        if source.table != "hub":
            _copy_file(new_store, source)
    if sources[0].table == "hub":
        _copy_tables(new_store, sources)


def _copy_tables(new_store: NewStore, sources: Sequence[Source]) -> None:
    """Copy what the Hub's files of a split filled."""
    connection, schema = new_store.connection, sources[0].schema
    filled = {source.table for source in sources[0].beside if source.rank is None}
    of_csv = {rank for source in sources[0].beside for rank in source.ranks}
    for (in_schema, table), columns in declared_columns(connection).items():
        if in_schema != schema or table in filled:
            continue
        published = _published_columns(connection, schema, table)
        add_columns(connection, schema, table, (name for name in published if name not in columns))
        if table != "groups":
            copy_rows(connection, schema, table, published)
        elif ranks := {rank for source in sources for rank in source.ranks} - of_csv:
            where = exp.column("nn_index").isin(*map(exp.Literal.number, sorted(ranks)))
            copy_rows(connection, schema, table, published, where)


def _published_columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[str]:
    """The columns of a table of the previous store, without those that users added."""
    query = (
        "SELECT column_name FROM duckdb_columns() WHERE database_name = $database AND schema_name = $schema "
        "AND table_name = $table AND comment IS NOT NULL ORDER BY column_index"
    )
    rows = connection.execute(query, {"database": PREVIOUS, "schema": schema, "table": table}).fetchall()
    return [name for (name,) in rows]


def _copy_file(new_store: NewStore, source: Source) -> None:
    where: exp.Expr | None = None
    if source.name in new_store.columns:
        columns = [column.name for column in new_store.columns[source.name]]
    else:
        columns = new_store.connection.table(f"{source.schema}.{source.table}").columns
    if source.rank is not None:
        where = exp.column("nn_index").eq(source.rank)
    elif source.table == "categories":
        where = exp.column("modality").eq("audio" if source.name == AUDIO_CATEGORIES else "points")
    copy_rows(new_store.connection, source.schema, source.table, columns, where)


@contextmanager
def attached(connection: duckdb.DuckDBPyConnection, store: Path) -> Iterator[None]:
    """Attach the previous store as `PREVIOUS`; other processes can still read it, but not write to it."""
    database = exp.alias_(exp.Literal.string(str(store)), PREVIOUS)
    attach = exp.Attach(this=database, expressions=[exp.AttachOption(this=exp.var("READ_ONLY"))])
    connection.execute(attach.sql("duckdb"))
    try:
        yield
    finally:
        connection.execute(exp.Detach(this=exp.to_identifier(PREVIOUS)).sql("duckdb"))


def versions_of_previous(connection: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    """The schema version of the attached previous store, and the version of emm1 that built it."""
    table = exp.table_("emm1_store", db="main", catalog=PREVIOUS)
    query = exp.select("schema_version", "emm1_version").from_(table)
    ((schema_version, emm1_version),) = connection.execute(query.sql("duckdb")).fetchall()
    return schema_version, emm1_version


def copy_rows(
    connection: duckdb.DuckDBPyConnection,
    schema: str | None,
    table: str,
    columns: Iterable[str],
    where: exp.Expr | None = None,
) -> None:
    """Copy columns of a table of the previous store, in row order; with a condition, only the rows that satisfy it."""
    names = [exp.column(exp.to_identifier(name, quoted=True)) for name in columns]
    query = exp.select(*names).from_(exp.table_(table, db=schema, catalog=PREVIOUS))
    if where is not None:
        query = query.where(where)
    insert = exp.Insert(this=exp.table_(table, db=schema), expression=query, by_name=True)
    connection.execute(insert.sql("duckdb"))
