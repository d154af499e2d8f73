"""The command zero-shot."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import typer

from emm1.cli.parameters import AvailableOption, ExcludeOption, StorePath, flags_of
from emm1.cli.reports import ReportFormat, ReportOutput, show_report


class ClassVectors(StrEnum):
    """What class vectors are made from."""

    MEANS = "means"
    PROMPTS = "prompts"


def zero_shot(
    store: StorePath,
    samples: Annotated[
        str, typer.Argument(metavar="SAMPLES", help="Embeddings of the samples: a registered name, or a file.")
    ],
    classes: Annotated[
        str,
        typer.Argument(
            metavar="CLASSES",
            help="Embeddings that class vectors are made from, likewise; if they are of the same items as SAMPLES, each sample is left out.",
        ),
    ],
    labels: Annotated[
        str,
        typer.Option(
            metavar="FILE|SQL",
            help="Classes of the samples, with the columns id and label: .csv, .parquet, .jsonl, or a query of the store.",
        ),
    ],
    class_labels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|SQL", help="Classes of the rows of CLASSES, likewise; not needed if the labels are their ids."
        ),
    ] = None,
    class_vectors: Annotated[
        ClassVectors | None,
        typer.Option(
            help="Mean of raw vectors, or of vectors of unit length. [default: prompts if CLASSES are registered texts, or else means]"
        ),
    ] = None,
    exclude: ExcludeOption = None,
    available: AvailableOption = False,
    format: ReportFormat = None,  # noqa: A002 - the option
    output: ReportOutput = None,
) -> None:
    """Classify samples by the class whose vector is the most similar, and show how often that is right.

    Example: `emm1 zero-shot emm1.duckdb image prompts --labels labels.csv --class-labels prompts.csv --output report`
    """
    way: Literal["means", "prompts"] | None = None if class_vectors is None else class_vectors.value
    show_report(
        store,
        lambda opened: opened.zero_shot(
            samples,
            classes,
            labels,
            class_labels=class_labels,
            class_vectors=way,
            exclude=flags_of(exclude),
            available=available,
        ),
        format,
        output,
        "report.html",
    )
