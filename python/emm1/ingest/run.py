"""The build, step by step: find the files, read them, give the store its types and views, check it, put it in place."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import accumulate
from pathlib import Path
from typing import Any

import duckdb

from emm1.checks import duckdb_threads, memory_size
from emm1.dataset import Split
from emm1.ingest.columns import Column, columns_of, note_of_absent
from emm1.ingest.enums import make_enums
from emm1.ingest.fingerprint import Digest, unchanging
from emm1.ingest.provenance import OLDER_TRIPLETS, SWITCHED, ProvenanceRow, record, row_of
from emm1.ingest.readers import batches, read
from emm1.ingest.readers.contract import NewStore
from emm1.ingest.readers.infos import find_enum_values
from emm1.ingest.readers.labels import check_annotations
from emm1.ingest.replace import put_in_place
from emm1.ingest.report import BuildReport, Progress
from emm1.ingest.reuse import PreviousStore, attached, copy_files, unchanged
from emm1.ingest.schema import add_columns, declared_columns, finish, fresh
from emm1.ingest.sources import Source, find_sources
from emm1.ingest.target import check_target, failures_explained, written_back
from emm1.staging import new_file, staging
from emm1.store.integrity import orphans


def build_store(
    root: Path,
    store: Path,
    *,
    ranks: Sequence[int] | None = None,
    splits: Sequence[Split] | None = None,
    groups: Path | None = None,
    media_root: Path | None = None,
    memory_limit: str = "2GB",
    threads: int | None = None,
    force: bool = False,
    drop_own: bool = False,
    switch_triplet_columns: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> BuildReport:
    """Build a store; `emm1.build` says what the arguments mean."""
    started = time.monotonic()
    store = Path(os.path.abspath(store))
    settings: dict[str, Any] = {"memory_limit": memory_size(memory_limit)}
    if threads is not None:
        settings["threads"] = duckdb_threads(threads)
    published = find_sources(root, splits, ranks, groups)
    sources = published.sources
    check_target(store, force=force)
    report = BuildReport(store, missing=published.missing, warnings=[*published.packed])
    root_of_media = os.path.abspath(media_root or (root.parent if root.is_file() else root)).rstrip(os.sep)
    if not Path(root_of_media or os.sep).is_dir():
        report.warnings.append(f"the media root {root_of_media} is not a folder: the store's file paths lead there")
    with failures_explained(store), staging(store) as folder:
        with unchanging(sources):
            previous = PreviousStore.at(store) if not force and os.path.lexists(store) else None
            kept = unchanged(sources, previous, switched=switch_triplet_columns, progress=progress) if previous else {}
            _compare(report, sources, previous, kept, root_of_media)
        if not report.up_to_date:
            file = new_file(store, folder)
            with fresh(file, folder, settings) as connection:
                with unchanging(sources), written_back(file):
                    _fill(connection, sources, kept, report, progress, switch_triplet_columns)
                report.warnings += map(str, finish(connection, root_of_media))
                _survey(connection, report)
                report.notes += put_in_place(file, store, connection, drop_own=drop_own)
    report.seconds = time.monotonic() - started
    report.bytes = store.stat().st_size
    return report


def _compare(
    report: BuildReport,
    sources: Sequence[Source],
    previous: PreviousStore | None,
    kept: Mapping[str, ProvenanceRow],
    media_root: str,
) -> None:
    """Report which files are read, which are kept from the previous store, and whether there is anything to do."""
    report.kept = [source.name for source in sources if source.name in kept]
    report.read = [source.name for source in sources if source.name not in kept]
    if previous is not None:
        report.dropped = sorted(previous.provenance.keys() - {source.name for source in sources})
        report.up_to_date = previous.media_root == media_root and not report.read and not report.dropped
        report.notes += _of_other_groups(sources, previous)


def _of_other_groups(sources: Sequence[Source], previous: PreviousStore) -> list[str]:
    """A note if the previous store has groups of someone's own, and the new one takes them from elsewhere."""
    now = [source for source in sources if source.rank is not None]
    before = {row.note for name, row in previous.provenance.items() if name.endswith("/data_groups.csv")} - {None}
    if not before or before <= {source.note for source in now}:
        return []
    taken = f"those in {now[0].path.parents[1]}" if now else "gone"
    return [
        f"the groups were {before.pop()}; now they are {taken}: name the folder of the others as groups to keep those"
    ]


def _fill(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    kept: Mapping[str, ProvenanceRow],
    report: BuildReport,
    progress: Progress,
    switch_triplet_columns: bool,
) -> None:
    """Fill the tables, and record where their rows come from."""
    progress("values of the ENUMs", 0, 0)
    columns = _columns(connection, sources, report, switch_triplet_columns)
    # If some rows are copied or come from Parquet, or a file cannot be read natively, the ENUMs are made from the filled tables.
    joined = any(source.table == "hub" for source in sources)
    enums = None if kept or joined else find_enum_values(sources, columns)
    if enums is not None:
        make_enums(connection, enums)
    in_order = [*batches(sources, kept)]
    *begins, total = accumulate((source.path.stat().st_size for batch in in_order for source in batch), initial=0)
    done = dict(zip((source.name for batch in in_order for source in batch), begins, strict=True))

    def begin(source: Source) -> Digest:
        progress(source.name, done[source.name], total)
        most = source.path.stat().st_size  # a compressed file holds more
        return Digest(lambda read: progress(source.name, done[source.name] + min(read, most), total))

    new_store = NewStore(connection, columns, enums, begin, lambda what: progress(what, 0, 0))
    rows = dict(kept)
    with attached(connection, report.path) if kept else nullcontext():
        for batch in in_order:
            if batch[0].name in kept:
                copy_files(new_store, batch)
                continue
            for source, result in zip(batch, read(new_store, batch), strict=True):
                rows[source.name] = row_of(source, result, switched=switch_triplet_columns)
                report.notes += [note for note in (*result.notes, *result.remarks) if note not in report.notes]
    for source in sources:
        if source.table == "triplets":
            check_annotations(new_store, source)
            _warn(report, rows[source.name])
        record(connection, source, rows[source.name])
    progress("types, views and checks", 0, 0)


def _warn(report: BuildReport, triplets: ProvenanceRow) -> None:
    """Warn if the triplets are the older version, whose columns are switched."""
    if triplets.published == "older" and triplets.note != SWITCHED:
        report.warnings.append(OLDER_TRIPLETS)
        report.older_triplets = True


def _columns(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    report: BuildReport,
    switch_triplet_columns: bool,
) -> dict[str, list[Column]]:
    """The columns of each CSV file with a header; columns that emm1 does not know are added to the tables."""
    found = {}
    declared = declared_columns(connection)
    for source in (source for source in sources if source.has_columns):
        known = declared[source.schema, source.table]
        columns = columns_of(source, known, switch_triplet_columns=switch_triplet_columns)
        add_columns(connection, source.schema, source.table, (c.name for c in columns if not c.known))
        note = note_of_absent(source, columns, known)
        report.notes += [note] if note else []
        found[source.name] = columns
    return found


def _survey(connection: duckdb.DuckDBPyConnection, report: BuildReport) -> None:
    """Count the rows, and the references to ids that do not exist."""
    report.orphans = orphans(connection)
    tables = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name <> 'main' ORDER BY ALL"
    ).fetchall()
    for schema, table in tables:
        report.rows[f"{schema}.{table}"] = connection.table(f"{schema}.{table}").shape[0]
