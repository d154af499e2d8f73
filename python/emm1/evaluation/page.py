"""Writes the EShot report as files: text, HTML with charts, CSV and JSON."""

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

from emm1.errors import Error

ROW_HEIGHT = 14  # pixels per category
TITLE = "EShot report"


def save(
    folder: Path,
    *,
    text: str,
    tables: Mapping[str, Any],
    categories: pl.DataFrame,
    confusions: Mapping[str, pl.DataFrame],
    titles: Mapping[str, str],
) -> Path:
    """Write every file of a report.

    Args:
        folder: the folder to write to; created if missing.
        text: the report as text.
        tables: the contents of report.json.
        categories: one row per category and direction.
        confusions: by direction, how often each category (rows) is classified as each category (columns).
        titles: the title of each direction on the page.

    Returns:
        The folder.

    Raises:
        Error: the folder is a file, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.txt").write_text(f"{text}\n", encoding="utf-8")
        (folder / "report.html").write_text(to_html(text, categories, confusions, titles), encoding="utf-8")
        report = json.dumps(tables, ensure_ascii=False, indent=2)
        (folder / "report.json").write_text(f"{report}\n", encoding="utf-8")
        categories.write_csv(folder / "categories.csv")
        for direction, counts in confusions.items():
            counts.write_csv(folder / f"confusion_{direction}.csv")
    except FileExistsError as error:
        raise Error(f"{folder} is a file: name a folder for the report") from error
    except OSError as error:
        raise Error(f"the report cannot be written to {folder}: {error.strerror or error}") from error
    return folder


def to_html(
    text: str, categories: pl.DataFrame, confusions: Mapping[str, pl.DataFrame], titles: Mapping[str, str]
) -> str:
    """The report as one HTML page that needs no network.

    >>> import numpy as np
    >>> from emm1.evaluation.eshot import Samples, evaluate
    >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
    >>> report = evaluate(x, x)
    >>> confusions = {"audio_to_points": report.confusion("audio_to_points")}
    >>> titles = {"audio_to_points": "Audio → Points"}
    >>> to_html(str(report), report.to_frame(), confusions, titles).startswith("<!DOCTYPE html>")
    True
    """
    charts = alt.vconcat(
        alt.hconcat(
            *(
                _accuracy_chart(categories, name, titles[name], counts.columns[1:])
                for name, counts in confusions.items()
            )
        ),
        alt.hconcat(*(_confusion_chart(counts, titles[name]) for name, counts in confusions.items())),
    )
    page = charts.to_html(inline=True, json_kwds={"cls": _ScriptSafeEncoder})
    page = page.replace("<head>", f"<head>\n  <title>{TITLE}</title>", 1)
    head, body, rest = page.rpartition("<body>")  # the last one, because the scripts may contain the same text
    drawn, end, tail = rest.rpartition("</body>")
    return f"{head}{body}\n<h1>{TITLE}</h1>{drawn}<pre>{html.escape(text)}</pre>\n{end}{tail}"


class _ScriptSafeEncoder(json.JSONEncoder):
    """JSON that is safe inside a <script>: a category named "</script>" must not end it."""

    def encode(self, o: Any) -> str:
        return super().encode(o).replace("<", "\\u003c")


def _accuracy_chart(
    categories: pl.DataFrame, direction: str, title: str, order: list[str]
) -> alt.LayerChart | alt.FacetChart:
    """A bar for top-1 and a tick for top-5 per category."""
    rows = [row for row in categories.to_dicts() if row["direction"] == direction]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("category:N", sort=order, title=None),
        tooltip=["category:N", "samples:Q", "top1_correct:Q", "top5_correct:Q"],
    )
    scale = alt.Scale(domain=[0, 1])
    bars = base.mark_bar().encode(x=alt.X("top1_accuracy:Q", scale=scale, title="accuracy: bar top-1, tick top-5"))
    ticks = base.mark_tick(color="black", thickness=2).encode(x=alt.X("top5_accuracy:Q", scale=scale))
    return alt.layer(bars, ticks, title=title, width=360, height={"step": ROW_HEIGHT})


def _confusion_chart(counts: pl.DataFrame, title: str) -> alt.Chart:
    """The confusion matrix as a heat map: true categories down, predicted ones across; zeros stay blank."""
    order = counts.columns[1:]
    cells = [
        {"category": name, "predicted": predicted, "samples": samples}
        for name, *row in counts.rows()
        for predicted, samples in zip(order, row, strict=True)
        if samples
    ]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=cells))
        .mark_rect()
        .encode(
            x=alt.X("predicted:N", sort=order, scale=alt.Scale(domain=order), title="predicted category"),
            y=alt.Y("category:N", sort=order, scale=alt.Scale(domain=order), title="category"),
            color=alt.Color("samples:Q", scale=alt.Scale(scheme="blues")),
            tooltip=["category:N", "predicted:N", "samples:Q"],
        )
        .properties(title=f"{title}: confusion", width={"step": ROW_HEIGHT}, height={"step": ROW_HEIGHT})
    )
    return chart
