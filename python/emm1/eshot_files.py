"""The EShot report as files: text, HTML with charts, CSV and JSON."""

import html
import json
from pathlib import Path
from typing import Any

import altair as alt

from emm1.errors import Error
from emm1.eshot import DIRECTIONS, TITLES, Direction, EShotReport

ROW_HEIGHT = 14  # pixels per category


def save(report: EShotReport, folder: Path) -> Path:
    """Write every file of the report.

    Args:
        report: what to write.
        folder: where to; made if missing.

    Returns:
        The folder.

    Raises:
        Error: the folder is a file, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.txt").write_text(f"{report}\n", encoding="utf-8")
        (folder / "report.html").write_text(to_html(report), encoding="utf-8")
        (folder / "report.json").write_text(to_json(report), encoding="utf-8")
        report.to_frame().write_csv(folder / "categories.csv")
        for direction in DIRECTIONS:
            report.confusion(direction).write_csv(folder / f"confusion_{direction}.csv")
    except FileExistsError:
        raise Error(f"{folder} is a file: name a folder for the report") from None
    except OSError as error:
        raise Error(f"the report cannot be written to {folder}: {error.strerror or error}") from None
    return folder


def to_json(report: EShotReport) -> str:
    """Give the report's tables as one JSON object: overall, coverage, skipped and categories.

    Example:
        >>> import numpy as np
        >>> from emm1.eshot import Samples, evaluate
        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> json.loads(to_json(evaluate(x, x)))["coverage"][0]["with_vector"]
        2
    """
    tables = {
        "overall": report.overall.to_dicts(),
        "coverage": report.coverage.to_dicts(),
        "skipped": report.skipped,
        "categories": report.to_frame().to_dicts(),
    }
    return json.dumps(tables, ensure_ascii=False, indent=2) + "\n"


def to_html(report: EShotReport) -> str:
    """Give the report as one HTML page that needs nothing from the network.

    Example:
        >>> import numpy as np
        >>> from emm1.eshot import Samples, evaluate
        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> to_html(evaluate(x, x)).startswith("<!DOCTYPE html>")
        True
    """
    charts = alt.vconcat(
        alt.hconcat(*(_accuracy_chart(report, direction) for direction in DIRECTIONS)),
        alt.hconcat(*(_confusion_chart(report, direction) for direction in DIRECTIONS)),
    )
    page = charts.to_html(inline=True, json_kwds={"cls": _ScriptSafeEncoder})
    page = page.replace("<head>", "<head>\n  <title>EShot report</title>", 1)
    head, body, rest = page.rpartition("<body>")  # the last one: the scripts before may hold the same text
    text, end, tail = rest.rpartition("</body>")
    return f"{head}{body}\n<h1>EShot report</h1>{text}<pre>{html.escape(str(report))}</pre>\n{end}{tail}"


class _ScriptSafeEncoder(json.JSONEncoder):
    """JSON that may stand in a <script>: a category named "</script>" must not end it."""

    def encode(self, o: Any) -> str:
        return super().encode(o).replace("<", "\\u003c")


def _accuracy_chart(report: EShotReport, direction: Direction) -> alt.LayerChart | alt.FacetChart:
    """Draw a bar for top-1 and a tick for top-5, per category."""
    rows = [row for row in report.to_frame().to_dicts() if row["direction"] == direction]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("category:N", sort=list(report.classes), title=None),
        tooltip=["category:N", "samples:Q", "top1_correct:Q", "top5_correct:Q"],
    )
    scale = alt.Scale(domain=[0, 1])
    bars = base.mark_bar().encode(x=alt.X("top1_accuracy:Q", scale=scale, title="accuracy: bar top-1, tick top-5"))
    ticks = base.mark_tick(color="black", thickness=2).encode(x=alt.X("top5_accuracy:Q", scale=scale))
    return alt.layer(bars, ticks, title=TITLES[direction], width=360, height={"step": ROW_HEIGHT})


def _confusion_chart(report: EShotReport, direction: Direction) -> alt.Chart:
    """Draw how often each category (down) is taken for each (across); pairs that never occur stay blank."""
    counts = report.confusion(direction).rows()
    cells = [
        {"category": name, "predicted": predicted, "samples": samples}
        for name, *row in counts
        for predicted, samples in zip(report.classes, row, strict=True)
        if samples
    ]
    order = list(report.classes)
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=cells))
        .mark_rect()
        .encode(
            x=alt.X("predicted:N", sort=order, scale=alt.Scale(domain=order), title="predicted category"),
            y=alt.Y("category:N", sort=order, scale=alt.Scale(domain=order), title="category"),
            color=alt.Color("samples:Q", scale=alt.Scale(scheme="blues")),
            tooltip=["category:N", "predicted:N", "samples:Q"],
        )
        .properties(title=f"{TITLES[direction]}: confusion", width={"step": ROW_HEIGHT}, height={"step": ROW_HEIGHT})
    )
    return chart
