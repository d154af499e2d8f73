"""The command that searches: search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.no_rows import reasons
from emm1.cli.output import Destination, destination, write_rows
from emm1.cli.parameters import FormatOption, OutputOption, StorePath, metric_of
from emm1.store.opening import open as open_store


def search(
    store: StorePath,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of the embeddings; none with --match.")
    ] = None,
    id: Annotated[int | None, typer.Option("--id", help="Search by the vector of this item.")] = None,  # noqa: A002
    vector: Annotated[Path | None, typer.Option(metavar="FILE", help="Search by the vector in this .npy file.")] = None,
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Search by this text, as --encoder encodes it.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="ENCODER", help="With --text: the encoder that made the embeddings.")
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help='Find captions with all of these words; "words in quotes" as a phrase.'),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    metric: Annotated[str | None, typer.Option(help="cosine, dot or l2. [default: as registered]")] = None,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Only items whose info row fulfils this.")] = None,
    exclude_self: Annotated[bool, typer.Option("--exclude-self", help="Leave out the item of --id.")] = False,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """Show the nearest items, with captions or file paths (an id finds itself first unless excluded), or the captions with some words.

    Example: `emm1 search emm1.duckdb image --id 7 -k 5 --where "source_dataset = 'COCO'"`,
    or `emm1 search emm1.duckdb captions --text "a dog barks" --encoder minilm`,
    or `emm1 search emm1.duckdb --match "red car"`
    """
    from emm1.arguments import read_query

    if [id is None, vector is None, text is None, match is None].count(False) != 1:
        raise typer.BadParameter("give one of --id, --vector, --text and --match")
    if (text is None) != (encoder is None):
        raise typer.BadParameter("--text and --encoder belong together: give both or neither")
    if exclude_self and id is None:
        raise typer.BadParameter("leaves out the item of --id, which is not given", param_hint="--exclude-self")
    chosen = metric_of(metric)
    to = destination(format, output)
    if match is not None:
        _check_absent({"NAME": name, "--metric": metric, "--where": where})
        _match(store, match, k, to)
        return
    if name is None:
        raise typer.BadParameter("is missing: the name of the embeddings to search", param_hint="NAME")
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
            metric=chosen,
            exclude_self=exclude_self,
            with_items=True,
        )
        if not write_rows(opened.connection, found.select("rank", "id", "score", what), to) and where is not None:
            for reason in reasons(opened.connection, where):
                show.warn(f"no rows: {reason}")


def _check_absent(parameters: dict[str, str | None]) -> None:
    """Refuse parameters about embeddings, which a search for words does not use."""
    for name, given in parameters.items():
        if given is not None:
            raise typer.BadParameter("is about embeddings, which --match does not search", param_hint=name)


def _match(store: Path, words: str, k: int, to: Destination) -> None:
    """Write the captions that have some words."""
    from emm1.store.caption_index import unknown_words

    with open_store(store, read_only=True) as opened:
        to.check(opened.path)
        if write_rows(opened.connection, opened.match_captions(words, k), to):
            return
        unknown = ", ".join(f"'{word}'" for word in unknown_words(opened.connection, words))
        show.warn(f"no rows: no caption has {unknown}" if unknown else "no rows: no caption has all of this")
