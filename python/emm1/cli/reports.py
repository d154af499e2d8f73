"""Reports on the command line: as text, as the files of a folder, or as rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from emm1.cli import show
from emm1.cli.output import Destination, Format, destination, format_of, write_rows
from emm1.store.opening import open as open_store

if TYPE_CHECKING:
    import polars as pl

    from emm1.store.store import Store

ReportFormat = Annotated[
    Format | None, typer.Option("--format", help="Write the rows of the report instead, in this format.")
]
ReportOutput = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="DIR|FILE",
        help="Also write the report with its tables to DIR; with --format, or a FILE such as .csv, the rows.",
    ),
]


class Report(Protocol):
    """What an evaluation gives; `str(report)` is its text."""

    def to_frame(self) -> pl.DataFrame:
        """Its rows."""

    def save(self, folder: str | Path) -> Path:
        """Write it as files."""


def show_report(
    store: Path,
    evaluate: Callable[[Store], Report],
    format: Format | None,  # noqa: A002 - the option
    output: Path | None,
    page: str,
    *,
    read_only: bool = True,
) -> None:
    """Evaluate something in a store, and show what was found.

    Args:
        store: the DuckDB file.
        evaluate: makes the report.
        format: the option --format.
        output: the option --output.
        page: the name of the file to open first, of those that the report writes.
        read_only: whether the evaluation leaves the store as it is.
    """
    from emm1.evaluation.report.folder import check_folder

    to = _rows_to(format, output)
    if to is None and output is not None:
        check_folder(output)
    with open_store(store, read_only=read_only) as opened:
        if to is not None:
            to.check(opened.path)
        report = evaluate(opened)
        if to is not None:
            rows = opened.connection.from_arrow(report.to_frame().to_arrow())
            write_rows(opened.connection, rows, to)
            return
        show.say(report)
        if output is not None:
            report.save(output)
            show.warn(f"wrote {output / page}")


def _rows_to(format: Format | None, output: Path | None) -> Destination | None:  # noqa: A002 - the option
    """Where the rows of a report go; None if the report itself is wanted, as text or as the files of a folder."""
    report = format is None and (output is None or _is_folder(output))
    return None if report else destination(format, output)


def _is_folder(path: Path) -> bool:
    """Whether the report goes to a folder of this name: its suffix is not one of a file of rows."""
    return path.is_dir() or not path.suffix or format_of(path) is None
