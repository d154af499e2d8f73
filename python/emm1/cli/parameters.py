"""Parameters that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emm1.cli.output import Format

if TYPE_CHECKING:
    from emm1.embeddings.file import Metric
    from emm1.work import Engine

StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="The DuckDB file.")]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="How to write the rows. [default: as FILE is named, or else a table]"),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        help="Where to: .csv, .json, .jsonl, .parquet, .arrow, .txt. [default: standard output]",
    ),
]
ModalitiesOption = Annotated[
    str,
    typer.Option(
        "--embeddings",
        metavar="MODALITY=NAME,…",
        help="Embeddings by modality (text, image, audio, video, points): registered names, or files.",
    ),
]

ExcludeOption = Annotated[
    str | None,
    typer.Option(
        "--exclude",
        metavar="FLAG,…",
        help="Items with one of these flags count as not there, as in duplicate,leak. `emm1 flags list` names the flags.",
    ),
]
AvailableOption = Annotated[
    bool,
    typer.Option("--available", help="Items whose media file was not checked and found well count as not there."),
]

MetricOption = Annotated[
    str | None, typer.Option("--metric", help="cosine, dot or l2. [default: as BASE is registered]")
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do only the I-th of N equal shares, from 1; other processes and machines do the others.",
    ),
]
MergeOption = Annotated[
    bool,
    typer.Option("--merge", help="Join what all shards did, whose other options were the same; none may be missing."),
]
EngineOption = Annotated[
    str | None,
    typer.Option("--engine", metavar="NAME", help="What does the work: ray, a Ray cluster. [default: this process]"),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Of the cluster. [default: $RAY_ADDRESS, or the one that runs on this machine, or one started for this work]",
    ),
]


def metric_of(text: str | None) -> Metric | None:
    """The metric of this name.

    Raises:
        typer.BadParameter: there is none.
    """
    from emm1.embeddings.file import METRICS

    if text is not None and text not in METRICS:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(METRICS)}", param_hint="--metric")
    return text


def shard_of(text: str, option: str = "--shard") -> tuple[int, int]:
    """The numbers of I/N.

    Raises:
        typer.BadParameter: the text is something else.

    >>> shard_of("2/3")
    (2, 3)
    >>> shard_of("0/3")
    Traceback (most recent call last):
    typer._click.exceptions.BadParameter: '0/3' is not I/N with I from 1 to N, as in 2/3
    """
    number, slash, of = text.partition("/")
    if slash and all(part.isdecimal() and len(part) < 8 for part in (number, of)) and 1 <= int(number) <= int(of):  # noqa: PLR2004
        return int(number), int(of)
    raise typer.BadParameter(f"{text!r} is not I/N with I from 1 to N, as in 2/3", param_hint=option)


def shard_or_merge(shard: str | None, *, merge: bool) -> tuple[int, int] | None:
    """The shard, if one is asked for.

    Raises:
        typer.BadParameter: it is no shard, or shards are to be merged as well.
    """
    if shard is not None and merge:
        raise typer.BadParameter("merges what shards did: give it without --shard", param_hint="--merge")
    return None if shard is None else shard_of(shard)


def engine_of(name: str | None, address: str | None, shard: str | None, *, merge: bool = False) -> Engine | None:
    """The engine of this name; None for this process.

    Raises:
        typer.BadParameter: there is none, an address is given without one, or a shard as well.
        emm1.errors.Error: its package is not installed.
    """
    if name is None:
        if address is not None:
            raise typer.BadParameter("only an engine has one, such as --engine ray", param_hint="--address")
        return None
    if shard or merge:
        raise typer.BadParameter("an engine does all shards: give one or the other", param_hint="--engine")
    if name != "ray":
        raise typer.BadParameter(f"{name!r} is not ray", param_hint="--engine")
    from emm1.distributed.ray import on_ray

    return on_ray(address)


def flags_of(text: str | None) -> tuple[str, ...]:
    """The flags of FLAG,FLAG.

    >>> flags_of("duplicate, leak"), flags_of(None)
    (('duplicate', 'leak'), ())
    """
    return tuple(flag.strip() for flag in text.split(",")) if text is not None else ()


def by_modality(text: str) -> dict[str, str]:
    """The parts of MODALITY=NAME,MODALITY=NAME.

    Raises:
        typer.BadParameter: the text is something else, or names a modality twice.

    >>> by_modality("image=image_1m, text=captions.npy")
    {'image': 'image_1m', 'text': 'captions.npy'}
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        modality, equals, name = (piece.strip() for piece in part.partition("="))
        if not (modality and equals and name):
            raise typer.BadParameter(f"{part!r} is not MODALITY=NAME, as in image=image_1m", param_hint="--embeddings")
        if modality in found:
            raise typer.BadParameter(f"{modality} is given twice", param_hint="--embeddings")
        found[modality] = name
    return found


def numbers(text: str, option: str) -> list[int]:
    """The numbers of ``1-4,7``.

    Raises:
        typer.BadParameter: the text is something else.

    >>> numbers("1-4, 7", "--ranks")
    [1, 2, 3, 4, 7]
    >>> numbers("4-1", "--ranks")
    Traceback (most recent call last):
    typer._click.exceptions.BadParameter: '4-1' is not a list of ranks such as 1-4,7
    """
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()) or len(part) > 9 or int(high or low) < int(low):  # noqa: PLR2004
            raise typer.BadParameter(f"{text!r} is not a list of ranks such as 1-4,7", param_hint=option)
        found += range(int(low), min(int(high or low), 99) + 1)
    return found
