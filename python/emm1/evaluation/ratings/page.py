"""Writes the report on agreement with people as files: text, a page, JSON and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from emm1.evaluation.ratings.distributions import RATINGS
from emm1.evaluation.ratings.text import BOOTSTRAP, TITLES
from emm1.evaluation.ratings.threshold import PRECISION
from emm1.evaluation.ratings.view import SCALE, ratings_view
from emm1.evaluation.report.folder import written
from emm1.evaluation.report.page import render, write_parts
from emm1.evaluation.statistics import intervals

if TYPE_CHECKING:
    from emm1.evaluation.ratings.report import RatingsReport

DISAGREEMENTS = 100
SHOWN = 20


def save(report: RatingsReport, folder: Path) -> Path:
    """Write every file of a report, as `RatingsReport.save` says."""
    with written(folder):
        found = tables(report)
        write_parts(folder / "ratings", str(report), to_html(report), to_dict(report, found))
        report.to_frame().write_csv(folder / "ratings.csv")
        if report.judged_captions:
            report.text().write_csv(folder / "captions.csv")
        for name, frame in found.items():
            frame.write_csv(folder / f"{name}.csv")
    return folder


def tables(report: RatingsReport) -> dict[str, pl.DataFrame]:
    """What is said about both similarities, by the names of the files; the column `against` comes first."""
    by_similarity: dict[str, list[pl.DataFrame]] = {}
    for against in TITLES:
        calibration = report.calibration(against)
        frames = {
            "coverage": report.coverage(against),
            "thresholds": report.thresholds(against=against),
            "calibration": calibration.scores,
            "reliability": calibration.reliability,
            "curve": calibration.curve,
            "distributions": report.distributions(against),
        }
        if report.has(against):
            frames["disagreements"] = report.disagreements(DISAGREEMENTS, against)
        for name, frame in frames.items():
            by_similarity.setdefault(name, []).append(frame.select(pl.lit(against).alias("against"), pl.all()))
    return {name: pl.concat(frames) for name, frames in by_similarity.items()}


def to_dict(report: RatingsReport, found: dict[str, pl.DataFrame]) -> dict[str, Any]:
    """The contents of ratings.json; `found` is from `tables`."""
    both = {
        name: {against: found[name].filter(against=against).drop("against").to_dicts() for against in TITLES}
        for name in ("coverage", "thresholds", "calibration", "reliability", "curve")
    }
    return {
        "provenance": report.provenance.to_dict(),
        "paired": report.to_frame().to_dicts(),
        "caption": report.text().to_dicts() if report.judged_captions else [],
        **both,
        "similarity": "cosine",
        "intervals": {
            "level": intervals.LEVEL,
            "method": BOOTSTRAP,
            "resamples": report.resamples,
            "seed": intervals.SEED,
            "thresholds": "Wilson score",
            "reliability": "Wilson score",
        },
        "halves": "captions by the lowest bit of SplitMix64 of their id: 0 fitted, 1 tested",
    }


def to_html(report: RatingsReport) -> str:
    """The report as one HTML page that needs no network and no script."""
    return render(
        "ratings.html",
        report=report,
        provenance=report.provenance,
        similarities=[ratings_view(report, against, SHOWN) for against in TITLES if report.has(against)],
        coverage={TITLES[against]: report.coverage(against).to_dicts() for against in TITLES},
        ratings=RATINGS,
        precision=PRECISION,
        scale=SCALE,
        intervals=intervals,
        text=str(report),
    )
