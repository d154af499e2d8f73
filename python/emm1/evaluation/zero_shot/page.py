"""Writes a zero-shot classification as files: text, a page, CSV, JSON and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emm1.evaluation.report.folder import written
from emm1.evaluation.report.page import render, write_parts
from emm1.evaluation.statistics import intervals
from emm1.evaluation.zero_shot.text import NAMED, REASONS
from emm1.evaluation.zero_shot.view import PAIRS

if TYPE_CHECKING:
    from emm1.evaluation.zero_shot.report import ZeroShotReport


def save(report: ZeroShotReport, folder: Path) -> Path:
    """Write every file of a report, as `ZeroShotReport.save` says."""
    with written(folder):
        write_parts(folder / "report", str(report), to_html(report), to_dict(report))
        report.to_frame().write_csv(folder / "classes.csv")
        report.confusion().write_csv(folder / "confusion.csv")
        report.predictions().write_parquet(folder / "predictions.parquet")
    return folder


def to_dict(report: ZeroShotReport) -> dict[str, Any]:
    """The contents of report.json."""
    return {
        "provenance": report.provenance.to_dict(),
        "method": {"class_vectors": report.way, "leave_one_out": report.own, "similarity": "cosine"},
        "coverage": report.coverage.to_dicts(),
        "overall": report.overall.to_dicts()[0],
        "classes": report.to_frame().to_dicts(),
        "intervals": {
            "level": intervals.LEVEL,
            "accuracy": "Wilson score",
            "class_mean": "percentile bootstrap, stratified by class",
            "resamples": intervals.RESAMPLES,
            "seed": intervals.SEED,
        },
    }


def to_html(report: ZeroShotReport) -> str:
    """The report as one HTML page that needs no network and no script."""
    view = report.results
    return render(
        "zero_shot.html",
        report=report,
        provenance=report.provenance,
        coverage=[row for row in report.coverage.to_dicts() if row["count"]],
        reasons=REASONS,
        named=NAMED,
        overall=report.overall.to_dicts()[0],
        view=view,
        classes=sorted(view.categories, key=lambda each: -each.accuracy[1].value),
        precisions=report.to_frame()["average_precision"].to_list(),
        pairs=PAIRS,
        intervals=intervals,
        text=str(report),
    )
