"""Writes the EShot report as files: text, a page, CSV and JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from emm1.evaluation import intervals
from emm1.evaluation.folder import written
from emm1.evaluation.view import PAIRS, DirectionView, direction_view, interval, percent

if TYPE_CHECKING:
    from emm1.evaluation.eshot import EShotReport

TEMPLATES = Path(__file__).parent / "templates"


def save(report: EShotReport, folder: Path) -> Path:
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
        write_parts(folder / "report", str(report), to_html(report), to_dict(report))
        report.to_frame().write_csv(folder / "categories.csv")
        for direction in report.overall["direction"]:
            report.confusion(direction).write_csv(folder / f"confusion_{direction}.csv")
    return folder


def write_parts(stem: Path, text: str, page: str, tables: Any) -> None:
    """Write a report as .txt, .html and .json, next to each other."""
    stem.with_suffix(".txt").write_text(f"{text}\n", encoding="utf-8")
    stem.with_suffix(".html").write_text(page, encoding="utf-8")
    tables = json.dumps(tables, ensure_ascii=False, indent=2)
    stem.with_suffix(".json").write_text(f"{tables}\n", encoding="utf-8")


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
    >>> from emm1.evaluation.eshot import Samples, evaluate
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


def render(template: str, *, script: str = "", **values: Any) -> str:
    """A page of a template.

    Args:
        template: the name of its file.
        script: the only script that the page may run; it reads the value `data`.
        **values: what the template shows, every text of it escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "interval": interval,
        "css": _css_percent,
        "script_safe": script_safe,
        "breakable": breakable,
    }
    return environment.get_template(template).render(
        **values,
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def script_safe(value: Any) -> Markup:
    r"""JSON that is safe inside a <script>: a category named "</script>" must not end it.

    >>> print(script_safe(["</script>"]))
    ["\u003c/script>"]
    """
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S704


def breakable(text: str) -> Markup:
    """A name or a path as HTML that may break after an underscore or a separator.

    >>> print(breakable("hair_dryer <b>"))
    hair_<wbr>dryer &lt;b&gt;
    """
    return Markup(re.sub(r"([_/\\])", r"\1<wbr>", str(escape(text))))  # noqa: S704 - escaped


def _css_percent(fraction: float) -> str:
    """A fraction as a CSS length, short."""
    return f"{fraction * 100:.4g}%"


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
