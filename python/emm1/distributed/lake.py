"""A store as a lake: its tables as Parquet folders, and its views as SQL for engines that are not DuckDB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from emm1.checks import PathLike, check_text
from emm1.dataset import KEYS, MODALITIES_OF, SCHEMAS, TRIPLET_COLUMNS
from emm1.errors import StoreError
from emm1.export.folder import explained, new_folder
from emm1.export.formats import without_dictionaries
from emm1.export.shards import GROUP, File, Shards
from emm1.store.batches import batches
from emm1.store.memory import limited

if TYPE_CHECKING:
    from emm1.store.store import Store

VIEWS = "views.spark.sql"
# Rows of a file: a rank of the groups is one, of 76 MB.
ROWS = 64 * GROUP
GROUPS, RANK = ("e_mm1_100m", "groups"), "nn_index"
ITEM = ("dataset", "modality", "id")
# The tables and the order of their rows: readers skip row groups by the least and the greatest value. EShot is in its published order.
TABLES: dict[tuple[str, str], tuple[str, ...]] = {
    **{
        (SCHEMAS[split], modality): (KEYS[split, modality],)
        for split in ("100m", "1m")
        for modality in MODALITIES_OF[split]
    },
    GROUPS: ("encord_text_id",),
    ("e_mm1_1m", "triplets"): (*TRIPLET_COLUMNS[1:3], "encord_text_id", *TRIPLET_COLUMNS[3:]),
    ("e_mm1_1m", "annotation_mapping"): ("annotation",),
    **{("eshot", table): ("rowid",) for table in ("audio", "points", "categories")},
    ("main", "provenance"): ("source",),
    ("main", "splits"): ITEM,
    ("main", "maps"): ("name", "id"),
    ("main", "media_status"): ITEM,
    ("main", "flags"): (*ITEM, "flag", "source"),
}
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class LakeReport:
    """What a lake has.

    Attributes:
        output: the folder.
        tables: the files of each table, by its name: path in the folder, rows, bytes and SHA-256.
    """

    output: Path
    tables: dict[str, tuple[File, ...]]

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return sum(file.rows for files in self.tables.values() for file in files)

    def __str__(self) -> str:
        count = sum(map(len, self.tables.values()))
        return f"{self.output}: {self.rows:,} rows of {len(self.tables)} tables in {count:,} files, and {VIEWS}"


def write_lake(store: Store, output: PathLike, *, memory_limit: str, progress: Progress) -> LakeReport:
    """Write a lake; `emm1.Store.lake` says what the arguments mean."""
    check_text(output, StoreError)
    target = Path(output)
    with store.cursor() as connection, limited(connection, memory_limit):
        connection.begin()  # so that all tables are of one moment, whoever writes meanwhile
        total = sum(_table(connection, *table).count("*").fetchall()[0][0] for table in TABLES)
        with new_folder(target) as folder, explained():
            done = 0

            def count(rows: int) -> None:
                nonlocal done
                done += rows
                progress("writing the tables", done, total)

            tables = {".".join(table): tuple(_write(connection, folder, *table, count)) for table in TABLES}
            (folder / VIEWS).write_text(_views(connection, target), encoding="utf-8")
        connection.rollback()
    return LakeReport(target, tables)


def _table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> duckdb.DuckDBPyRelation:
    return connection.table(f"{schema}.{table}")


def _write(
    connection: duckdb.DuckDBPyConnection, folder: Path, schema: str, table: str, count: Callable[[int], None]
) -> Iterator[File]:
    rows = _table(connection, schema, table)
    parts = [(folder / schema / table, rows)]
    if (schema, table) == GROUPS and (ranks := sorted(rows.project(RANK).distinct().fetchall())):
        # A rank at a time: what is sorted is a sixteenth.
        others = duckdb.StarExpression(exclude=[RANK])
        parts = [
            (parts[0][0] / f"{RANK}={rank}", rows.filter(duckdb.ColumnExpression(RANK) == rank).select(others))
            for (rank,) in ranks
        ]
    for where, part in parts:
        yield from _write_folder(folder, where, part.order(", ".join(TABLES[schema, table])), count)


def _write_folder(root: Path, folder: Path, rows: duckdb.DuckDBPyRelation, count: Callable[[int], None]) -> list[File]:
    """Write rows, ENUMs as texts, in numbered files of the folder; one without rows if there are none."""
    reader = batches(rows, GROUP)
    schema = pa.schema([pa.field(each.name, without_dictionaries(each.type)) for each in reader.schema])
    shards = Shards(root, folder, "parquet", schema, ROWS)
    try:
        for batch in reader:
            shards.append(pa.Table.from_batches([batch]).cast(schema))
            count(batch.num_rows)
        shards.finish()
    finally:
        shards.abandon()
    return shards.files


def _views(connection: duckdb.DuckDBPyConnection, output: Path) -> str:
    """The views, after the settings that say where everything is."""
    ((media, audio),) = connection.execute("SELECT media_root(), media_folder('audio')").fetchall()
    # Spark puts the value of a setting into the text of a statement before it reads it: between backquotes, or in a text.
    lake = os.path.abspath(output).replace("`", "``")
    texts = [text.replace("\\", "\\\\").replace("'", "\\'") for text in (media, audio)]
    quoted = [value.replace("`", "``") for value in (lake, *texts)]
    source = files("emm1") / "sql" / "lake"
    parts = [(source / f"{name}.sql").read_text(encoding="utf-8") for name in ("settings", "tables", "views")]
    for name, value in zip(("lake", "media", "audio"), quoted, strict=True):
        parts[0] = parts[0].replace(f"{{{name}}}", value)
    return "\n".join(parts)
