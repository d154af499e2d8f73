"""The command ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from emm1.cli.parameters import (
    AvailableOption,
    ExcludeOption,
    ModalitiesOption,
    StorePath,
    by_modality,
    flags_of,
)
from emm1.cli.reports import Report, ReportFormat, ReportOutput, show_report

if TYPE_CHECKING:
    from emm1.store.store import Store


def ratings(
    store: StorePath,
    embeddings: ModalitiesOption,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Also for each value of a column: caption_words, or caption_, paired_ or annotated_ before a column of the info table.",
        ),
    ] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Resamples for the 95% intervals; 0 for none.")] = 1000,
    exclude: ExcludeOption = None,
    available: AvailableOption = False,
    format: ReportFormat = None,  # noqa: A002 - the option
    output: ReportOutput = None,
) -> None:
    """Show how well similarities agree with the ratings that people gave.

    Example: `emm1 ratings emm1.duckdb --embeddings image=image_1m,audio=audio_1m,text=text_1m --output report`
    """
    named = by_modality(embeddings)

    def evaluated(opened: Store) -> Report:
        from emm1.evaluation.ratings.sliced import Sliced

        report = opened.ratings(named, resamples=resamples, exclude=flags_of(exclude), available=available)
        return report if by is None else Sliced(report, by)

    show_report(store, evaluated, format, output, "ratings.html")
