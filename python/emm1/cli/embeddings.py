"""The commands about embedding files: add, list, verify, remove, import."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from emm1.cli import show
from emm1.cli.commands import Commands
from emm1.cli.output import destination, write_rows
from emm1.cli.parameters import FormatOption, OutputOption, StorePath
from emm1.dataset import Split
from emm1.store.opening import open as open_store
from emm1.store.opening import reading

if TYPE_CHECKING:
    from emm1.embeddings.file import Metric

app = Commands("Register embedding files under names, or convert them.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the embeddings.")]


@app.command()
def add(
    store: StorePath,
    name: Name,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="One vector a row: .npy, a folder of them, .safetensors, …")
    ],
    dataset: Annotated[str, typer.Option(help="Split of the items: 100m, 1m or eshot.")],
    modality: Annotated[str, typer.Option(help="Modality of the items.")],
    ids: Annotated[Path | None, typer.Option(metavar="FILE", help="Ids of the rows. [default: NAME.ids.npy]")] = None,
    codes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Codes of the rows, made if absent. [default: FILE.codes]")
    ] = None,
    no_codes: Annotated[bool, typer.Option("--no-codes", help="Make and use no codes.")] = False,
    metric: Annotated[str, typer.Option(help="cosine, dot or l2.")] = "cosine",
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model that made them: its embeddings are evaluated together.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of what has this name.")] = False,
) -> None:
    """Register an embedding file, after checking it against the store.

    Example: `emm1 embeddings add emm1.duckdb image image.npy --dataset 100m --modality image`
    """
    if codes and no_codes:
        raise typer.BadParameter("--codes and --no-codes exclude each other")
    with open_store(store) as opened, show.progress() as progress:
        found = opened.registry.add(
            name,
            file,
            dataset=cast("Split", dataset),
            modality=modality,
            ids=ids,
            codes=False if no_codes else codes,
            metric=cast("Metric", metric),
            model=model,
            replace=replace,
            progress=partial(progress, f"reading {file.name}"),
        )
    for note in found.notes:
        show.warn(f"note: {note}")
    shape, source, coverage = found.facts
    show.say(f"{name}: {shape}; {source}\n{coverage}")


@app.command(name="list")
def list_(
    store: StorePath,
    format: FormatOption = None,  # noqa: A002 - the option
    output: OutputOption = None,
) -> None:
    """List the registered embeddings.

    Example: `emm1 embeddings list emm1.duckdb`
    """
    to = destination(format, output)
    with reading(store) as connection:
        to.check(store)
        columns = ["name", "dataset", "modality", "model", "rows", "dims", "dtype", "metric", "path"]
        rows = connection.table("embeddings").order("name").select(*columns)
        write_rows(connection, rows, to, counts=["rows"])


@app.command()
def verify(
    store: StorePath,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Name of the embeddings. [default: all]")] = None,
) -> None:
    """Check registered files: as registered, every vector finite, codes sound.

    Example: `emm1 embeddings verify emm1.duckdb`
    """
    with open_store(store, read_only=True) as opened:
        names = [name] if name else list(opened.registry)
        if not names:
            show.warn("note: no embeddings are registered in this store, so there is nothing to verify")
        for each in names:
            with show.progress() as progress:
                embeddings, sound = opened.registry.verify(each, progress=partial(progress, f"verifying {each}"))
            shape = f"{len(embeddings):,} × {embeddings.dim:,} {embeddings.dtype}"
            show.say(f"{each}: {shape}, every vector finite, {_of_codes(sound, opened.registry[each].codes)}")


def _of_codes(sound: bool | None, place: Path | Literal[False] | None) -> str:
    """The state of registered codes, in words."""
    where = f" in {place}" if place else ""
    match sound:
        case None:
            return "no codes, as registered"
        case True:
            return f"codes sound{where}"
    return f"no usable codes{where}: build them with {show.REGISTER_AGAIN}"


@app.command()
def remove(store: StorePath, name: Name) -> None:
    """Forget registered embeddings; the file stays.

    Example: `emm1 embeddings remove emm1.duckdb image`
    """
    with open_store(store) as opened:
        entry = opened.registry.remove(name)
    kept = f", its codes {entry.codes} neither" if entry.codes else ""
    show.say(f"{name}: forgotten; its file was not touched{kept}")


@app.command(name="import")
def import_(
    source: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE",
            help="A .parquet, .arrow, .feather, .lance, .npz, .pt or .npy file, or a folder; several are read in their order.",
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="TARGET.npy", help="The file to write; it must not exist.")],
    key: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="What names the items: ids, file names, stems, paths, YouTube ids with or without start; or two columns: "
            "youtube_id,start_time. [default: the row numbers]",
        ),
    ] = None,
    vector: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="The vectors; ebind means the columns ebind_0000, ebind_0001, … [default: the only column of vectors]",
        ),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="STORE", help="The store that knows the items; rows of others are left out.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="With --store: 100m, 1m or eshot.")] = None,
    modality: Annotated[str | None, typer.Option(help="With --store: modality of the items.")] = None,
    normalize: Annotated[bool, typer.Option("--normalize", help="Divide each vector by its norm.")] = False,
) -> None:
    """Convert files that cannot be searched as they are to one .npy, with the ids of its rows beside it.

    An interrupted import of gigabytes goes on where it was, when it is started again.

    Example: `emm1 embeddings import image.parquet image.npy --key file_name --store emm1.duckdb --dataset 100m
    --modality image`
    """
    from emm1.convert.run import convert
    from emm1.embeddings.file import Embeddings

    with show.progress() as progress:
        done = convert(
            source,
            target,
            key=key,
            vector=vector,
            store=store,
            dataset=cast("Split | None", dataset),
            modality=modality,
            normalize=normalize,
            progress=progress,
        )
    for note in done.notes:
        show.warn(f"note: {note}")
    written = Embeddings(target)
    ids = f"ids in {written.ids_path.name}" if written.ids_path else "the row numbers are the ids"
    show.say(f"{target}: {len(written):,} × {written.dim:,} {written.dtype}, {ids}")
    for fact in done.facts:
        show.say(fact)
