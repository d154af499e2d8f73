"""The command eshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from emm1.cli.parameters import AvailableOption, ExcludeOption, StorePath, flags_of
from emm1.cli.reports import Report, ReportFormat, ReportOutput, show_report

if TYPE_CHECKING:
    from emm1.store.store import Store


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
    exclude: ExcludeOption = None,
    available: AvailableOption = False,
    format: ReportFormat = None,  # noqa: A002 - the option
    output: ReportOutput = None,
) -> None:
    """Run the EShot zero-shot evaluation, as published, of one model or of several.

    Example: `emm1 eshot emm1.duckdb --audio eshot_audio.npy --points eshot_points.npy --output report`
    """
    models = _models(model or (), baseline, audio=audio, points=points)
    page = "comparison.html" if models else "report.html"

    def evaluated(opened: Store) -> Report:
        out = flags_of(exclude)
        if models:
            return opened.eshot(models=models, baseline=baseline, exclude=out, available=available)
        return opened.eshot(audio or "", points or "", exclude=out, available=available)

    show_report(store, evaluated, format, output, page)


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
