"""The commands that evaluate embeddings: eshot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.output import Format, destination, format_of, write_rows
from emm1.cli.parameters import StorePath
from emm1.store.opening import open as open_store


def eshot(
    store: StorePath,
    audio: Annotated[str, typer.Option(metavar="NAME|FILE", help="Audio embeddings: a registered name, or a file.")],
    points: Annotated[str, typer.Option(metavar="NAME|FILE", help="Point cloud embeddings, likewise.")],
    format: Annotated[  # noqa: A002 - the option
        Format | None,
        typer.Option("--format", help="Write a row for each category and direction instead, in this format."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE",
            help="Also write the report as HTML, CSV and JSON to DIR; with --format, or a FILE such as .csv, the rows.",
        ),
    ] = None,
) -> None:
    """Run the EShot zero-shot evaluation, as published.

    Example: `emm1 eshot emm1.duckdb --audio eshot_audio.npy --points eshot_points.npy --output report`
    """
    to = None if format is None and (output is None or _is_folder(output)) else destination(format, output)
    with open_store(store, read_only=True) as opened:
        if to is not None:
            to.check(opened.path)
        report = opened.eshot(audio, points)
        if to is not None:
            rows = opened.connection.from_arrow(report.to_frame().to_arrow())
            write_rows(opened.connection, rows, to)
            return
    show.say(report)
    if output is not None:
        report.save(output)
        show.warn(f"wrote {output / 'report.html'}")


def _is_folder(path: Path) -> bool:
    """Whether the report goes to a folder of this name: its suffix is not one of a file of rows."""
    return path.is_dir() or not path.suffix or format_of(path) is None
