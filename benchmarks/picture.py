"""The pictures in README.md and docs/benchmarks.md, made from a record of search."""

from __future__ import annotations

import altair as alt
import polars as pl

from benchmarks.record import Record

# What the picture in README.md shows.
FILE = {"rows": 400_000, "dims": 1024, "dtype": "float32", "threads": 2}
KINDS = ("clustered", "isotropic")
# The others take so long that the bars of these could not be told apart.
SHOWN = ("emm1", "FAISS FlatPanorama", "NumPy", "FAISS Flat", "usearch exact")
# Readable on white and on black.
GREY, OURS, OTHERS = "#7a828c", "#e8590c", "#8c9aa8"


def figures(record: Record) -> dict[tuple[str, str], float]:
    """Milliseconds of one query, three digits of them, by kind of vectors and contender."""
    return {
        (kind, row.contender): float(f"{1e3 * row.seconds('1 query'):.3g}")
        for kind in KINDS
        for row in record.rows
        if row.task == "search" and row.contender in SHOWN and row.conditions == {"vectors": kind, **FILE}
    }


def speed(record: Record) -> alt.FacetChart:
    """The picture in README.md: bars of milliseconds."""
    shown = figures(record)
    rows = [
        {"kind": f"{kind} vectors", "by": name, "ms": ms, "text": f"{ms:g} ms"} for (kind, name), ms in shown.items()
    ]
    scale = alt.Scale(domain=[0, 1.2 * max(shown.values())])  # room for the last text
    bars = (
        alt.Chart()
        .encode(
            alt.X("ms:Q", axis=None, scale=scale),
            alt.Y("by:N", title=None, sort=list(SHOWN), axis=alt.Axis(domain=False, ticks=False)),
        )
        .properties(width=240, height=110)
    )
    ours = alt.condition(alt.datum.by == "emm1", alt.value(OURS), alt.value(OTHERS))
    layers = bars.mark_bar().encode(color=ours) + bars.mark_text(align="left", dx=4, color=GREY).encode(text="text:N")
    panels = alt.Column("kind:N", title=None, sort=[f"{kind} vectors" for kind in KINDS])
    chart: alt.FacetChart = (
        layers.facet(panels, data=pl.DataFrame(rows))
        .properties(title="One exact query, k = 10, among 400,000 × 1,024 float32, 2 threads")
        .configure(background="transparent", font="sans-serif")
        .configure_view(stroke=None)
        .configure_axis(labelColor=GREY, labelFontSize=12)
        .configure_header(labelColor=GREY, labelFontSize=12)
        .configure_title(color=GREY, fontSize=13, anchor="start")
        .configure_text(fontSize=12)
    )
    return chart


def growth(record: Record) -> alt.FacetChart:
    """Milliseconds of one query by the number of vectors, both logarithmic."""
    grown = [row for row in record.rows if row.task == "one"]
    counts, kinds = ([*dict.fromkeys(row.conditions[name] for row in grown)] for name in ("rows", "vectors"))
    points = [
        {
            "vectors": row.conditions["rows"],
            "ms": 1e3 * row.seconds("1 query"),
            "by": row.contender,
            "kind": row.conditions["vectors"],
        }
        for row in grown
    ]
    log = alt.Scale(type="log")
    axis = alt.Axis(values=[int(count) for count in counts], format="~s")
    chart: alt.FacetChart = (
        alt.Chart(pl.DataFrame(points))
        .mark_line(point=True)
        .encode(
            alt.X("vectors", scale=log, axis=axis, title="vectors of 1,024 × float32"),
            alt.Y("ms", scale=log, title="milliseconds a query, k = 10, 2 threads"),
            alt.Color("by", title=None, sort=[*dict.fromkeys(row.contender for row in grown)]),
        )
        .properties(width=300, height=300)
        .facet(alt.Column("kind", title=None, sort=[str(kind) for kind in kinds]))
    )
    return chart
