"""The commands that write rows for other programs: export, lake."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.parameters import AvailableOption, ExcludeOption, StorePath, flags_of
from emm1.store.opening import open as open_store


class To(StrEnum):
    """What rows can be exported to."""

    parquet = "parquet"
    arrow = "arrow"
    csv = "csv"
    jsonl = "jsonl"
    webdataset = "webdataset"
    hub = "hub"


class Incomplete(StrEnum):
    """What to do with rows of which a file is not there."""

    drop = "drop"
    keep = "keep"


def export(
    store: StorePath,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A table or view, such as groups, or one query.")],
    to: Annotated[To, typer.Option("--to", help="The format.")],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="The folder to write, which must be new.")],
    partition_by: Annotated[
        str | None, typer.Option("--partition-by", metavar="COL", help="A folder COL=VALUE for each value of a column.")
    ] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(
            "--shard-size", metavar="N", min=1, help="Rows of a file. [default: 1000000; webdataset 1000; hub all]"
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the media. [default: $ROOT_DATA_PATH, or that of the build]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="webdataset: another seed is another order.")] = 0,
    incomplete: Annotated[
        Incomplete, typer.Option(help="webdataset: rows of which a file is not there.")
    ] = Incomplete.drop,
    group_captions: Annotated[
        bool, typer.Option("--group-captions", help="webdataset: let all rows of a caption stand together.")
    ] = False,
    exclude: ExcludeOption = None,
    available: AvailableOption = False,
    memory_limit: Annotated[str, typer.Option(help="What all of it may use; DuckDB gets half.")] = "2GB",
) -> None:
    """Export the rows of a table, a view or a query as files for other programs.

    Example: `emm1 export emm1.duckdb groups --to parquet --output groups --partition-by nn_index`
    """
    with open_store(store, read_only=True, root=root) as opened, show.progress() as progress:
        report = opened.export(
            query,
            to.value,
            output,
            partition_by=partition_by,
            shard_size=shard_size,
            seed=seed,
            incomplete=incomplete.value,
            group_captions=group_captions,
            exclude=flags_of(exclude),
            available=available,
            memory_limit=memory_limit,
            progress=progress,
        )
    show.say(report.summary)
    for note in report.notes:
        show.warn(f"note: {note}")


def lake(
    store: StorePath,
    output: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write, which must be new.")],
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the media. [default: $ROOT_DATA_PATH, or that of the build]"),
    ] = None,
    memory_limit: Annotated[str, typer.Option(help="What all of it may use; DuckDB gets half.")] = "2GB",
) -> None:
    """Write the tables as sorted Parquet, and the views as SQL for Spark.

    Example: `emm1 lake emm1.duckdb lake`
    """
    with open_store(store, read_only=True, root=root) as opened, show.progress() as progress:
        report = opened.lake(output, memory_limit=memory_limit, progress=progress)
    show.say(str(report))
