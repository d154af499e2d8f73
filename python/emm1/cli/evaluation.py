"""The commands that evaluate embeddings: eshot and ratings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from emm1.cli import show
from emm1.cli.output import Destination, Format, destination, format_of, write_rows
from emm1.cli.parameters import StorePath
from emm1.store.opening import open as open_store


def eshot(
    store: StorePath,
    audio: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Audio embeddings: a registered name, or a file.")
    ] = None,
    points: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="Point cloud embeddings, likewise.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=AUDIO,POINTS",
            help="Instead, a model's name and its two embeddings. Give it for each model to compare them.",
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model that the others are compared with; else the first.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option
        Format | None,
        typer.Option(
            "--format",
            help="Write a row for each category and direction instead, or the table that compares models, in this format.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE",
            help="Also write the report as HTML, CSV and JSON to DIR; with --format, or a FILE such as .csv, the rows.",
        ),
    ] = None,
) -> None:
    """Run the EShot zero-shot evaluation, as published, of one model or of several.

    Example: `emm1 eshot emm1.duckdb --audio eshot_audio.npy --points eshot_points.npy --output report`
    """
    models = _models(model or (), baseline, audio=audio, points=points)
    to = _rows_to(format, output)
    with open_store(store, read_only=True) as opened:
        if to is not None:
            to.check(opened.path)
        found = opened.eshot(models=models, baseline=baseline) if models else opened.eshot(audio or "", points or "")
        if to is not None:
            rows = opened.connection.from_arrow(found.to_frame().to_arrow())
            write_rows(opened.connection, rows, to)
            return
    show.say(found)
    if output is not None:
        found.save(output)
        show.warn(f"wrote {output / ('comparison.html' if models else 'report.html')}")


def _models(given: Sequence[str], baseline: str | None, **single: str | None) -> dict[str, tuple[str, str]]:
    """The models that the options name; none if they are the embeddings of a single one.

    Raises:
        typer.BadParameter: the options contradict each other, or a model is not NAME=AUDIO,POINTS.
    """
    named = [f"--{option}" for option, value in single.items() if value is not None]
    if given and named:
        raise typer.BadParameter(f"give --model or {' and '.join(named)}, not both", param_hint="--model")
    if not given:
        if baseline is not None:
            raise typer.BadParameter("it names one of several models: give them with --model", param_hint="--baseline")
        missing = [f"--{option}" for option, value in single.items() if value is None]
        if missing:
            raise typer.BadParameter(
                "give both embeddings, or --model for each model", param_hint=" and ".join(missing)
            )
        return {}
    models: dict[str, tuple[str, str]] = {}
    for text in given:
        name, sources = model_of(text)
        if name in models:
            raise typer.BadParameter(f"{name!r} is given twice: name each model differently", param_hint="--model")
        models[name] = sources
    if baseline is not None and baseline not in models:
        raise typer.BadParameter(f"no model {baseline!r}: it is one of {', '.join(models)}", param_hint="--baseline")
    return models


def model_of(text: str) -> tuple[str, tuple[str, str]]:
    """A model's name and its two embeddings.

    Raises:
        typer.BadParameter: the text is not NAME=AUDIO,POINTS.

    >>> model_of("new=audio.npy,points.npy")
    ('new', ('audio.npy', 'points.npy'))
    """
    name, _, rest = text.partition("=")
    sources = [source.strip() for source in rest.split(",")]
    if not name.strip() or len(sources) != 2 or not all(sources):  # noqa: PLR2004 - audio and points
        more = ", or from Python if the name of a file has a comma" if len(sources) > 2 else ""  # noqa: PLR2004
        raise typer.BadParameter(
            f"{text!r} is not NAME=AUDIO,POINTS, such as new=audio.npy,points.npy{more}", param_hint="--model"
        )
    return name.strip(), (sources[0], sources[1])


def ratings(
    store: StorePath,
    embeddings: Annotated[
        str,
        typer.Option(
            metavar="MODALITY=NAME,…",
            help="Embeddings of the split 1m by modality (text, image, audio, video, points): registered names, or files.",
        ),
    ],
    resamples: Annotated[int, typer.Option(min=0, help="Resamples for the 95 % intervals; 0 for none.")] = 1000,
    format: Annotated[  # noqa: A002 - the option
        Format | None,
        typer.Option("--format", help="Write a row for each ordered pair of modalities instead, in this format."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE",
            help="Also write the report as text, CSV and JSON to DIR; with --format, or a FILE such as .csv, the rows.",
        ),
    ] = None,
) -> None:
    """Show how well similarities agree with the ratings that people gave.

    Example: `emm1 ratings emm1.duckdb --embeddings image=image_1m,audio=audio_1m,text=text_1m --output report`
    """
    to = _rows_to(format, output)
    with open_store(store, read_only=True) as opened:
        if to is not None:
            to.check(opened.path)
        report = opened.ratings(_by_modality(embeddings), resamples=resamples)
        if to is not None:
            rows = opened.connection.from_arrow(report.to_frame().to_arrow())
            write_rows(opened.connection, rows, to)
            return
        show.say(report)
        if output is not None:
            report.save(output)
            show.warn(f"wrote {output / 'ratings.txt'}")


def _by_modality(text: str) -> dict[str, str]:
    """The parts of MODALITY=NAME,MODALITY=NAME."""
    found: dict[str, str] = {}
    for part in text.split(","):
        modality, equals, name = (piece.strip() for piece in part.partition("="))
        if not (modality and equals and name):
            raise typer.BadParameter(f"{part!r} is not MODALITY=NAME, as in image=image_1m", param_hint="--embeddings")
        if modality in found:
            raise typer.BadParameter(f"{modality} is given twice", param_hint="--embeddings")
        found[modality] = name
    return found


def _rows_to(format: Format | None, output: Path | None) -> Destination | None:  # noqa: A002 - the option
    """Where the rows of a report go; None if the report itself is wanted, as text or as the files of a folder."""
    report = format is None and (output is None or _is_folder(output))
    return None if report else destination(format, output)


def _is_folder(path: Path) -> bool:
    """Whether the report goes to a folder of this name: its suffix is not one of a file of rows."""
    return path.is_dir() or not path.suffix or format_of(path) is None
