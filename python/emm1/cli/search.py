"""The commands that search: search, knn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.no_rows import reasons
from emm1.cli.output import destination, write_rows
from emm1.cli.parameters import FormatOption, OutputOption, StorePath
from emm1.store.opening import open as open_store


def search(
    store: StorePath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the embeddings.")],
    id: Annotated[int | None, typer.Option("--id", help="Search by the vector of this item.")] = None,  # noqa: A002
    vector: Annotated[Path | None, typer.Option(metavar="FILE", help="Search by the vector in this .npy file.")] = None,
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Search by this text, as --encoder encodes it.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="ENCODER", help="With --text: the encoder that made the embeddings.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    metric: Annotated[str | None, typer.Option(help="cosine, dot or l2. [default: as registered]")] = None,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Only items whose info row fulfils this.")] = None,
    exclude_self: Annotated[bool, typer.Option("--exclude-self", help="Leave out the item of --id.")] = False,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """Show the nearest items, with captions or file paths; an id finds itself first unless excluded.

    Example: `emm1 search emm1.duckdb image --id 7 -k 5 --where "source_dataset = 'COCO'"`,
    or `emm1 search emm1.duckdb captions --text "a dog barks" --encoder minilm`
    """
    from emm1.arguments import read_query
    from emm1.embeddings.file import METRICS

    if [id is None, vector is None, text is None].count(False) != 1:
        raise typer.BadParameter("give one of --id, --vector and --text")
    if (text is None) != (encoder is None):
        raise typer.BadParameter("--text and --encoder belong together: give both or neither")
    if exclude_self and id is None:
        raise typer.BadParameter("leaves out the item of --id, which is not given", param_hint="--exclude-self")
    if metric is not None and metric not in METRICS:
        raise typer.BadParameter(f"{metric!r} is not one of {', '.join(METRICS)}", param_hint="--metric")
    to = destination(format, output)
    with open_store(store, read_only=True) as opened:
        to.check(opened.path)
        what = "caption" if opened.registry[name].modality == "text" else "file_path"
        query = None if vector is None else read_query(vector)
        found = opened.nearest(
            name,
            query,
            k,
            ids=id,
            text=text,
            encoder=encoder,
            where=where,
            metric=metric,
            exclude_self=exclude_self,
            with_items=True,
        )
        if not write_rows(opened.connection, found.select("rank", "id", "score", what), to) and where is not None:
            for reason in reasons(opened.connection, where):
                show.warn(f"no rows: {reason}")


def knn(
    store: StorePath,
    queries: Annotated[str, typer.Argument(metavar="QUERIES", help="Whose neighbours: a registered name, or a file.")],
    base: Annotated[str, typer.Argument(metavar="BASE", help="Among what: a registered name, or a file.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The Parquet file to write.")],
    k: Annotated[int, typer.Option("-k", help="How many for each.")] = 16,
    metric: Annotated[str | None, typer.Option(help="cosine, dot or l2. [default: as BASE is registered]")] = None,
    exclude_self: Annotated[
        bool, typer.Option("--exclude-self", help="Leave out the item of BASE that has the id of the query.")
    ] = False,
) -> None:
    """Write the nearest neighbours of every vector of one file in another; an interrupted run goes on where it was.

    Example: `emm1 knn emm1.duckdb text image -k 16 --output neighbours.parquet`
    """
    from emm1.embeddings.file import METRICS
    from emm1.embeddings.knn import knn_to_parquet
    from emm1.store.registered import check_same_items, is_file

    if metric is not None and metric not in METRICS:
        raise typer.BadParameter(f"{metric!r} is not one of {', '.join(METRICS)}", param_hint="--metric")
    with open_store(store, read_only=True) as opened:
        rows, columns = opened.embeddings(queries), opened.embeddings(base)
        chosen = metric or opened.metric(base)
        if exclude_self:
            check_same_items(*(None if is_file(each) else opened.registry[each] for each in (queries, base)))
        with show.progress() as progress:

            def searched(done: int) -> None:
                if done < len(rows):
                    progress("searching", done, len(rows))
                else:
                    progress(f"writing {output.name}", 0, 0)

            written = knn_to_parquet(
                rows, columns, output, k, metric=chosen, exclude_self=exclude_self, progress=searched
            )
    show.say(f"{output}: {written:,} rows")
