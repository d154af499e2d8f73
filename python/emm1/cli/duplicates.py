"""The command that finds duplicates: duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emm1.cli import show
from emm1.cli.output import destination
from emm1.cli.parameters import (
    AddressOption,
    EngineOption,
    MergeOption,
    ShardOption,
    StorePath,
    engine_of,
    shard_or_merge,
)
from emm1.cli.screen import Screen
from emm1.store.opening import open as open_store

if TYPE_CHECKING:
    import polars as pl

COUNTED = ("partners", "pairs")


def duplicates(
    store: StorePath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Registered embeddings.")],
    threshold: Annotated[
        float, typer.Option(metavar="T", help="The lowest score of a pair; for l2, the greatest distance.")
    ],
    output: Annotated[Path, typer.Option(metavar="FILE.parquet", help="The Parquet file to write: a, b, score.")],
    other: Annotated[
        str | None, typer.Argument(metavar="NAME2", help="Others to compare them with. [default: themselves]")
    ] = None,
    most_equal: Annotated[
        int,
        typer.Option(
            "--most-equal", metavar="N", min=1, help="How many rows may have the same vector; more are refused."
        ),
    ] = 10_000,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Also count the pairs of stricter thresholds, and show some of each.")
    ] = False,
    shard: ShardOption = None,
    merge: MergeOption = False,
    engine: EngineOption = None,
    address: AddressOption = None,
) -> None:
    """Write every pair of items whose vectors are alike, and flag those that a kept one makes superfluous; an interrupted run goes on where it was.

    Example: `emm1 duplicates emm1.duckdb image --threshold 0.95 --output duplicates.parquet`
    """
    own = shard_or_merge(shard, merge=merge)
    chosen = engine_of(engine, address, shard, merge=merge)
    if own:
        from emm1.curation.duplicates.run import find_shard

        with open_store(store, read_only=True) as opened, show.progress() as progress:
            find_shard(
                opened,
                name,
                other,
                shard=own,
                threshold=threshold,
                most_equal=most_equal,
                output=output,
                progress=progress,
            )
        show.say(f"{output}.parts: shard {shard} is done")
        return
    with open_store(store) as opened, show.progress() as progress:
        report = opened.duplicates(
            name,
            other,
            threshold=threshold,
            most_equal=most_equal,
            output=output,
            sweep=sweep,
            merge=merge,
            engine=chosen,
            progress=progress,
        )
    for note in report.notes:
        show.warn(f"note: {note}")
    screen = destination(None, None).screen
    lines = show.lines(f"{report.summary}\n{report.decision}", screen)
    if len(report.hubs):
        lines = [*_table(report.hubs.drop("hubs"), screen), "", *lines]
    if report.sweep is not None and report.samples is not None:
        lines += ["", *_table(report.sweep, screen), "", *_table(report.samples, screen)]
    for line in lines:
        show.put(line)


def _table(frame: pl.DataFrame, screen: Screen | None) -> list[str]:
    import polars as pl
    from polars import selectors as cs

    texts = frame.with_columns(cs.float().cast(pl.String))  # float32 as short as it is
    return show.table(frame.columns, texts.rows(), COUNTED, screen)
