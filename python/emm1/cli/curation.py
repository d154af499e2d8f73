"""The commands that curate a store: split, negatives."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.output import Format, destination, put_lines, write_rows
from emm1.cli.parameters import (
    AvailableOption,
    ExcludeOption,
    FormatOption,
    OutputOption,
    StorePath,
    flags_of,
    metric_of,
)
from emm1.store.opening import open as open_store


class By(StrEnum):
    """Ways to split."""

    caption = "caption"
    connected = "connected"


def split(
    store: StorePath,
    test: Annotated[int, typer.Option(min=0, help="Different caption texts for test.")] = 0,
    validation: Annotated[int, typer.Option(min=0, help="Different caption texts for validation.")] = 0,
    by: Annotated[
        By,
        typer.Option(
            help="caption: choose texts, and purge training of what they touch; connected: choose whole components of shared files and texts."
        ),
    ] = By.caption,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another choice.")] = 0,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """Split a store into training, validation and test without leaks: writes the table `splits` and says what that cost.

    Example: `emm1 split emm1.duckdb --test 10000 --validation 10000`
    """
    from emm1.curation.split_report import COLUMNS

    to = destination(format, output)
    with open_store(store) as opened:
        to.check(store)
        with show.progress() as progress:
            report = opened.split(test, validation, by=by.value, seed=seed, progress=progress)
        if to.format is Format.table:
            table = show.table(COLUMNS, report.rows, COLUMNS[2:], to.screen)
            put_lines([*show.lines(report.summary, to.screen), "", *table], to)
        else:
            write_rows(opened.connection, opened.connection.from_arrow(report.to_frame().to_arrow()), to)
    for note in report.notes:
        show.warn(f"note: {note}")


def negatives(
    store: StorePath,
    queries: Annotated[
        str, typer.Argument(metavar="QUERIES", help="Vectors to search by: a registered name, or a file.")
    ],
    base: Annotated[str, typer.Argument(metavar="BASE", help="What negatives are taken from, likewise.")],
    output: Annotated[Path, typer.Option(metavar="FILE.parquet", help="The Parquet file to write.")],
    pairs: Annotated[
        str,
        typer.Option(
            metavar="KIND|FILE",
            help="The right answers: captions, groups, triplets, same-id, or a file with query_id, id and optionally grade.",
        ),
    ] = "captions",
    num_negatives: Annotated[int, typer.Option(min=1, metavar="N", help="How many for each query.")] = 3,
    range_min: Annotated[int, typer.Option(min=0, metavar="N", help="Skip the N best items.")] = 0,
    range_max: Annotated[int, typer.Option(min=1, metavar="N", help="Look at the N best items only.")] = 100,
    relative_margin: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="A negative's score is at most 1 - SHARE times that of the right answer."),
    ] = None,
    max_score: Annotated[
        float | None, typer.Option(metavar="SCORE", help="A negative's score is at most this.")
    ] = None,
    near_duplicates: Annotated[
        float | None,
        typer.Option(metavar="COSINE", help="Leave out items whose cosine with a right answer is at least this."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="The score: cosine, dot or l2. [default: as BASE is registered]")
    ] = None,
    exclude: ExcludeOption = None,
    available: AvailableOption = False,
) -> None:
    """Write hard negatives, the best items for each query that do not belong to it; an interrupted run goes on where it was.

    Example: `emm1 negatives emm1.duckdb text_1m image_1m --num-negatives 5 --relative-margin 0.05 --output negatives.parquet`
    """
    score = metric_of(metric)
    with open_store(store, read_only=True) as opened, show.progress("queries") as progress:
        report = opened.negatives(
            queries,
            base,
            output,
            pairs,
            num_negatives=num_negatives,
            range_min=range_min,
            range_max=range_max,
            relative_margin=relative_margin,
            max_score=max_score,
            near_duplicates=near_duplicates,
            metric=score,
            exclude=flags_of(exclude),
            available=available,
            progress=partial(progress, "searching"),
        )
    show.say(f"{output}: {report}")
