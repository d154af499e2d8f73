"""The commands that curate a store: split."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.output import Format, destination, put_lines, write_rows
from emm1.cli.parameters import FormatOption, OutputOption, StorePath
from emm1.store.opening import open as open_store


class By(StrEnum):
    """Ways to split."""

    caption = "caption"
    connected = "connected"


def split(
    store: StorePath,
    test: Annotated[int, typer.Option(min=0, help="Different caption texts for test.")] = 0,
    validation: Annotated[int, typer.Option(min=0, help="Different caption texts for validation.")] = 0,
    by: Annotated[
        By,
        typer.Option(
            help="caption: choose texts, and purge training of what they touch; connected: choose whole components of shared files and texts."
        ),
    ] = By.caption,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another choice.")] = 0,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """Split a store into training, validation and test without leaks: writes the table `splits` and says what that cost.

    Example: `emm1 split emm1.duckdb --test 10000 --validation 10000`
    """
    from emm1.curation.split_report import COLUMNS

    to = destination(format, output)
    with open_store(store) as opened:
        to.check(store)
        with show.progress() as progress:
            report = opened.split(test, validation, by=by.value, seed=seed, progress=progress)
        if to.format is Format.table:
            table = show.table(COLUMNS, report.rows, COLUMNS[2:], to.screen)
            put_lines([*show.lines(report.summary, to.screen), "", *table], to)
        else:
            write_rows(opened.connection, opened.connection.from_arrow(report.to_frame().to_arrow()), to)
    for note in report.notes:
        show.warn(f"note: {note}")
