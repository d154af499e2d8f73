"""The commands that examine a store: info, check."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import duckdb
import typer

from emm1 import versions
from emm1.cli import show
from emm1.cli.output import Format, destination, put_lines, write_rows
from emm1.cli.parameters import FormatOption, OutputOption, StorePath
from emm1.cli.screen import Screen
from emm1.store.opening import reading

if TYPE_CHECKING:
    from emm1.store.check import CheckReport


def info(
    store: StorePath,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """Show what is in a store: rows per table, source files, embeddings, size; and the versions in use.

    Example: `emm1 info emm1.duckdb`
    """
    to = destination(format, output)
    with reading(store) as connection:
        to.check(store)
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() "
            "WHERE database_name = current_database() AND schema_name <> 'main' ORDER BY ALL"
        ).fetchall()
        counts = {f"{schema}.{name}": _rows_in(connection, schema, name) for schema, name in tables}
        if to.format is Format.table:
            put_lines(_info_lines(connection, store, counts, to.screen), to)
            return
        values = {
            "path": str(store),
            "size": store.stat().st_size,
            "tables": list(counts),
            "rows": list(counts.values()),
        }
        write_rows(connection, _report(connection, "info", values), to)


def _report(connection: duckdb.DuckDBPyConnection, name: str, values: dict[str, Any]) -> duckdb.DuckDBPyRelation:
    """A report as rows."""
    from importlib.resources import files

    query = (files("emm1") / "sql" / "reports" / f"{name}.sql").read_text(encoding="utf-8")
    return connection.sql(query, params=values)


def _info_lines(
    connection: duckdb.DuckDBPyConnection, store: Path, counts: dict[str, int], screen: Screen | None
) -> list[str]:
    version, built_at, media_root = connection.execute(
        "SELECT emm1_version, strftime(built_at, '%Y-%m-%d %H:%M UTC'), media_root() FROM emm1_store"
    ).fetchall()[0]
    sources = connection.execute(
        "SELECT source, rows, bytes, published, sha256[:12], note FROM provenance ORDER BY source"
    ).fetchall()
    embeddings = connection.execute(
        "SELECT name, dataset, modality, rows, dims, dtype, metric, path, model FROM embeddings ORDER BY name"
    ).fetchall()
    names = ["source", "rows", "bytes", "published", "sha256"]
    about = ["embeddings", "dataset", "modality", "rows", "dims", "dtype", "metric", "path", "model"]
    if not any(model for *_, model in embeddings):  # a terminal of 80 columns has no room for an empty one
        about, embeddings = about[:-1], [row[:-1] for row in embeddings]
    return [
        *show.lines(f"{store}: {show.size(store.stat().st_size)}, built {built_at} by emm1 {version}", screen),
        *show.lines(f"media root: {media_root}", screen),
        *show.lines(f"read with {versions.in_use()}", screen),
        "",
        *show.table(["table", "rows"], counts.items(), ["rows"], screen),
        "",
        *show.table(names, [source for *source, _ in sources], ["rows", "bytes"], screen),
        *(
            line
            for note in dict.fromkeys(note for *_, note in sources if note)
            for line in show.lines(f"note: {note}", screen)
        ),
        "",
        *show.table(about, embeddings, ["rows", "dims"], screen),
    ]


def _rows_in(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
    """How many rows a table has, whatever a user called it."""
    name = ".".join('"{}"'.format(part.replace('"', '""')) for part in (schema, table))
    return connection.table(name).shape[0]


def check(
    store: StorePath,
    media_root: Annotated[Path | None, typer.Option(metavar="DIR", help="Also look for the media files here.")] = None,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """Check a store: ids, source files and, with a media root, the media files. Exits 1 where ids are missing.

    Example: `emm1 check emm1.duckdb --media-root /data/e-mm1`
    """
    from emm1.store.check import check_store

    to = destination(format, output)
    if media_root is not None and not media_root.is_dir():
        raise typer.BadParameter(f"{media_root} is not a folder", param_hint="--media-root")
    with reading(store) as connection:
        to.check(store)
        with show.progress("items") as progress:
            report = check_store(connection, media_root, progress)
        if to.format is Format.table:
            put_lines(_check_lines(report, to.screen), to)
        else:
            write_rows(connection, _report(connection, "check", _check_values(report)), to)
    for names in report.climbing:
        show.warn(f"warning: {names}")
    if not report.whole:
        show.warn("ids are missing: see the table above; rows that name them have no path or caption")
        raise typer.Exit(1)


def _check_lines(report: CheckReport, screen: Screen | None) -> list[str]:
    ids = [(str(column.reference), column.checked, column.missing) for column in report.orphans]
    lines = [*show.table(["column", "ids", "missing"], ids, ["ids", "missing"], screen), ""]
    found = Counter(published for _, published, _ in report.provenance)
    unknown = f"; {found['unknown']} are of unknown version" if found["unknown"] else ""
    lines.append(f"{found['current']} of {found.total()} source files are the published ones{unknown}")
    notes: dict[str, None] = {}
    for source, published, note in report.provenance:
        if published not in {"current", "unknown"}:
            lines += show.lines(f"{source}: {published} version{f' ({note})' if note else ''}", screen)
        elif note:
            notes[note] = None
    lines += [line for note in notes for line in show.lines(f"note: {note}", screen)]
    if report.media is not None:
        lines += ["", *show.table(report.media.columns, report.media.iter_rows(), ["items"], screen)]
        lines += [line for advice in report.advice for line in show.lines(f"note: {advice}", screen)]
    return lines


def _check_values(report: CheckReport) -> dict[str, list[Any]]:
    """The parameters of CHECK."""
    ids, sources, names = report.orphans, report.provenance, report.climbing
    media = [] if report.media is None else report.media.rows()
    return {
        "columns": [str(column.reference) for column in ids],
        "checked": [column.checked for column in ids],
        "missing": [column.missing for column in ids],
        "sources": [source for source, _, _ in sources],
        "published": [published for _, published, _ in sources],
        "notes": [note for _, _, note in sources],
        "named": [climbing.table for climbing in names],
        "climbing": [climbing.count for climbing in names],
        "explained": [str(climbing) for climbing in names],
        "datasets": [dataset for dataset, *_ in media],
        "modalities": [modality for _, modality, *_ in media],
        "source_datasets": [source for _, _, source, *_ in media],
        "reasons": [reason for *_, reason, _ in media],
        "items": [items for *_, items in media],
        "advice": report.advice,
    }
