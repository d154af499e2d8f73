"""The commands about flags: add."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.commands import Commands
from emm1.cli.parameters import StorePath
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
