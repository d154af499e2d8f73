"""What a store that is built again keeps of the one before: the rows of files that did not change, copied not read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from emm1.ingest.provenance import Fingerprint, fingerprint
from emm1.ingest.sources import AUDIO_CATEGORIES
from emm1.store.database import connect

if TYPE_CHECKING:
    from emm1.ingest.sources import Source
    from emm1.ingest.tables import Loader

# The name under which the store before is attached: not one that a user's store, of which it stands beside, would have.
PREVIOUS = "the store before"
SWITCHED = "paired and annotated columns switched at build"


@dataclass(frozen=True)
class Entry:
    """What a store says of a file that it was built from: a row of its provenance."""

    bytes: int
    sha256: str
    rows: int
    read_at: datetime
    emm1_version: str
    published: str
    note: str | None


@dataclass(frozen=True)
class Previous:
    """A store as it was built before.

    Attributes:
        entries: its source files, by their published names.
        media_root: the folder of the media given when it was built.
    """

    entries: Mapping[str, Entry]
    media_root: str


def previous_of(store: Path) -> Previous:
    """What a store was built from."""
    with connect(store, read_only=True) as connection:
        rows = connection.execute(
            "SELECT source, bytes, sha256, rows, read_at, emm1_version, published, note FROM provenance"
        ).fetchall()
        (media_root,) = connection.execute("SELECT media_root FROM emm1_store").fetchall()[0]
    return Previous({name: Entry(*values) for name, *values in rows}, media_root)


def unchanged(
    sources: list[Source], previous: Previous, *, switched: bool, progress: Callable[[str, int, int], object]
) -> dict[str, Fingerprint]:
    """The files whose size and checksum are those of the store, by their published names.

    A checksum is made only where the size is the same. EShot's categories name rows of its other files, so they are
    read again where any file of EShot is; so are triplets whose columns are to be switched, or no longer.
    """
    same_size = [
        source
        for source in sources
        if source.name in previous.entries and previous.entries[source.name].bytes == source.path.stat().st_size
    ]
    total = sum(source.path.stat().st_size for source in same_size)
    done = 0
    kept: dict[str, Fingerprint] = {}
    for source in same_size:
        progress(f"checksum of {source.name}", done, total)
        entry, content = previous.entries[source.name], fingerprint(source)
        done += content.bytes
        as_switched = source.table != "triplets" or (entry.note == SWITCHED) == switched
        if content.sha256 == entry.sha256 and as_switched:
            kept[source.name] = content
    eshot = {source.name for source in sources if source.split == "eshot"}
    if not eshot <= kept.keys() or eshot != {name for name in previous.entries if name.startswith("eshot/")}:
        for source in sources:
            if source.table == "categories":
                kept.pop(source.name, None)
    return kept


@dataclass(frozen=True)
class Keeping:
    """What is kept of the store before.

    Attributes:
        store: its file.
        previous: what it was built from.
        contents: the files that did not change, by their published names.
    """

    store: Path
    previous: Previous
    contents: Mapping[str, Fingerprint]

    @contextmanager
    def attached(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Attach the store before to the one that is built."""
        with attached(connection, self.store):
            yield

    def keep(self, connection: duckdb.DuckDBPyConnection, loader: Loader, source: Source) -> None:
        """Copy the rows of a file, with the columns that it has, as if it were read."""
        where: exp.Expr | None = None
        if source.table in ("annotation_mapping", "categories"):
            columns = [*loader.declared[source.schema, source.table]]
        else:
            columns = loader.columns(source)
        if source.rank is not None:
            where = exp.column("nn_index").eq(source.rank)
        elif source.table == "categories":
            where = exp.column("modality").eq("audio" if source.name == AUDIO_CATEGORIES else "points")
        copy_rows(connection, source.schema, source.table, columns, where)

    def entry(self, source: Source) -> Entry:
        """What provenance is to say of a file that is kept: when it was read, not when it was copied."""
        published = self.contents[source.name].published
        return replace(self.previous.entries[source.name], published=published)


@contextmanager
def attached(connection: duckdb.DuckDBPyConnection, store: Path) -> Iterator[None]:
    """Attach the store before as ``previous``; meanwhile readers elsewhere go on, and writers are kept out."""
    database = exp.alias_(exp.Literal.string(str(store)), PREVIOUS)
    attach = exp.Attach(this=database, expressions=[exp.AttachOption(this=exp.var("READ_ONLY"))])
    connection.execute(attach.sql("duckdb"))
    try:
        yield
    finally:
        connection.execute(exp.Detach(this=exp.to_identifier(PREVIOUS)).sql("duckdb"))


def copy_rows(
    connection: duckdb.DuckDBPyConnection,
    schema: str | None,
    table: str,
    columns: Iterable[str],
    where: exp.Expr | None = None,
) -> None:
    """Copy columns of a table of the store before, in its order; only the rows that fulfil a condition, if any."""
    names = [exp.column(exp.to_identifier(name, quoted=True)) for name in columns]
    query = exp.select(*names).from_(exp.table_(table, db=schema, catalog=PREVIOUS))
    if where is not None:
        query = query.where(where)
    insert = exp.Insert(this=exp.table_(table, db=schema), expression=query, by_name=True)
    connection.execute(insert.sql("duckdb"))
