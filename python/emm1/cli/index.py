"""The commands that make indexes: captions."""

from __future__ import annotations

from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.commands import Commands
from emm1.cli.parameters import StorePath
from emm1.store.opening import open as open_store

app = Commands("Make indexes.")


@app.command()
def captions(
    store: StorePath,
    memory_limit: Annotated[str, typer.Option(help="What all of it may use; DuckDB gets half.")] = "2GB",
) -> None:
    """Index the words of all captions, for `emm1 search --match` and the macro `match_captions`.

    Example: `emm1 index captions emm1.duckdb`
    """
    with open_store(store) as opened, show.progress() as progress:
        indexed = opened.index_captions(memory_limit=memory_limit, progress=progress)
    show.say(f"{store}: {indexed:,} captions are indexed")
