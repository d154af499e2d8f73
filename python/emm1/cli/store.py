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


# The sections of `info` as one table.
INFO = """
    FROM (
        SELECT 'store' AS kind, $path AS name, NULL::BIGINT AS rows, $size::BIGINT AS bytes, media_root() AS path,
            NULL::VARCHAR AS dataset, NULL::VARCHAR AS modality, NULL::INTEGER AS dims, NULL::VARCHAR AS dtype,
            NULL::VARCHAR AS metric, NULL::VARCHAR AS published, NULL::VARCHAR AS sha256, NULL::VARCHAR AS note,
            built_at AS at, emm1_version
        FROM emm1_store
        UNION ALL BY NAME
        SELECT 'table' AS kind, unnest($tables::VARCHAR[]) AS name, unnest($rows::BIGINT[]) AS rows
        UNION ALL BY NAME
        SELECT 'source' AS kind, source AS name, rows, bytes, path, published, sha256, note, read_at AS at, emm1_version
        FROM provenance
        UNION ALL BY NAME
        SELECT 'embeddings' AS kind, name, rows, bytes, path, dataset, modality::VARCHAR AS modality, dims, dtype, metric,
            added_at AS at, emm1_version
        FROM embeddings
    )
    ORDER BY list_position(['store', 'table', 'source', 'embeddings'], kind), name
"""


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
        write_rows(connection, connection.sql(INFO, params=values), to)


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
        "SELECT name, dataset, modality, rows, dims, dtype, metric, path FROM embeddings ORDER BY name"
    ).fetchall()
    names = ["source", "rows", "bytes", "published", "sha256"]
    about = ["embeddings", "dataset", "modality", "rows", "dims", "dtype", "metric", "path"]
    return [
        *show.lines(f"{store}: {show.size(store.stat().st_size)}, built {built_at} by emm1 {version}", screen),
        *show.lines(f"media root: {media_root}", screen),
        *show.lines(f"read with {versions.in_use()}", screen),
        "",
        *show.table(["table", "rows"], counts.items(), ["rows"], screen),
        "",
        *show.table(names, [source for *source, _ in sources], ["rows", "bytes"], screen),
        *(line for *_, note in sources if note for line in show.lines(f"note: {note}", screen)),
        "",
        *show.table(about, embeddings, ["rows", "dims"], screen),
    ]


def _rows_in(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
    """How many rows a table has, whatever a user called it."""
    name = ".".join('"{}"'.format(part.replace('"', '""')) for part in (schema, table))
    return connection.table(name).shape[0]


# The results of `check` as one table.
CHECK = """
    SELECT 'ids' AS kind, unnest($columns::VARCHAR[]) AS name, NULL::VARCHAR AS dataset, NULL::VARCHAR AS modality,
        NULL::VARCHAR AS source_dataset, NULL::VARCHAR AS status, unnest($checked::BIGINT[]) AS items,
        unnest($missing::BIGINT[]) AS missing, NULL::VARCHAR AS note
    UNION ALL BY NAME
    SELECT 'source' AS kind, unnest($sources::VARCHAR[]) AS name, unnest($published::VARCHAR[]) AS status,
        unnest($notes::VARCHAR[]) AS note
    UNION ALL BY NAME
    SELECT 'file names' AS kind, unnest($named::VARCHAR[]) AS name, unnest($climbing::BIGINT[]) AS items,
        unnest($explained::VARCHAR[]) AS note
    UNION ALL BY NAME
    SELECT 'media' AS kind, unnest($datasets::VARCHAR[]) AS dataset, unnest($modalities::VARCHAR[]) AS modality,
        unnest($source_datasets::VARCHAR[]) AS source_dataset, unnest($reasons::VARCHAR[]) AS status,
        unnest($items::BIGINT[]) AS items
    UNION ALL BY NAME
    SELECT 'advice' AS kind, unnest($advice::VARCHAR[]) AS note
"""


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
            write_rows(connection, connection.sql(CHECK, params=_check_values(report)), to)
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
    for source, published, note in report.provenance:
        if published not in {"current", "unknown"}:
            lines += show.lines(f"{source}: {published} version{f' ({note})' if note else ''}", screen)
        elif note:
            lines += show.lines(f"note: {note}", screen)
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
