"""The commands about media files: check, show, convert-points."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from emm1.cli import show
from emm1.cli.commands import Commands
from emm1.cli.output import Format, destination, put_lines, write_rows
from emm1.cli.parameters import FormatOption, OutputOption, StorePath
from emm1.dataset import FILE_MODALITIES, SPLITS, Split
from emm1.store.opening import open as open_store

app = Commands("Check and look at media files, or convert point clouds.")


@app.command()
def check(
    store: StorePath,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The media folder; by default the store's.", show_default=False)
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only of 100m, 1m or eshot; repeatable.")
    ] = None,
    modality: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only image, audio, video or points; repeatable.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Check everything again, as is right for another folder than before.")
    ] = False,
    failed: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write only the rows of files that failed, and lists for downloaders."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Files decoded at a time.", show_default=False)] = None,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """Check media files: that they are there, are what they should be, and decode; writes the table `media_status`.

    What was checked before is checked again only if its file changed, so an interrupted run goes on. Decoding needs
    `pip install 'emm1[media]'`.

    Example: `emm1 media check emm1.duckdb --root /data/e-mm1 --failed failed`
    """
    from emm1.curation.failed_media import write_failed

    to = destination(format, output)
    with open_store(store) as opened:
        to.check(store)
        with show.progress("files") as progress:
            report = opened.check_media(
                root,
                splits=cast("list[Split]", split) or SPLITS,
                modalities=modality or FILE_MODALITIES,
                again=again,
                threads=threads,
                progress=progress,
            )
        frame = report.to_frame()
        if to.format is Format.table:
            put_lines(show.table(frame.columns, frame.rows(), frame.columns[3:], to.screen), to)
        else:
            write_rows(opened.connection, opened.connection.from_arrow(frame.to_arrow()), to)
        if not report.decoded:
            show.warn("note: nothing was decoded, only sizes and first bytes were looked at: pip install 'emm1[media]'")
        if report.examined < report.items:
            known = report.items - report.examined
            show.warn(f"note: {known:,} were checked before and have not changed since")
        if failed is not None:
            written = write_failed(opened, failed)
            show.warn(f"note: {failed}: {written:,} rows of items whose files failed")


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
