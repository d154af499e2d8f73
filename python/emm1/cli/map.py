"""The command that maps embeddings: map."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.parameters import StorePath
from emm1.store.opening import open as open_store


class Distance(StrEnum):
    """Distances that neighbours on a map can go by."""

    cosine = "cosine"
    l2 = "l2"


def map_(
    store: StorePath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the embeddings.")],
    n_neighbors: Annotated[
        int, typer.Option("--n-neighbors", min=2, help="Neighbours that each item is to be near to, as in UMAP.")
    ] = 15,
    min_dist: Annotated[
        float, typer.Option("--min-dist", min=0, max=1, help="How near points may be, as in UMAP.")
    ] = 0.1,
    metric: Annotated[
        Distance | None, typer.Option(help="The distance. [default: as registered, and cosine for dot]")
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="At most so many items, chosen by a hash of their ids and the seed.")
    ] = 400_000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another map and another sample.")] = 0,
) -> None:
    """Lay embeddings out in two dimensions (UMAP of the exact nearest neighbours) for the map page of `emm1 explore`: writes the table `maps`.

    Example: `emm1 map emm1.duckdb image`
    """
    with open_store(store) as opened, show.progress() as progress:
        report = opened.map(
            name,
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            metric=None if metric is None else metric.value,
            sample=sample,
            seed=seed,
            progress=progress,
        )
    show.say(report.summary)
    for note in report.notes:
        show.warn(f"note: {note}")
