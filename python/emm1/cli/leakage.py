"""The command that finds what training and evaluation have in common: leakage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emm1.cli import show
from emm1.cli.parameters import StorePath
from emm1.cli.reports import ReportFormat, ReportOutput, show_report

if TYPE_CHECKING:
    from emm1.curation.leakage.report import LeakageReport
    from emm1.store.store import Store


def leakage(
    store: StorePath,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A list of another dataset's items (.csv, .tsv, .txt, .json, .jsonl, .parquet): YouTube ids with times, file names, Objaverse's ids, or dataset, modality and id. [default: eshot, and test and validation of splits]",
        ),
    ] = None,
    embeddings: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Compare the vectors of two registered embeddings too, or of NAME alone; repeatable.",
        ),
    ] = None,
    threshold: Annotated[float, typer.Option(min=-1, max=1, help="The lowest cosine of near vectors.")] = 0.95,
    format: ReportFormat = None,  # noqa: A002 - the option
    output: ReportOutput = None,
) -> None:
    """Find what items for training have in common with items for evaluation, or with a list, and flag them `leak`.

    Example: `emm1 leakage emm1.duckdb --against audiocaps_test.csv`
    """
    pairs = [_names(text) for text in embeddings or ()]

    def find(opened: Store) -> LeakageReport:
        with show.progress() as progress:
            return opened.leakage(against, embeddings=pairs, threshold=threshold, progress=progress)

    show_report(store, find, format, output, "leakage.txt", read_only=False)


def _names(text: str) -> str | tuple[str, str]:
    """The embeddings to compare.

    >>> _names("image_100m, image_1m"), _names("image_100m")
    (('image_100m', 'image_1m'), 'image_100m')
    """
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(names) > 2:  # noqa: PLR2004 - two names
        raise typer.BadParameter(f"{text!r} is not NAME,NAME", param_hint="--embeddings")
    return names[0] if len(names) == 1 else (names[0], names[1])
