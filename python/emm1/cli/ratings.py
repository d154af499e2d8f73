"""The command ratings."""

from __future__ import annotations

from typing import Annotated

import typer

from emm1.cli.parameters import ModalitiesOption, StorePath, by_modality
from emm1.cli.reports import ReportFormat, ReportOutput, show_report


def ratings(
    store: StorePath,
    embeddings: ModalitiesOption,
    resamples: Annotated[int, typer.Option(min=0, help="Resamples for the 95 % intervals; 0 for none.")] = 1000,
    format: ReportFormat = None,  # noqa: A002 - the option
    output: ReportOutput = None,
) -> None:
    """Show how well similarities agree with the ratings that people gave.

    Example: `emm1 ratings emm1.duckdb --embeddings image=image_1m,audio=audio_1m,text=text_1m --output report`
    """
    named = by_modality(embeddings)
    show_report(store, lambda opened: opened.ratings(named, resamples=resamples), format, output, "ratings.txt")
