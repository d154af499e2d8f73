"""The commands that make and examine stores: sample, build, upgrade, info, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import duckdb
import typer

from emm1 import versions
from emm1.cli import show
from emm1.dataset import Split, check_ranks, check_splits
from emm1.store.database import SCHEMA_VERSION
from emm1.store.opening import open as open_store

if TYPE_CHECKING:
    from emm1.ingest.run import BuildReport
    from emm1.store.integrity import Orphans

StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="The DuckDB file.")]
DropOwn = Annotated[
    bool, typer.Option("--drop-own", help="Go on even if some of what you made in STORE cannot be kept.")
]


def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    scale: Annotated[float, typer.Option(help="Share of the published size; time grows with its square.")] = 0.001,
    embeddings: Annotated[int, typer.Option(metavar="DIM", help="Dimensions of the embeddings; 0 for none.")] = 64,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
) -> None:
    """Write a small dataset of the published shape, with embeddings whose neighbours are known.

    Example: `emm1 sample demo/sample --embeddings 64`
    """
    from emm1.sample.write import write_sample

    write_sample(folder, scale=scale, embeddings=embeddings, seed=seed)
    files = [path for path in folder.rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    show.say(f"{folder}: {len(files)} files, {show.size(total)}. Next: emm1 build {folder} emm1.duckdb")


def build(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The dataset's clone, its datasets folder, or a copy.")],
    store: StorePath,
    ranks: Annotated[
        str | None, typer.Option(help="Ranks of the groups, e.g. 1-16 or 1,2,5. [default: all there]")
    ] = None,
    splits: Annotated[str | None, typer.Option(help="Of 100m,1m,eshot. [default: all there]")] = None,
    media_root: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the media. [default: ROOT]")] = None,
    memory_limit: Annotated[str, typer.Option(help="What all of it may use; DuckDB gets half.")] = "2GB",
    threads: Annotated[int | None, typer.Option(min=1, help="[default: all cores]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Read every file, whatever the store has already.")] = False,
    drop_own: DropOwn = False,
    switch_triplet_columns: Annotated[
        bool,
        typer.Option("--switch-triplet-columns", help="Read a triplets.csv of 2025-10-07 as the corrected one."),
    ] = False,
) -> None:
    """Build a store from the published CSV and JSON files, or bring one up to date: what did not change is kept.

    Example: `emm1 build E-MM1/datasets emm1.duckdb --ranks 1-4`
    """
    from emm1.ingest.run import build_store

    wanted_ranks = None if ranks is None else check_ranks(_numbers(ranks))
    wanted_splits = None if splits is None else check_splits([cast("Split", s.strip()) for s in splits.split(",")])
    with show.progress() as progress:
        report = build_store(
            root,
            store,
            ranks=wanted_ranks,
            splits=wanted_splits,
            media_root=media_root,
            memory_limit=memory_limit,
            threads=threads,
            force=force,
            drop_own=drop_own,
            switch_triplet_columns=switch_triplet_columns,
            progress=progress,
        )
    _show_report(report)


def _numbers(text: str) -> list[int]:
    """The numbers of ``1-4,7``."""
    numbers: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()) or len(part) > 9:  # noqa: PLR2004
            raise typer.BadParameter(f"{text!r} is not a list of ranks such as 1-4,7", param_hint="--ranks")
        numbers += range(int(low), min(int(high or low), 99) + 1)
    return numbers


def _show_report(report: BuildReport) -> None:
    if report.up_to_date:
        show.say(f"{report.path} is up to date: none of its {len(report.kept)} files changed")
        return
    show.table(["table", "rows"], [(name, rows) for name, rows in report.rows.items()])
    if report.kept:
        show.say(f"kept: {len(report.kept)} files; read: {', '.join(report.read) or 'none'}")
    if report.dropped:
        show.say(f"dropped: {', '.join(report.dropped)}")
    for text in [*report.notes, *(_orphan_text(result) for result in report.orphans if result.missing)]:
        show.say(f"note: {text}")
    if report.missing:
        show.say(f"not there: {', '.join(report.missing)}")
    show.say(f"{report.path}: {show.size(report.bytes)} in {report.seconds:.1f} s")
    for warning in report.warnings:
        show.warn(f"warning: {warning}")
    if report.older_triplets:
        show.warn("note: --switch-triplet-columns switches the columns of triplets.csv")


def _orphan_text(result: Orphans) -> str:
    return (
        f"{result.missing:,} of {result.checked:,} ids in {result.reference} have no row in {result.reference.target}"
    )


def upgrade(
    store: StorePath,
    memory_limit: Annotated[str, typer.Option(help="What all of it may use; DuckDB gets half.")] = "2GB",
    drop_own: DropOwn = False,
) -> None:
    """Bring a store that an older emm1 built up to date, without the published files; embeddings stay registered.

    Example: `emm1 upgrade emm1.duckdb`
    """
    from emm1.ingest.upgrade import upgrade_store

    notes: list[str] = []
    before = upgrade_store(store, memory_limit=memory_limit, drop_own=drop_own, tell=notes.append)
    if before == SCHEMA_VERSION:
        show.say(f"{store} is up to date: schema version {before}")
    else:
        for note in notes:
            show.say(f"note: {note}")
        show.say(f"{store}: schema version {before} became {SCHEMA_VERSION}")


def info(store: StorePath) -> None:
    """Show what is in a store: rows per table, source files, embeddings, size; and the versions in use.

    Example: `emm1 info emm1.duckdb`
    """
    with open_store(store, read_only=True) as opened:
        connection = opened.connection
        version, built_at, media_root = connection.execute(
            "SELECT emm1_version, strftime(built_at, '%Y-%m-%d %H:%M UTC'), media_root() FROM emm1_store"
        ).fetchall()[0]
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() "
            "WHERE database_name = current_database() AND schema_name <> 'main' ORDER BY ALL"
        ).fetchall()
        sources = connection.execute(
            "SELECT source, rows, bytes, published, sha256[:12], note FROM provenance ORDER BY source"
        ).fetchall()
        show.say(f"{store}: {show.size(store.stat().st_size)}, built {built_at} by emm1 {version}")
        show.say(f"media root: {media_root}")
        show.say(f"read with {versions.in_use()}\n")
        counts = [(f"{schema}.{name}", _rows_in(connection, schema, name)) for schema, name in tables]
        show.table(["table", "rows"], counts)
        show.say()
        show.table(["source", "rows", "bytes", "published", "sha256", "note"], sources)
        show.say()
        rows = connection.execute(
            "SELECT name, dataset, modality, rows, dims, dtype, metric, path FROM embeddings"
        ).fetchall()
        show.table(["embeddings", "dataset", "modality", "rows", "dims", "dtype", "metric", "path"], rows)


def _rows_in(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
    """How many rows a table has, whatever a user called it."""
    from sqlglot import exp

    rows = exp.select(exp.Count(this=exp.Star())).from_(exp.table_(table, db=schema, quoted=True))
    return int(connection.execute(rows.sql("duckdb")).fetchall()[0][0])


def check(
    store: StorePath,
    media_root: Annotated[Path | None, typer.Option(metavar="DIR", help="Also look for the media files here.")] = None,
) -> None:
    """Check a store: ids, source files and, with a media root, the media files. Exits 1 where ids are missing.

    Example: `emm1 check emm1.duckdb --media-root /data/e-mm1`
    """
    from emm1.store.check import check_store

    if media_root is not None and not media_root.is_dir():
        raise typer.BadParameter(f"{media_root} is not a folder", param_hint="--media-root")
    with open_store(store, read_only=True) as opened:
        report = check_store(opened.connection, media_root)
    show.table(["column", "ids", "missing"], [(str(o.reference), o.checked, o.missing) for o in report.orphans])
    known = sum(published == "current" for _, published, _ in report.provenance)
    show.say(f"\n{known} of {len(report.provenance)} source files are the published ones")
    for source, published, note in report.provenance:
        if published != "current":
            show.say(f"  {source}: {published} version{f' ({note})' if note else ''}")
    for names in report.climbing:
        show.warn(f"warning: {names}")
    if report.media is not None:
        show.say()
        show.table(report.media.columns, report.media.iter_rows())
        for line in report.advice:
            show.say(f"note: {line}")
    if not report.whole:
        show.warn("ids are missing: see the table above; rows that name them have no path or caption")
        raise typer.Exit(1)
