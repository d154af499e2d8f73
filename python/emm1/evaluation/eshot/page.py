"""Writes the EShot report as files: text, a page, CSV, JSON and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from emm1.evaluation.eshot.view import DirectionView, direction_view
from emm1.evaluation.report.folder import written
from emm1.evaluation.report.page import TEMPLATES, render, write_parts
from emm1.evaluation.statistics import intervals
from emm1.evaluation.zero_shot.tables import TOP
from emm1.evaluation.zero_shot.view import PAIRS

if TYPE_CHECKING:
    from emm1.evaluation.eshot.classify import EShotReport


def save(report: EShotReport, folder: Path) -> Path:
    """Write every file of a report, as `EShotReport.save` says."""
    with written(folder):
        write_parts(folder / "report", str(report), to_html(report), to_dict(report))
        report.to_frame().write_csv(folder / "categories.csv")
        for direction in report.overall["direction"]:
            report.confusion(direction).write_csv(folder / f"confusion_{direction}.csv")
        predictions(report).write_parquet(folder / "predictions.parquet")
    return folder


def predictions(report: EShotReport) -> pl.DataFrame:
    """Every sample with its five most similar categories: `EShotReport.predictions` of both directions."""
    frames = [
        report.predictions(direction)
        .select(pl.lit(direction).alias("direction"), "*")
        .with_columns(pl.col("predicted").list.head(max(TOP)))
        for direction in report.overall["direction"]
    ]
    return pl.concat(frames)


def to_dict(report: EShotReport) -> dict[str, Any]:
    """The contents of report.json."""
    return {
        "provenance": report.provenance.to_dict(),
        "coverage": report.coverage.to_dicts(),
        "skipped": report.skipped,
        "overall": report.overall.to_dicts(),
        "categories": report.to_frame().to_dicts(),
        "intervals": {
            "level": intervals.LEVEL,
            "accuracy": "Wilson score",
            "category_mean": "percentile bootstrap, stratified by category",
            "resamples": intervals.RESAMPLES,
            "seed": intervals.SEED,
        },
    }


def to_html(report: EShotReport) -> str:
    """The report as one HTML page that needs no network and no script to be read.

    >>> import numpy as np
    >>> from emm1.evaluation.eshot.classify import Samples, evaluate
    >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
    >>> to_html(evaluate(x, x)).startswith("<!DOCTYPE html>")
    True
    """
    directions = [direction_view(report, overall) for overall in report.overall.to_dicts()]
    return render(
        "eshot.html",
        script=(TEMPLATES / "eshot.js").read_text("utf-8"),
        report=report,
        provenance=report.provenance,
        coverage=report.coverage.to_dicts(),
        directions=directions,
        categories=sorted(
            zip(*(view.categories for view in directions), strict=True),
            key=lambda each: [-outcome.accuracy[1].value for outcome in each],
        ),
        pairs=PAIRS,
        intervals=intervals,
        text=str(report),
        data=_data(report, directions),
    )


def _data(report: EShotReport, directions: list[DirectionView]) -> dict[str, Any]:
    """What the script says about the cell of a heat map that the reader points at."""
    data = {
        view.key: {
            "samples": [category.samples for category in view.categories],
            "correct": [category.correct[1] for category in view.categories],
            "mistakes": [(mistake.row, mistake.column, mistake.count) for mistake in view.mistakes],
        }
        for view in directions
    }
    return {"classes": report.classes, "directions": data}
