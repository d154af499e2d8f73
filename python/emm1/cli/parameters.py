"""Parameters that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emm1.cli.output import Format

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
