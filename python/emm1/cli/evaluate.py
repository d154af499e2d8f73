"""The command evaluate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from emm1.cli import show
from emm1.cli.parameters import AvailableOption, ExcludeOption, StorePath, flags_of
from emm1.cli.reports import Report, ReportFormat, ReportOutput, show_report

if TYPE_CHECKING:
    from emm1.store.store import Store


def evaluate(
    store: StorePath,
    model: Annotated[
        list[str],
        typer.Option(
            metavar="NAME", help="A model that embeddings are registered with. Give it for each model to compare them."
        ),
    ],
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model that the others are compared with; else the first.")
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=0, help="Resamples for the 95% intervals of retrieval and ratings; 0 for none.")
    ] = 1000,
    exclude: ExcludeOption = None,
    available: AvailableOption = False,
    format: ReportFormat = None,  # noqa: A002 - the option
    output: ReportOutput = None,
) -> None:
    """Evaluate models by everything that their embeddings allow: retrieval, ratings, EShot.

    Example: `emm1 evaluate emm1.duckdb --model new --baseline old --output report`
    """

    def evaluated(opened: Store) -> Report:
        with show.progress("answers") as progress:
            return opened.evaluate(
                model,
                baseline,
                resamples=resamples,
                exclude=flags_of(exclude),
                available=available,
                progress=progress,
            )

    show_report(store, evaluated, format, output, "evaluation.html")
