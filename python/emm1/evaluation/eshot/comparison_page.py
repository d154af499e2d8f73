"""Writes the comparison of EShot models as files: text, a page, CSV and JSON, and each model's report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from emm1.evaluation.eshot import page
from emm1.evaluation.eshot.comparison_text import NAMES
from emm1.evaluation.eshot.text import TITLES
from emm1.evaluation.report.estimates import Estimate, estimate
from emm1.evaluation.report.folder import folders, written
from emm1.evaluation.report.page import render, write_parts
from emm1.evaluation.report.text import p_value
from emm1.evaluation.statistics import intervals

if TYPE_CHECKING:
    from emm1.evaluation.eshot.comparison import EShotComparison

FILES = ("comparison.txt", "comparison.html", "comparison.json", "comparison.csv", "per_class.csv")


@dataclass(frozen=True)
class Line:
    """A model's line of a table: its number, and its difference from the baseline, which is None for the baseline itself."""

    model: str
    value: Estimate
    difference: Estimate | None
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """One metric in one direction."""

    title: str
    lines: list[Line]


def save(comparison: EShotComparison, folder: Path) -> Path:
    """Write every file of a comparison, as `EShotComparison.save` says."""
    with written(folder):
        write_parts(folder / "comparison", str(comparison), to_html(comparison), to_dict(comparison))
        comparison.to_frame().write_csv(folder / "comparison.csv")
        comparison.per_class.write_csv(folder / "per_class.csv")
    for name, own in folders(comparison.reports, FILES).items():
        page.save(comparison.reports[name], folder / own)
    return folder


def to_dict(comparison: EShotComparison) -> dict[str, Any]:
    """The contents of comparison.json."""
    own = folders(comparison.reports, FILES)
    return {
        "baseline": comparison.baseline,
        "models": {
            name: {"folder": own[name], "provenance": report.provenance.to_dict()}
            for name, report in comparison.reports.items()
        },
        "coverage": comparison.coverage.to_dicts(),
        "skipped": comparison.common[comparison.baseline].skipped,
        "overall": comparison.to_frame().to_dicts(),
        "categories": comparison.per_class.to_dicts(),
        "intervals": {
            "level": intervals.LEVEL,
            "accuracy": "Wilson score",
            "category_mean": "percentile bootstrap, stratified by category",
            "difference": "paired percentile bootstrap, stratified by category",
            "resamples": intervals.RESAMPLES,
            "seed": intervals.SEED,
        },
        "tests": {"p": "McNemar, exact, two-sided", "p_holm": "Holm, over all categories of a model"},
    }


def to_html(comparison: EShotComparison) -> str:
    """The comparison as one HTML page that needs no network and no script.

    >>> import numpy as np
    >>> from emm1.evaluation.eshot.comparison import compare
    >>> from emm1.evaluation.eshot.classify import Samples
    >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
    >>> to_html(compare({"old": (x, x), "new": (x, x)})).startswith("<!DOCTYPE html>")
    True
    """
    report = comparison.common[comparison.baseline]
    per_class = comparison.per_class.sort("p_holm", "p", "category", "direction", "metric", maintain_order=True)
    return render(
        "comparison.html",
        comparison=comparison,
        report=report,
        provenance=comparison.reports[comparison.baseline].provenance,
        coverage=comparison.coverage.to_dicts(),
        links={name: f"{quote(own)}/report.html" for name, own in folders(comparison.reports, FILES).items()},
        directions={TITLES[direction]: _tables(comparison, direction) for direction in report.overall["direction"]},
        differing=per_class.filter("differs").to_dicts(),
        discordant=per_class.filter((per_class["only_model"] + per_class["only_baseline"]) > 0).to_dicts(),
        differences=len(per_class) // max(1, len(comparison.others)),
        titles=TITLES,
        metrics=NAMES,
        p_value=p_value,
        intervals=intervals,
        text=str(comparison),
    )


def _tables(comparison: EShotComparison, direction: str) -> list[Table]:
    frame = comparison.to_frame().filter(direction=direction)
    return [
        Table(title, [_line(row) for row in frame.filter(metric=metric).to_dicts()]) for metric, title in NAMES.items()
    ]


def _line(row: Mapping[str, Any]) -> Line:
    value = Estimate(row["value"], row["low"], row["high"])
    return Line(row["model"], value, None if row["baseline"] is None else estimate(row, "difference"), row)
