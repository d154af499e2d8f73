"""Exports the rows of a query: what is asked is checked, the files are written beside their place, and moved there when all is done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import duckdb
import pyarrow as pa

from emm1.arguments import at_least_one
from emm1.checks import PathLike, check_text, shown
from emm1.errors import StoreError, WriteError
from emm1.export.formats import check_schema, without_dictionaries
from emm1.export.shards import GROUP, File, Tables, check_partition
from emm1.parts import parts_of
from emm1.store.query import check_query, query_of
from emm1.store.refusals import Refusal, refusal_of

if TYPE_CHECKING:
    from emm1.store.store import Store

To = Literal["parquet", "arrow", "csv", "jsonl", "webdataset", "hub"]
MANIFEST = "manifest.json"
# Rows of a file.
SHARD = 1_000_000


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
    notes: tuple[str, ...] = field(default=())

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
    partition_by: str | None = None,
    shard_size: int | None = None,
    progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
) -> ExportReport:
    """Export rows; `emm1.Store.export` says what the arguments mean."""
    if to not in get_args(To):
        raise StoreError(f"unknown format {shown(to)}: {', '.join(get_args(To))}")
    size = at_least_one(SHARD if shard_size is None else shard_size, "shard_size")
    check_text(output, StoreError)
    sql = query_of(query)
    with store.cursor() as connection:
        check_query(connection, sql)
        try:
            relation = connection.sql(sql)
        except duckdb.Error as error:
            raise StoreError(f"the query cannot be run: {error}") from error
        return _export_tables(relation, sql, to, Path(output), partition_by, size, progress)


def _export_tables(
    relation: duckdb.DuckDBPyRelation,
    sql: str,
    to: str,
    output: Path,
    partition_by: str | None,
    size: int,
    progress: Callable[[str, int, int], object],
) -> ExportReport:
    _check_names(relation.columns)
    # A run that was killed left nothing that another one could use.
    with parts_of(output, {"export": "tables"}, folder=True) as parts:
        folder = parts / "export"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            reader, schema = _reader(relation, to)
            by = None if partition_by is None else check_partition(schema, partition_by)
            files = _write_tables(reader, Tables(folder, to, schema, size, by), schema, progress)
            report = ExportReport(output, to, sum(file.rows for file in files), tuple(files))
            _describe(folder, report, sql, relation)
            move(folder, output)
        except BaseException:
            shutil.rmtree(parts, ignore_errors=True)
            raise
    return report


def _write_tables(
    reader: pa.RecordBatchReader, tables: Tables, schema: pa.Schema, progress: Callable[[str, int, int], object]
) -> list[File]:
    done = 0
    try:
        for batch in reader:
            tables.append(pa.Table.from_batches([batch]).cast(schema))
            done += batch.num_rows
            progress("exporting", done, 0)
        return tables.finish()
    except (duckdb.Error, pa.ArrowException) as error:
        raise _failure(error) from error
    finally:
        tables.abandon()


def _reader(relation: duckdb.DuckDBPyRelation, to: str) -> tuple[pa.RecordBatchReader, pa.Schema]:
    try:
        reader = relation.to_arrow_reader(GROUP)
    except (duckdb.Error, pa.ArrowException) as error:
        raise _failure(error) from error
    schema = pa.schema([pa.field(each.name, without_dictionaries(each.type)) for each in reader.schema])
    check_schema(to, schema)
    return reader, schema


def _failure(error: Exception) -> StoreError | WriteError:
    refusal, _ = refusal_of(error) if isinstance(error, duckdb.Error) else (None, "")
    if refusal is Refusal.NO_MEMORY:
        return StoreError("DuckDB has too little memory for the query: raise its memory_limit")
    return StoreError(f"the query cannot be run: {error}")


def _check_names(columns: list[str]) -> None:
    seen: set[str] = set()
    for name in columns:
        if name.casefold() in seen:
            raise StoreError(f"two columns of the query are called {name}: name one of them differently with AS")
        seen.add(name.casefold())


def _describe(folder: Path, report: ExportReport, sql: str, relation: duckdb.DuckDBPyRelation) -> None:
    """Write what accompanies the rows, the manifest last."""
    manifest = {
        "emm1": metadata.version("emm1"),
        "to": report.to,
        "query": sql,
        "rows": report.rows,
        "columns": [
            {"name": name, "type": str(kind)} for name, kind in zip(relation.columns, relation.types, strict=True)
        ],
        "files": [file.to_dict() for file in report.files],
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def move(folder: Path, output: Path) -> None:
    """Move a finished export into its place, where at most an empty folder is."""
    if output.exists():
        output.rmdir()
    folder.replace(output)
