"""The command about licences: licenses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.output import Destination, Format, check_target, destination, put_lines, write_rows
from emm1.cli.parameters import FormatOption, OutputOption, StorePath
from emm1.store.opening import open as open_store


def licenses(
    store: StorePath,
    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Only the items that satisfy this condition on the view assets."),
    ] = None,
    groups: Annotated[
        bool,
        typer.Option("--groups", help="The strictest terms of each group; --where is then on the view group_captions."),
    ] = False,
    attribution: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write whom to name for the items, as plain text.")
    ] = None,
    flag: Annotated[
        bool, typer.Option("--flag/--no-flag", help="Write the table licenses and the flags of the whole store.")
    ] = True,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """Say what the licence texts of items allow and oblige to, and flag items `noncommercial` or `unreviewed-license`. No legal advice.

    Example: `emm1 licenses emm1.duckdb --where "modality = 'image'"`
    """
    if groups and attribution:
        raise typer.BadParameter("is for items, not for groups: give one of the two", param_hint="--attribution")
    to = destination(format, output)
    with open_store(store, read_only=groups or not flag) as opened:
        to.check(store)
        check_target(attribution, store)
        items = None if groups else opened.licenses(where, flag=flag)
        report = opened.group_licenses(where) if items is None else items
        rows = opened.connection.from_arrow(report.to_frame().to_arrow())
        write_rows(opened.connection, rows, to, counts=["groups" if groups else "items"])
        if items and attribution:
            put_lines(items.attribution().splitlines(), Destination(Format.table, attribution))
    for note in [report.summary, *report.notes]:
        show.warn(f"note: {note}")
