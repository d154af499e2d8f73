"""The command explore."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.parameters import StorePath
from emm1.errors import FileNotFoundError
from emm1.store.opening import open as open_store

# What DuckDB may keep of the store in memory: otherwise it becomes all that was ever read, which the system's cache holds anyway.
LIMIT_MEMORY = "SET memory_limit = '250MB'"


def explore(
    store: StorePath,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 for one that is free.")] = 0,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The IP address to listen at; 0.0.0.0 for all of this machine.")
    ] = "127.0.0.1",
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the media. [default: that of the store]")
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A saved report on retrieval, EShot or zero-shot classification, to step through its failures; a second one on retrieval is compared.",
        ),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Look at a store in the browser: prints the address, which only this machine can open by default, until Ctrl-C.

    Example: `emm1 explore emm1.duckdb --root /data/e-mm1`
    """
    from emm1.explore.addresses import is_of_this_machine_only
    from emm1.explore.serve import serve

    if root is not None and not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: name the one that holds the media")

    if not is_of_this_machine_only(host):
        show.warn(
            "warning: whoever reaches this port and has the address, which travels unencrypted, sees the store and its media; "
            "ssh -L leads to a port of another machine without that"
        )

    def told(address: str) -> None:
        show.say(address)
        show.say("Ctrl-C ends it.")
        sys.stdout.flush()

    with open_store(store, read_only=True, root=root) as opened:
        with opened.cursor() as cursor:
            cursor.execute(LIMIT_MEMORY)
        serve(opened, host=host, port=port, reports=report or (), browser=not no_browser, told=told)
