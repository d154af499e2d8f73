"""The evaluation of models as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from emm1.evaluation.models.rows import blocks
from emm1.evaluation.report.text import difference, heading, value

if TYPE_CHECKING:
    from emm1.evaluation.models.report import ModelsReport

WIDTH = 100


def lines(report: ModelsReport) -> Iterator[str]:
    """Every number under its evaluation and direction, and what was left out."""
    width = max(map(len, report.models))
    yield from heading(f"Evaluation: {', '.join(report.models)}")
    if report.others:
        yield from ("", f"  Baseline: {report.baseline}")
    if report.excluded:
        yield from ("", f"  Excluded: {report.excluded}")
    for block in blocks(report.to_frame()):
        yield from ("", f"[{block.title}]")
        yield from textwrap.wrap(block.protocol, WIDTH, initial_indent="  ", subsequent_indent="  ")
        for line in block.lines:
            yield f"  {line.metric}"
            yield from (
                f"    {model:{width}}  {value(row)}  {difference(row)}".rstrip() for model, row in line.rows.items()
            )
    if report.left_out:
        yield from ("", "[Not Evaluated]", *(f"  {reason}" for reason in report.left_out))
