"""Writes the evaluation of models as files: Parquet, CSV, text, a page, JSON, and a table in Markdown and LaTeX."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl
from polars import selectors as cs

from emm1.evaluation.models import tables
from emm1.evaluation.models.rows import blocks
from emm1.evaluation.report.folder import written
from emm1.evaluation.report.page import render, write_parts

if TYPE_CHECKING:
    from emm1.evaluation.models.report import ModelsReport


def save(report: ModelsReport, folder: Path) -> Path:
    """Write every file of a report, as `ModelsReport.save` says."""
    with written(folder):
        write_parts(folder / "evaluation", str(report), to_html(report), to_dict(report))
        report.to_frame().write_parquet(folder / "evaluation.parquet")
        report.to_frame().write_csv(folder / "evaluation.csv")
        (folder / "evaluation.md").write_text(tables.to_markdown(report), encoding="utf-8")
        (folder / "evaluation.tex").write_text(tables.to_latex(report), encoding="utf-8")
    for own, saved in report.saved.items():
        saved.save(folder / own)
    return folder


def to_dict(report: ModelsReport) -> dict[str, Any]:
    """The contents of evaluation.json."""
    return {
        "evaluated_at": report.evaluated_at.isoformat(),
        "emm1": report.emm1,
        "store": os.path.abspath(report.store),
        "models": {
            name: {f"{dataset} {modality}": file for (dataset, modality), file in files.items()}
            for name, files in report.models.items()
        },
        "baseline": report.baseline,
        "resamples": report.resamples,
        "left_out": report.left_out,
        **report.excluded.to_dict(),
        "rows": finite(report.to_frame()).to_dicts(),
    }


def finite(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows for JSON, which has no infinity: such a median rank is NULL.

    >>> import polars as pl
    >>> finite(pl.DataFrame({"value": [1.0, float("inf")]})).rows()
    [(1.0,), (None,)]
    """
    floats = cs.float()
    return rows.with_columns(pl.when(floats.is_finite()).then(floats))


def to_html(report: ModelsReport) -> str:
    """The evaluation as one HTML page that needs no network and no script."""
    links = [
        (folder, f"{quote(folder)}/{page}")
        for folder, page in ((folder, saved.page) for folder, saved in report.saved.items())
    ]
    found = list(blocks(report.to_frame()))
    names = dict.fromkeys(block.name for block in found)
    return render("models.html", report=report, blocks=found, names=names, links=links, text=str(report))
