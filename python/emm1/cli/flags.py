"""The commands about flags: add, list, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.commands import Commands
from emm1.cli.output import destination, write_rows
from emm1.cli.parameters import FormatOption, OutputOption, StorePath
from emm1.store.opening import open as open_store

app = Commands("Note what you found out about items in the table flags.")


@app.command()
def add(
    store: StorePath,
    items: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A .csv, .parquet or .jsonl file with dataset, modality and id, such as a basket."
        ),
    ],
    flag: Annotated[str, typer.Option(metavar="NAME", help="The note in a word, such as broken or favourite.")],
    detail: Annotated[str | None, typer.Option(metavar="TEXT", help="More about it, the same for all.")] = None,
    source: Annotated[str, typer.Option(metavar="NAME", help="Who says so. Another source's flags stay.")] = "basket",
) -> None:
    """Flag items: what the same source said in the same word about them before is replaced.

    Example: `emm1 flags add emm1.duckdb basket.csv --flag broken`
    """
    with open_store(store) as opened:
        flagged = opened.add_flags(items, flag, detail=detail, source=source)
    show.say(f"{store}: {flagged:,} {'item' if flagged == 1 else 'items'} flagged {flag}")


@app.command("list")
def list_(store: StorePath, format: FormatOption = None, output: OutputOption = None) -> None:  # noqa: A002 - the option
    """Show the flags that items have, and how many have them.

    Example: `emm1 flags list emm1.duckdb`
    """
    to = destination(format, output)
    with open_store(store, read_only=True) as opened:
        to.check(opened.path)
        write_rows(opened.connection, opened.flags(), to, counts=("items",))


@app.command()
def remove(
    store: StorePath,
    flag: Annotated[str, typer.Option(metavar="NAME", help="The flag to take away from all items that have it.")],
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only where this source gave it. [default: all sources]")
    ] = None,
) -> None:
    """Take a flag away.

    Example: `emm1 flags remove emm1.duckdb --flag broken --source basket`
    """
    with open_store(store) as opened:
        removed = opened.remove_flags(flag, source=source)
    show.say(f"{store}: {removed:,} {'flag' if removed == 1 else 'flags'} {flag} removed")
