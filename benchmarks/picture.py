"""The picture in README.md, drawn from the figures in docs/benchmarks.md: ``python -m benchmarks.picture``."""

from __future__ import annotations

import re
from pathlib import Path

import altair as alt
import polars as pl

DOCS = Path(__file__).parents[1] / "docs"
PICTURE = DOCS / "speed.svg"
KINDS = ("clustered", "isotropic")
SECTION = "### {}, 400,000 × 1,024 float32, 2 threads\n"
# The others take so long that the bars of these could not be told apart.
SHOWN = ("emm1", "FAISS FlatPanorama", "NumPy", "FAISS Flat", "usearch exact")
# Readable on white and on black.
GREY, OURS, OTHERS = "#7a828c", "#e8590c", "#8c9aa8"


def figures() -> dict[tuple[str, str], float]:
    """Milliseconds of one query, by kind of vectors and contender."""
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    found = {}
    for kind in KINDS:
        section = text.partition(SECTION.format(kind))[2].partition("\n### ")[0]
        for row in section.splitlines():
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            name = cells[0].removesuffix(" (different answer)")
            if name in SHOWN:
                found[kind, name] = float(re.match(r"[\d.,]+", cells[1])[0].replace(",", ""))  # type: ignore[index]
    return found


def draw(place: Path) -> None:
    """Write the picture."""
    rows = [
        {"kind": f"{kind} vectors", "by": name, "ms": ms, "text": f"{ms:g} ms"}
        for (kind, name), ms in figures().items()
    ]
    scale = alt.Scale(domain=[0, 1.2 * max(figures().values())])  # room for the last text
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
    (
        layers.facet(panels, data=pl.DataFrame(rows))
        .properties(title="One exact query, k = 10, among 400,000 × 1,024 float32, 2 threads")
        .configure(background="transparent", font="sans-serif")
        .configure_view(stroke=None)
        .configure_axis(labelColor=GREY, labelFontSize=12)
        .configure_header(labelColor=GREY, labelFontSize=12)
        .configure_title(color=GREY, fontSize=13, anchor="start")
        .configure_text(fontSize=12)
        .save(place)
    )


if __name__ == "__main__":
    draw(PICTURE)
