"""The commands that search: search, knn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import duckdb
import typer

from emm1.cli import show
from emm1.cli.parameters import StorePath
from emm1.store.opening import open as open_store

if TYPE_CHECKING:
    from emm1.store.registered import Registered
    from emm1.store.store import Store


def search(
    store: StorePath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the embeddings.")],
    id: Annotated[int | None, typer.Option("--id", help="Search by the vector of this item.")] = None,  # noqa: A002
    vector: Annotated[Path | None, typer.Option(metavar="FILE", help="Search by the vector in this .npy file.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    metric: Annotated[str | None, typer.Option(help="cosine, dot or l2. [default: as registered]")] = None,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Only items whose info row fulfils this.")] = None,
    exclude_self: Annotated[bool, typer.Option("--exclude-self", help="Leave out the item of --id.")] = False,
) -> None:
    """Show the nearest items, with captions or file paths; an id finds itself first unless excluded.

    Example: `emm1 search emm1.duckdb image --id 7 -k 5 --where "source_dataset = 'COCO'"`
    """
    from emm1.arguments import read_query
    from emm1.embeddings.file import METRICS

    if (id is None) == (vector is None):
        raise typer.BadParameter("give one of --id and --vector")
    if metric is not None and metric not in METRICS:
        raise typer.BadParameter(f"{metric!r} is not one of {', '.join(METRICS)}", param_hint="--metric")
    with open_store(store, read_only=True) as opened:
        entry = opened.registry[name]
        query = read_query(vector) if vector is not None else opened.embeddings(name).vectors([id or 0])[0]
        extra = exclude_self and id is not None and k >= 1
        found = opened.nearest(name, query, k + extra, where=where, metric=metric).fetchall()
        hits = [(item, score) for _, item, score in found if not (extra and item == id)][: k if extra else None]
        labels = _labels(opened, entry, [item for item, _ in hits])
    what = "caption" if entry.modality == "text" else "file_path"
    show.table(["rank", "id", "score", what], [(i, n, s, labels.get(n)) for i, (n, s) in enumerate(hits, 1)])


def _labels(store: Store, entry: Registered, ids: list[int]) -> dict[int, str]:
    """The caption or file path of each item."""
    if entry.modality == "text":
        texts = store.connection.table(entry.table).filter(duckdb.ColumnExpression(entry.key).isin(*ids or [-1]))
        rows = texts.select(entry.key, "caption").fetchall()
    else:
        query = """
            SELECT id, file_path FROM assets
            WHERE dataset = $dataset AND modality = $modality AND id IN (SELECT unnest($ids::BIGINT[]))
        """
        parameters = {"dataset": entry.dataset, "modality": entry.modality, "ids": ids}
        rows = store.connection.execute(query, parameters).fetchall()
    return dict(rows)


def knn(
    store: StorePath,
    queries: Annotated[str, typer.Argument(metavar="QUERIES", help="Whose neighbours: a registered name, or a file.")],
    base: Annotated[str, typer.Argument(metavar="BASE", help="Among what: a registered name, or a file.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The Parquet file to write.")],
    k: Annotated[int, typer.Option("-k", help="How many for each.")] = 16,
    metric: Annotated[str | None, typer.Option(help="cosine, dot or l2. [default: as BASE is registered]")] = None,
) -> None:
    """Write the nearest neighbours of every vector of one file in another; an interrupted run goes on where it was.

    Example: `emm1 knn emm1.duckdb text image -k 16 --output neighbours.parquet`
    """
    from emm1.embeddings.file import METRICS
    from emm1.embeddings.knn import knn_to_parquet

    if metric is not None and metric not in METRICS:
        raise typer.BadParameter(f"{metric!r} is not one of {', '.join(METRICS)}", param_hint="--metric")
    with open_store(store, read_only=True) as opened:
        rows, columns = opened.embeddings(queries), opened.embeddings(base)
        chosen = metric or opened.metric(base)
        with show.progress() as progress:

            def searched(done: int) -> None:
                if done < len(rows):
                    progress("searching", done, len(rows))
                else:
                    progress(f"writing {output.name}", 0, 0)

            written = knn_to_parquet(rows, columns, output, k, metric=chosen, progress=searched)
    show.say(f"{output}: {written:,} rows")
