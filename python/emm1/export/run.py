"""Exports the rows of a query: what is asked is checked, the files are written beside their place, and moved there when all is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import duckdb
import pyarrow as pa

from emm1.arguments import at_least_one
from emm1.checks import PathLike, check_text, shown
from emm1.errors import StoreError
from emm1.export.describe import ATTRIBUTION, Exported, describe
from emm1.export.folder import explained, move, new_folder
from emm1.export.formats import check_schema, without_dictionaries
from emm1.export.hub import FILE, hub_rows, hub_type
from emm1.export.named import NamedItems
from emm1.export.ranges import in_ranges
from emm1.export.samples import media_columns
from emm1.export.shards import GROUP, File, Tables, check_partition
from emm1.parts import parts_of
from emm1.store.batches import batches
from emm1.store.excluded import Excluded, excluded
from emm1.store.kept import kept
from emm1.store.memory import limited
from emm1.store.query import check_query, query_of
from emm1.torch.rows import Rows, rows_of

if TYPE_CHECKING:
    from emm1.store.store import Store

To = Literal["parquet", "arrow", "csv", "jsonl", "webdataset", "hub"]
Incomplete = Literal["drop", "keep"]
# Rows of a file; samples of a tar, of some megabytes each. Files of the Hub have all rows of their kind.
SIZES: dict[str, int] = {"webdataset": 1_000, "hub": 1 << 62}
SIZE = 1_000_000
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        output: the folder.
        to: the format.
        rows: how many rows were written.
        files: the files with the rows: path in the folder, rows, bytes and SHA-256.
        notes: what there is to know about it.
    """

    output: Path
    to: str
    rows: int
    files: tuple[File, ...]
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """In a line."""
        files = f"{len(self.files):,} {'file' if len(self.files) == 1 else 'files'}"
        return f"{self.output}: {self.rows:,} {'row' if self.rows == 1 else 'rows'} in {files} ({self.to})"

    def __str__(self) -> str:
        return "\n".join([self.summary, *self.notes])


def export_rows(
    store: Store,
    query: str,
    to: To,
    output: PathLike,
    *,
    partition_by: str | None,
    shard_size: int | None,
    seed: int,
    incomplete: Incomplete,
    group_captions: bool,
    exclude: Sequence[str],
    available: bool,
    memory_limit: str,
    progress: Progress,
) -> ExportReport:
    """Export rows; `emm1.Store.export` says what the arguments mean."""
    if to not in get_args(To):
        raise StoreError(f"unknown format {shown(to)}: {', '.join(get_args(To))}")
    if incomplete not in get_args(Incomplete):
        raise StoreError(f"unknown way with incomplete rows {shown(incomplete)}: {', '.join(get_args(Incomplete))}")
    size = at_least_one(SIZES.get(to, SIZE) if shard_size is None else shard_size, "shard_size")
    check_text(output, StoreError)
    sql, target = query_of(query), Path(output)
    if to != "webdataset" and (seed or group_captions or incomplete != "drop"):
        raise StoreError(
            "a seed, captions that stand together and incomplete rows are about samples: they go with webdataset"
        )
    if to in ("webdataset", "hub") and partition_by is not None:
        raise StoreError(f"{to} has a layout of its own: partition the other formats")
    with store.cursor() as connection, limited(connection, memory_limit):
        check_query(connection, sql)
        gone = excluded(connection, exclude, available)
        relation = _relation(connection, sql, gone)
        if to == "webdataset":
            settings: dict[str, object] = {
                "seed": seed,
                "incomplete": incomplete,
                "group_captions": group_captions,
                "shard_size": size,
                **gone.identity,
            }
            rows = partial(rows_of, store, sql, exclude=exclude, available=available)
            exported = _export_samples(rows, connection, relation, sql, target, settings, progress)
        else:
            exported = _export_tables(connection, relation, sql, to, target, partition_by, size, progress)
    return ExportReport(target, to, exported.rows, exported.files, exported.notes)


def _relation(connection: duckdb.DuckDBPyConnection, sql: str, gone: Excluded) -> duckdb.DuckDBPyRelation:
    try:
        relation = kept(connection, sql, gone)
    except duckdb.Error as error:
        raise StoreError(f"the query cannot be run: {error}") from error
    seen: set[str] = set()
    for name in relation.columns:
        if name.casefold() in seen:
            raise StoreError(f"two columns of the query are called {name}: name one of them differently with AS")
        seen.add(name.casefold())
    return relation


def _export_tables(
    connection: duckdb.DuckDBPyConnection,
    relation: duckdb.DuckDBPyRelation,
    sql: str,
    to: str,
    output: Path,
    partition_by: str | None,
    size: int,
    progress: Progress,
) -> Exported:
    hub = to == "hub"
    form = "parquet" if hub else to
    with new_folder(output) as folder, explained():
        connection.begin()  # all parts are of the same store, whatever others write meanwhile; it ends with the connection
        parts = [hub_rows(connection, part) if hub else part for part in in_ranges(connection, sql, relation)]
        items = NamedItems(connection, sql, relation.columns)
        reader = batches(parts[0], GROUP)  # meanwhile the connection answers nothing else
        schema = pa.schema([pa.field(each.name, without_dictionaries(each.type)) for each in reader.schema])
        if hub:
            schema = pa.schema([pa.field(each.name, hub_type(each.name, each.type)) for each in schema])
        check_schema(form, schema)
        by = FILE if hub else None if partition_by is None else check_partition(schema, partition_by)
        tables = Tables(folder, form, schema, size, by, folders=not hub)
        done = 0
        try:
            # A part is asked for when those before it are read.
            for batch in chain(reader, (batch for part in parts[1:] for batch in batches(part, GROUP))):
                items.add(batch)
                tables.append(pa.Table.from_batches([batch]).cast(schema))
                done += batch.num_rows
                progress("exporting", done, 0)
            files = tuple(tables.finish())
        finally:
            tables.abandon()
        columns = pa.schema([each for each in schema if each.name != FILE]) if hub else schema
        settings: dict[str, object] = (
            {"shard_size": size, "partition_by": by} if by and not hub else {"shard_size": size}
        )
        exported = Exported(to, sql, columns, None if hub else by, files, settings, _unknown(items))
        describe(folder, exported, items.attribution(connection))
    return exported


def _export_samples(
    read: Callable[[Path], Rows],
    connection: duckdb.DuckDBPyConnection,
    relation: duckdb.DuckDBPyRelation,
    sql: str,
    output: Path,
    settings: dict[str, object],
    progress: Progress,
) -> Exported:
    from emm1.export.webdataset import sum_missing, write_webdataset

    media_columns(relation.columns)
    ((root,),) = connection.execute("SELECT media_root()").fetchall()
    with parts_of(output, {"export": "webdataset", "query": sql, "root": root, **settings}, folder=True) as parts:
        rows = read(parts / "rows")
        _check_same(parts / "rows.txt", rows.folder.name)
        shards = write_webdataset(
            rows,
            parts / "shards",
            parts / "export",
            root,
            seed=int(str(settings["seed"])),
            size=int(str(settings["shard_size"])),
            keep_incomplete=settings["incomplete"] == "keep",
            group_captions=bool(settings["group_captions"]),
            progress=progress,
        )
        files = tuple(shard.file for shard in shards if shard.file.rows or len(shards) == 1)
        what = "are kept" if settings["incomplete"] == "keep" else "were left out"
        missing = sum_missing(shards)
        count = sum(shard.incomplete for shard in shards)
        notes = [f"{count:,} of {len(rows):,} rows lack a file and {what}"] if count else []
        notes += [f"{reason} in {n:,} rows" for reason, n in missing.most_common()]
        items = NamedItems(connection, sql, relation.columns)
        if items.columns:
            for batch in batches(relation.select(*items.columns), GROUP):
                items.add(batch)
        schema = relation.limit(0).to_arrow_table().schema
        exported = Exported("webdataset", sql, schema, None, files, settings, (*notes, *_unknown(items)))
        describe(parts / "export", exported, items.attribution(connection))
        move(parts / "export", output)
    return exported


def _unknown(items: NamedItems) -> tuple[str, ...]:
    return () if items.reason is None else (f"there is no file {ATTRIBUTION}, as {items.reason}",)


def _check_same(note: Path, rows: str) -> None:
    """Refuse to go on with other rows than those that the finished shards have."""
    if note.exists() and note.read_text(encoding="utf-8") != rows:
        raise StoreError(f"the store has changed since the export began: remove {note.parent} to start again")
    note.write_text(rows, encoding="utf-8")
