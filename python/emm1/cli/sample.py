"""The command that writes a sample dataset."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show


class Edition(StrEnum):
    """The form in which the dataset is published."""

    csv = "csv"
    hub = "hub"


def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    scale: Annotated[float, typer.Option(help="Share of the published size; time grows with its square.")] = 0.001,
    embeddings: Annotated[int, typer.Option(metavar="DIM", help="Dimensions of the embeddings; 0 for none.")] = 64,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    edition: Annotated[Edition, typer.Option(help="CSV as in the repository, or Parquet as on the Hub.")] = Edition.csv,
    media: Annotated[
        bool,
        typer.Option("--media", help="Also small pictures, sounds, videos and point clouds for some of the items."),
    ] = False,
) -> None:
    """Write a small dataset of the published shape, with embeddings whose neighbours are known.

    Example: `emm1 sample demo/sample --media`
    """
    from emm1.sample.write import write_sample

    with show.progress() as progress:
        progress(f"writing {folder}", 0, 0)
        write_sample(folder, scale=scale, embeddings=embeddings, seed=seed, edition=edition.value, media=media)
    files = [path for path in folder.rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    show.say(f"{folder}: {len(files)} files, {show.size(total)}. Next: emm1 build {folder} emm1.duckdb")
