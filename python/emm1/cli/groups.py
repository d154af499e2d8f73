"""The commands about groups of nearest neighbours: verify, make, score."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.commands import Commands
from emm1.cli.output import Format, destination, write_rows
from emm1.cli.parameters import (
    AddressOption,
    AvailableOption,
    EngineOption,
    ExcludeOption,
    FormatOption,
    MergeOption,
    ModalitiesOption,
    OutputOption,
    ShardOption,
    StorePath,
    by_modality,
    engine_of,
    flags_of,
    numbers,
    shard_or_merge,
)
from emm1.store.opening import open as open_store

app = Commands("Compare the groups of nearest neighbours with a model, make new ones, or score them.")
# Of the table of verify, what 80 columns have room for.
COUNTED = ("tied", "moved", "different", "without_vector", "null")
ON_SCREEN = ("modality", "nn_index", "agreement", "recall", *COUNTED)
Ranks = Annotated[
    str | None, typer.Option("--nn-index", metavar="RANKS", help="Ranks, e.g. 1-16 or 1,2,5. [default: all there]")
]


@app.command()
def verify(
    store: StorePath,
    embeddings: ModalitiesOption,
    nn_index: Ranks = None,
    captions: Annotated[int, typer.Option(min=0, help="Captions to look at, drawn at random; 0 for all.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other captions.")] = 0,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """Compare the groups with the nearest items that a model gives, by modality and rank.

    Example: `emm1 groups verify emm1.duckdb --embeddings text=text,image=image --nn-index 1-4`
    """
    from emm1.evaluation.groups import verify as compare

    to = destination(format, output)
    named, ranks = by_modality(embeddings), _ranks(nn_index)
    with open_store(store, read_only=True) as opened:
        to.check(opened.path)
        with show.progress("searches") as progress:
            found = compare(
                opened, named, ranks, captions=captions or None, seed=seed, progress=partial(progress, "searching")
            )
        frame = found.to_frame()
        if to.format is Format.table and to.screen:
            show.say(found.protocol)
            frame = frame.select(ON_SCREEN).with_columns(frame["agreement"].round(4), frame["recall"].round(4))
        else:  # the rows may go to a program, which must not meet a line of words
            show.warn(found.protocol)
        write_rows(opened.connection, opened.connection.from_arrow(frame.to_arrow()), to, counts=COUNTED)


@app.command()
def make(
    store: StorePath,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write; it must not exist.")],
    embeddings: ModalitiesOption,
    k: Annotated[int, typer.Option("--k", "-k", help="Ranks, from 1 to 16.")] = 16,
    exclude: ExcludeOption = None,
    available: AvailableOption = False,
    shard: ShardOption = None,
    merge: MergeOption = False,
    engine: EngineOption = None,
    address: AddressOption = None,
) -> None:
    """Make groups by a model of your own, in the published shape; an interrupted run goes on where it was.

    Example: `emm1 groups make emm1.duckdb own-groups --embeddings text=text,image=image`, then
    `emm1 build ROOT emm1.duckdb --groups own-groups`
    """
    from emm1.evaluation.groups import make as write
    from emm1.evaluation.groups import make_shard

    own = shard_or_merge(shard, merge=merge)
    chosen = engine_of(engine, address, shard, merge=merge)
    named, notes = by_modality(embeddings), list[str]()
    with open_store(store, read_only=True) as opened, show.progress("searches") as progress:
        told, out = partial(progress, "searching"), flags_of(exclude)
        if own:
            make_shard(opened, output, named, k, shard=own, exclude=out, available=available, progress=told)
        else:
            captions = write(
                opened,
                output,
                named,
                k,
                exclude=out,
                available=available,
                merge=merge,
                engine=chosen,
                progress=told,
                note=notes.append,
            )
    if own:
        show.say(f"{output}.parts: shard {shard} is done")
        return
    show.say(f"{output}: groups of {captions:,} captions, nn_1{f' to nn_{k}' if k > 1 else ''}")
    for line in notes:
        show.say(line)


@app.command()
def score(
    store: StorePath,
    embeddings: ModalitiesOption,
    output: Annotated[Path, typer.Option(metavar="FILE.parquet", help="The Parquet file to write.")],
    nn_index: Ranks = None,
    exclude: ExcludeOption = None,
    available: AvailableOption = False,
) -> None:
    """Write the cosine of every two items of each group; an interrupted run goes on where it was.

    Example: `emm1 groups score emm1.duckdb --embeddings text=text,image=image,audio=audio --output scores.parquet`
    """
    from emm1.evaluation.groups import score as write

    named, ranks, notes = by_modality(embeddings), _ranks(nn_index), list[str]()
    with open_store(store, read_only=True) as opened, show.progress("captions") as progress:
        rows = write(
            opened,
            named,
            output,
            ranks,
            exclude=flags_of(exclude),
            available=available,
            progress=partial(progress, "scoring"),
            note=notes.append,
        )
    for line in [f"{output}: {rows:,} groups", *notes]:
        show.say(line)


def _ranks(text: str | None) -> list[int] | None:
    return None if text is None else numbers(text, "--nn-index")
