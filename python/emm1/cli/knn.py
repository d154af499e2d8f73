"""The commands knn and knn merge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.parameters import (
    AddressOption,
    EngineOption,
    MetricOption,
    ShardOption,
    StorePath,
    engine_of,
    metric_of,
    shard_of,
)
from emm1.store.opening import open as open_store


def knn(
    store: StorePath,
    queries: Annotated[str, typer.Argument(metavar="QUERIES", help="Whose neighbours: a registered name, or a file.")],
    base: Annotated[str, typer.Argument(metavar="BASE", help="Among what: a registered name, or a file.")],
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="The Parquet file to write; with shards, the folder of the parts.")
    ],
    k: Annotated[int, typer.Option("-k", help="How many for each.")] = 16,
    metric: MetricOption = None,
    exclude_self: Annotated[
        bool, typer.Option("--exclude-self", help="Leave out the item of BASE that has the id of the query.")
    ] = False,
    shard: ShardOption = None,
    base_shard: Annotated[
        str | None,
        typer.Option(
            "--base-shard",
            metavar="J/M",
            help="Likewise of BASE, whose share then has to fit in memory, not all of it.",
        ),
    ] = None,
    engine: EngineOption = None,
    address: AddressOption = None,
) -> None:
    """Write the nearest neighbours of every vector of one file in another; an interrupted run goes on where it was.

    Example: `emm1 knn emm1.duckdb text image -k 16 --output neighbours.parquet`, or
    `emm1 knn emm1.duckdb text image -k 16 --output parts --shard 2/3`, and when all three are done
    `emm1 knn merge parts --output neighbours.parquet`
    """
    from emm1.embeddings.blocks import block_of
    from emm1.embeddings.knn_files import knn_shard, knn_to_parquet
    from emm1.store.registered import check_same_items, is_file

    named = metric_of(metric)
    own, own_base = shard_of(shard or "1/1"), shard_of(base_shard or "1/1", "--base-shard")
    chosen_engine = engine_of(engine, address, shard or base_shard)
    with open_store(store, read_only=True) as opened:
        rows, columns = opened.embeddings(queries), opened.embeddings(base)
        chosen = named or opened.metric(base)
        if exclude_self:
            check_same_items(*(None if is_file(each) else opened.registry[each] for each in (queries, base)))
        share, share_of_base = (len(of) // shards for of, (_, shards) in ((rows, own), (columns, own_base)))
        if chosen_engine is None and (why := block_of(share, columns, k, rows=share_of_base).why):
            show.warn(f"note: {why}")
        with show.progress() as progress:
            if shard or base_shard:

                def done(finished: int, wanted: int) -> None:
                    progress("searching", finished, wanted)

                knn_shard(
                    rows,
                    columns,
                    output,
                    k,
                    shard=own,
                    base_shard=own_base,
                    metric=chosen,
                    exclude_self=exclude_self,
                    progress=done,
                )
                written = None
            else:

                def searched(done: int) -> None:
                    if done < len(rows):
                        progress("searching", done, len(rows))
                    else:
                        progress(f"writing {output.name}", 0, 0)

                written = knn_to_parquet(
                    rows,
                    columns,
                    output,
                    k,
                    metric=chosen,
                    exclude_self=exclude_self,
                    progress=searched,
                    engine=chosen_engine,
                )
    if written is None:
        of = [f"{what} {given}" for what, given in (("shard", shard), ("base shard", base_shard)) if given]
        show.say(f"{output}: {', '.join(of)} is done")
    else:
        show.say(f"{output}: {written:,} rows")


def merge(
    parts: Annotated[Path, typer.Argument(metavar="DIR", help="The folder into which all shards wrote.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The Parquet file to write.")],
) -> None:
    """Join what the shards of knn wrote, to the file that one process would have written.

    Example: `emm1 knn merge parts --output neighbours.parquet`
    """
    from emm1.embeddings.knn_files import merge_knn

    with show.progress() as progress:
        progress(f"writing {output.name}", 0, 0)
        written = merge_knn(parts, output)
    show.say(f"{output}: {written:,} rows")
