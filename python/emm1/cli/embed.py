"""The command embed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from emm1.cli import show
from emm1.cli.parameters import MergeOption, ShardOption, StorePath, shard_or_merge
from emm1.dataset import Split
from emm1.store.opening import open as open_store

if TYPE_CHECKING:
    from emm1.embeddings.file import Metric


def embed(
    store: StorePath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the embeddings.")],
    encoder: Annotated[
        str,
        typer.Option(
            metavar="ENCODER",
            help="minilm, ebind, open-clip:MODEL/WEIGHTS, sentence-transformers:MODEL or an installed one.",
        ),
    ],
    modality: Annotated[str, typer.Option(help="Modality of the items.")],
    dataset: Annotated[str, typer.Option(help="Split of the items: 100m, 1m or eshot.")] = "100m",
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the media. [default: that of the store]")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The .npy file to write. [default: NAME.npy beside the store]")
    ] = None,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Only items whose info row fulfils this.")] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Items that the encoder gets at once.")] = 32,
    metric: Annotated[str, typer.Option(help="cosine, dot or l2.")] = "cosine",
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model that ENCODER is: its embeddings are evaluated together.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of what has this name.")] = False,
    shard: ShardOption = None,
    merge: MergeOption = False,
) -> None:
    """Encode the items whose media are there, and register their vectors; an interrupted run goes on where it was.

    Example: `emm1 embed emm1.duckdb captions --encoder minilm --modality text`
    """
    own = shard_or_merge(shard, merge=merge)
    split = cast("Split", dataset)
    if own:
        from emm1.convert.embed import embed_shard

        with open_store(store, read_only=True) as opened, show.progress() as progress:
            embed_shard(
                opened,
                name,
                encoder,
                shard=own,
                modality=modality,
                dataset=split,
                root=root,
                output=output,
                where=where,
                batch_size=batch_size,
                progress=progress,
            )
        show.say(f"{name}: shard {shard} is done")
        return
    with open_store(store) as opened, show.progress() as progress:
        done = opened.embed(
            name,
            encoder,
            modality=modality,
            dataset=split,
            root=root,
            output=output,
            where=where,
            batch_size=batch_size,
            metric=cast("Metric", metric),
            model=model,
            replace=replace,
            merge=merge,
            progress=progress,
        )
    for note in [*done.registration.notes, *done.notes]:
        show.warn(f"note: {note}")
    shape, source, coverage = done.registration.facts
    show.say(f"{name}: {shape}, in {done.path}; {source}\n{coverage}")
