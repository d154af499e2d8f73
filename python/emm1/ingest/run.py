"""The build, step by step: find the files, read them, give the store its types and views, check it, put it in place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import duckdb

from emm1.arguments import duckdb_threads, memory_size
from emm1.dataset import KEYS, Split
from emm1.errors import Error, SourceError, StoreError
from emm1.ingest.categories import Note, load_categories
from emm1.ingest.enums import make_enums
from emm1.ingest.groups import load_groups
from emm1.ingest.infos import find_symbols, load_info
from emm1.ingest.keeping import SWITCHED, Entry, Keeping, previous_of, unchanged
from emm1.ingest.labels import load_labels
from emm1.ingest.provenance import Fingerprint, Read, fingerprint, unchanging
from emm1.ingest.replacing import put_in_place
from emm1.ingest.schema import finish, fresh
from emm1.ingest.sources import AUDIO_CATEGORIES, POINT_CATEGORIES, Source, find_sources
from emm1.ingest.tables import Loader
from emm1.ingest.target import check_target, written_back
from emm1.staging import new_file, staging
from emm1.store.integrity import Orphans, duplicates, orphans
from emm1.store.refusals import Refusal, refusal_of

# Called with what is being done, and the bytes done and in all.
Progress = Callable[[str, int, int], None]

# The size of the older published triplets.csv equals that of the newer; its columns are switched (see docs).
OLDER_TRIPLETS = (
    "triplets.csv is the version of 2025-10-07, whose paired and annotated columns were switched on 2025-10-16: "
    "get the current file, or build with its columns switched"
)


@dataclass
class BuildReport:
    """What a build did.

    Attributes:
        path: the store.
        rows: rows per table, by ``schema.table``.
        missing: published names of the files that were not there.
        read: published names of the files that were read.
        kept: those whose rows the store had already.
        dropped: those whose rows it had and has no more.
        up_to_date: the store was so before, and was left as it is.
        orphans: per column, the ids that no info row has.
        warnings: what the user should know and may have to act on.
        older_triplets: whether one of them is about the columns of triplets.csv.
        notes: what was found on the way.
        seconds: time taken.
        bytes: size of the store.
    """

    path: Path
    rows: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    up_to_date: bool = False
    orphans: list[Orphans] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    older_triplets: bool = False
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    bytes: int = 0


def build_store(
    root: Path,
    store: Path,
    *,
    ranks: Sequence[int] | None = None,
    splits: Sequence[Split] | None = None,
    media_root: Path | None = None,
    memory_limit: str = "2GB",
    threads: int | None = None,
    force: bool = False,
    drop_own: bool = False,
    switch_triplet_columns: bool = False,
    progress: Progress | None = None,
) -> BuildReport:
    """Build a store; `emm1.build` says what the arguments mean."""
    started = time.monotonic()
    store = Path(os.path.abspath(store))
    settings: dict[str, Any] = {"memory_limit": memory_size(memory_limit)}
    if threads is not None:
        settings["threads"] = duckdb_threads(threads)
    found = find_sources(root, splits, ranks)
    check_target(store, force=force)
    report = BuildReport(store, missing=found.missing, warnings=[*found.packed])
    progress = progress or _silent
    root_of_media = _media_root(media_root or root)
    with plainly(store), staging(store) as folder:
        with unchanging(found.sources):
            previous = previous_of(store) if not force and os.path.lexists(store) else None
            kept: dict[str, Fingerprint] = {}
            if previous:
                kept = unchanged(found.sources, previous, switched=switch_triplet_columns, progress=progress)
                report.dropped = sorted(previous.entries.keys() - {source.name for source in found.sources})
            report.kept = [source.name for source in found.sources if source.name in kept]
            report.read = [source.name for source in found.sources if source.name not in kept]
            same_media = previous is not None and previous.media_root == root_of_media
            report.up_to_date = same_media and not report.read and not report.dropped
        if not report.up_to_date:
            file = new_file(store, folder)
            progress("values of the ENUMs", 0, 1)
            # Where some rows are kept, or a file is not plain, the ENUMs are made after loading.
            values = None if kept else find_symbols(found.sources)
            with fresh(file, folder, settings) as connection:
                if values is not None:
                    make_enums(connection, values)
                keeping = Keeping(store, previous, kept) if previous and kept else None
                with unchanging(found.sources), written_back(file):
                    _read(connection, found.sources, report, switch_triplet_columns, keeping, values, progress)
                report.warnings += map(str, finish(connection, root_of_media))
                _survey(connection, report)
                report.notes += put_in_place(file, store, connection, drop_own=drop_own)
    report.seconds = time.monotonic() - started
    report.bytes = store.stat().st_size
    return report


def _silent(_what: str, _done: int, _total: int) -> None:
    """No one is watching."""


def _read(
    connection: duckdb.DuckDBPyConnection,
    sources: list[Source],
    report: BuildReport,
    switch: bool,
    keeping: Keeping | None,
    values: Mapping[str, list[str]] | None,
    progress: Progress,
) -> None:
    """Fill the tables, and record where their rows come from."""
    loader = Loader(connection, switch_triplet_columns=switch)
    kept = keeping.contents if keeping else {}
    ordered = _in_order(sources)
    *begins, total = accumulate((source.path.stat().st_size for source in ordered), initial=0)
    done = dict(zip((source.name for source in ordered), begins, strict=True))
    read: dict[str, Read] = {}

    def begin(source: Source) -> None:
        progress(source.name, done[source.name], total)

    with keeping.attached(connection) if keeping else nullcontext():
        for grouped, run in groupby(ordered, lambda source: source.rank is not None and source.name not in kept):
            together = list(run)
            if grouped:
                read |= load_groups(connection, together, begin) or {}
            for source in together:
                if keeping and source.name in kept:
                    begin(source)
                    keeping.keep(connection, loader, source)
                elif source.name not in read:
                    begin(source)
                    read[source.name] = _load(connection, loader, source, values)
                if source.table == "triplets":
                    _check_annotations(connection, loader, source)
        by_name = {source.name: source for source in ordered if source.name in read}
        listed, notes = load_categories(
            connection,
            by_name.get(AUDIO_CATEGORIES),
            by_name.get(POINT_CATEGORIES),
        )
        for source in sources:
            if keeping and source.name in kept:
                entry = keeping.entry(source)
            else:
                rows = listed.get(source.name, read[source.name].rows)
                entry = _entry(source, read[source.name].content, rows, switch, notes)
            _record(connection, source, entry, report)
    report.notes += loader.notes + [note.text for note in notes]
    progress("types, views and checks", total, total)


def _in_order(sources: list[Source]) -> list[Source]:
    """Labels before triplets, which are checked against them; otherwise as published."""
    return sorted(sources, key=lambda source: source.table == "triplets")


def _load(
    connection: duckdb.DuckDBPyConnection, loader: Loader, source: Source, values: Mapping[str, list[str]] | None
) -> Read:
    """Load one file; the JSON files come later, both at once."""
    if source.table == "categories":
        return Read(0, fingerprint(source))
    if source.table == "annotation_mapping":
        return Read(load_labels(connection, source.path), fingerprint(source))
    if source.rank is not None and (together := load_groups(connection, [source], lambda _: None)) is not None:
        return together[source.name]
    if values and (loaded := load_info(connection, loader, source, values)) is not None:
        return loaded
    rows = loader.load(source)
    _check_ids(connection, loader, source)
    return Read(rows, fingerprint(source))


def _check_ids(connection: duckdb.DuckDBPyConnection, loader: Loader, source: Source) -> None:
    """An id stands once in its file."""
    key = KEYS.get((source.split, source.table))
    if key and duplicates(connection, f"{source.schema}.{source.table}", key, source.rank):
        raise SourceError(loader.explain(source) or f"{source.path}: an id in column {key} appears twice")


def _check_annotations(connection: duckdb.DuckDBPyConnection, loader: Loader, source: Source) -> None:
    """A triplet's annotation has a meaning; the labels may have changed where the triplets did not."""
    if _unknown_codes(connection):
        raise SourceError(loader.explain(source) or f"{source.path}: an annotation is not in annotation_mapping.csv")


def _unknown_codes(connection: duckdb.DuckDBPyConnection) -> bool:
    labels = connection.table("e_mm1_1m.annotation_mapping").select("annotation").fetchall()
    codes = connection.table("e_mm1_1m.triplets").select("annotation").distinct().fetchall()
    return bool(labels) and not set(codes) <= set(labels)


def _entry(source: Source, content: Fingerprint, rows: int, switched: bool, notes: list[Note]) -> Entry:
    """What provenance is to say of a file that was read."""
    note = next((note.text for note in notes if note.source == source.name), None)
    if source.table == "triplets":
        note = SWITCHED if switched else OLDER_TRIPLETS if content.published == "older" else None
    now = datetime.now(UTC).replace(tzinfo=None)
    return Entry(content.bytes, content.sha256, rows, now, version("emm1"), content.published, note)


def _record(connection: duckdb.DuckDBPyConnection, source: Source, entry: Entry, report: BuildReport) -> None:
    """One row of provenance, and a warning where the file is known to be replaced."""
    if source.table == "triplets" and entry.published == "older" and entry.note != SWITCHED:
        report.warnings.append(OLDER_TRIPLETS)
        report.older_triplets = True
    connection.execute(
        "INSERT INTO provenance VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [source.name, str(source.path.resolve()), *astuple(entry)],
    )


def _survey(connection: duckdb.DuckDBPyConnection, report: BuildReport) -> None:
    """Count the rows, and the ids that no row has."""
    report.orphans = orphans(connection)
    tables = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name <> 'main' ORDER BY ALL"
    ).fetchall()
    for schema, table in tables:
        report.rows[f"{schema}.{table}"] = connection.table(f"{schema}.{table}").shape[0]


def _media_root(folder: Path) -> str:
    return os.path.abspath(folder).rstrip(os.sep)


@contextmanager
def plainly(store: Path) -> Iterator[None]:
    """Say what DuckDB or the system could not do in words for people: the disk is full, the memory too small."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if isinstance(error, Error):
            raise
        first = str(error).splitlines()[0]
        match refusal_of(error)[0]:
            case Refusal.NO_MEMORY:
                text = f"not enough memory to build {store}: raise the memory limit or use fewer threads ({first})"
            case Refusal.DISK_FULL:
                text = (
                    f"no space left on the disk of {store.parent}: a full store takes about 2 GB, and as much again while "
                    "the old one is kept; free some or build elsewhere. The old store, if any, is untouched"
                )
            case _:
                text = f"cannot build {store}: {first}"
        raise StoreError(text) from error
