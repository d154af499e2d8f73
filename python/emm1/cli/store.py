"""The commands that examine a store: info, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import duckdb
import typer

from emm1 import versions
from emm1.cli import show
from emm1.cli.parameters import StorePath
from emm1.store.opening import reading


def info(store: StorePath) -> None:
    """Show what is in a store: rows per table, source files, embeddings, size; and the versions in use.

    Example: `emm1 info emm1.duckdb`
    """
    with reading(store) as connection:
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
    name = ".".join('"{}"'.format(part.replace('"', '""')) for part in (schema, table))
    return connection.table(name).shape[0]


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
    with reading(store) as connection:
        report = check_store(connection, media_root)
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
