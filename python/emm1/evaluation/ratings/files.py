"""Writes the report on agreement with people as files: text, JSON and CSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emm1.evaluation.report.folder import written
from emm1.evaluation.statistics import intervals

if TYPE_CHECKING:
    from emm1.evaluation.ratings.report import RatingsReport

DISAGREEMENTS = 100


def save(report: RatingsReport, folder: Path) -> Path:
    """Write every file of a report.

    Args:
        report: the report.
        folder: the folder to write to; created if missing.

    Returns:
        The folder.

    Raises:
        Error: the folder is a file, or cannot be written.
    """
    with written(folder):
        (folder / "ratings.txt").write_text(f"{report}\n", encoding="utf-8")
        tables = json.dumps(to_dict(report), ensure_ascii=False, indent=2)
        (folder / "ratings.json").write_text(f"{tables}\n", encoding="utf-8")
        report.to_frame().write_csv(folder / "ratings.csv")
        report.coverage().write_csv(folder / "coverage.csv")
        report.disagreements(DISAGREEMENTS).write_csv(folder / "disagreements.csv")
        if report.judged_captions:
            report.text().write_csv(folder / "captions.csv")
    return folder


def to_dict(report: RatingsReport) -> dict[str, Any]:
    """The contents of ratings.json."""
    return {
        "paired": report.to_frame().to_dicts(),
        "caption": report.text().to_dicts() if report.judged_captions else [],
        "coverage": {against: report.coverage(against).to_dicts() for against in ("paired", "caption")},
        "similarity": "cosine",
        "intervals": {
            "level": intervals.LEVEL,
            "method": "percentile pigeonhole bootstrap over captions and annotated items",
            "resamples": report.resamples,
            "seed": intervals.SEED,
        },
    }
