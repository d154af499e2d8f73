"""The commands about registered embedding files: add, list, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from emm1 import registry
from emm1.building.sources import Split
from emm1.cli import show
from emm1.cli.data import StorePath
from emm1.embeddings import Metric
from emm1.store import open as open_store

app = typer.Typer(no_args_is_help=True, help="Register embedding files under names.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the embeddings.")]


@app.command()
def add(
    store: StorePath,
    name: Name,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="One vector a row: .npy, a folder of them, .safetensors, …")
    ],
    dataset: Annotated[str, typer.Option(help="Split of the items: 100m, 1m or eshot.")],
    modality: Annotated[str, typer.Option(help="Modality of the items.")],
    ids: Annotated[Path | None, typer.Option(metavar="FILE", help="Ids of the rows. [default: NAME.ids.npy]")] = None,
    metric: Annotated[str, typer.Option(help="cosine, dot or l2.")] = "cosine",
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of what has this name.")] = False,
) -> None:
    """Register an embedding file, after checking it against the store.

    Example: `emm1 embeddings add emm1.duckdb image image.npy --dataset 100m --modality image`
    """
    entry = registry.Registered(
        name,
        cast("Split", dataset),
        modality,
        cast("Metric", metric),
        file.absolute(),
        ids.absolute() if ids else None,
    )
    with open_store(store) as opened:
        for note in registry.add(opened.connection, opened.path.parent, entry, replace=replace):
            show.warn(f"note: {note}")
        embeddings = opened.embeddings(name)
    show.console().print(f"{name}: {len(embeddings):,} × {embeddings.dim:,} {embeddings.dtype}")


@app.command(name="list")
def list_(store: StorePath) -> None:
    """List the registered embeddings.

    Example: `emm1 embeddings list emm1.duckdb`
    """
    with open_store(store, read_only=True) as opened:
        columns = ["name", "dataset", "modality", "rows", "dims", "dtype", "metric", "path"]
        rows = opened.connection.table("embeddings").order("name").select(*columns).fetchall()
    show.table("", columns, rows)


@app.command()
def remove(store: StorePath, name: Name) -> None:
    """Forget registered embeddings; the file stays.

    Example: `emm1 embeddings remove emm1.duckdb image`
    """
    with open_store(store) as opened:
        registry.remove(opened.connection, name)
    show.console().print(f"{name}: forgotten; its file was not touched")
