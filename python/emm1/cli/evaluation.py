"""The commands that evaluate embeddings: eshot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.parameters import StorePath
from emm1.store.opening import open as open_store


def eshot(
    store: StorePath,
    audio: Annotated[str, typer.Option(metavar="NAME|FILE", help="Audio embeddings: a registered name, or a file.")],
    points: Annotated[str, typer.Option(metavar="NAME|FILE", help="Point cloud embeddings, likewise.")],
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write the report as HTML, CSV and JSON.")
    ] = None,
) -> None:
    """Run the EShot zero-shot evaluation, as published.

    Example: `emm1 eshot emm1.duckdb --audio eshot_audio.npy --points eshot_points.npy --output report`
    """
    with open_store(store, read_only=True) as opened:
        report = opened.eshot(audio, points)
    show.say(report)
    if output is not None:
        report.save(output)
        show.warn(f"wrote {output / 'report.html'}")
