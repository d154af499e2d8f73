"""The commands about media files: show, convert-points."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.commands import Commands

app = Commands("Look at media files, or convert point clouds.")


@app.command(name="show")
def show_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Media files.")],
) -> None:
    """Say what files are: images, videos, audio, point clouds, pointers and pages in their place.

    Example: `emm1 media show chair.npy`
    """
    from emm1.media.describe import describe

    for file in files:
        first, *others = describe(file)
        show.say(f"{file}: {first}")
        for line in others:
            show.say(f"  {line}")


@app.command()
def convert_points(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A .npy file of a point cloud, or a folder of them.")
    ],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The file or folder to write.")],
    normalize: Annotated[
        bool,
        typer.Option(
            "--normalize", help="Centre each cloud and scale it into the unit sphere, as Uni3D does in training."
        ),
    ] = False,
) -> None:
    """Write point clouds as plain arrays of (points, 6), which EBind reads: x, y, z, red, green, blue.

    Reads OpenShape's pickled dictionaries, without running them, and plain arrays. Files that are in TARGET already stay, so
    that an interrupted run can be repeated.

    Example: `emm1 media convert-points shared/points converted/shared/points`
    """
    from emm1.media.convert import convert_points as convert

    with show.progress("files") as progress:
        done = convert(source, target, normalize=normalize, progress=progress)
    for fact in done.facts():
        show.warn(f"note: {fact}")
    present = f", {done.present:,} were there already" if done.present else ""
    show.say(f"{target}: {done.written:,} written{present}")
