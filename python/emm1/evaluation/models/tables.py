"""The evaluation of models as a paper prints it: one table in Markdown, and the same in LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from emm1.evaluation.models.rows import Line, blocks
from emm1.evaluation.report.text import NONE

if TYPE_CHECKING:
    from emm1.evaluation.models.report import ModelsReport

LATEX = {
    **{each: f"\\{each}" for each in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "→": r"$\rightarrow$",
    "–": "--",
    "−": "$-$",
    "≥": r"$\geq$",
}
MARKDOWN = "\\`*_{}[]<>|#"


def to_markdown(report: ModelsReport) -> str:
    """A table with a row for each metric and a column for each model, and below it how each number was made."""
    found = list(blocks(report.to_frame()))
    head = ["Evaluation", "Metric", *map(markdown, [*report.models, *_difference_heads(report)])]
    lines = [_row(head), _row(["---", "---", *["---:" for _ in head[2:]]])]
    lines += [
        _row([block.title, line.metric, *_values(line, report), *_differences(line, report)])
        for block in found
        for line in block.lines
    ]
    notes = [f"- {block.title}: {markdown(block.protocol)}." for block in found]
    left = [f"- Not evaluated: {markdown(reason)}." for reason in report.left_out]
    return "\n".join([*lines, "", "Values with their 95% intervals.", "", *notes, *left]) + "\n"


def to_latex(report: ModelsReport) -> str:
    """The same table for the package booktabs."""
    columns = "ll" + "r" * (len(report.models) + len(report.others))
    head = ["Evaluation", "Metric", *map(latex, report.models), *map(latex, _difference_heads(report))]
    return "\n".join(
        [
            "% Needs \\usepackage{booktabs}. Values with their 95% intervals.",
            *(f"% {line}" for line in _protocols(report)),
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            f"{' & '.join(head)} \\\\",
            *_latex_rows(report),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _protocols(report: ModelsReport) -> Iterator[str]:
    for block in blocks(report.to_frame()):
        yield f"{block.title}: {' '.join(block.protocol.split())}"


def _latex_rows(report: ModelsReport) -> Iterator[str]:
    for block in blocks(report.to_frame()):
        yield r"\midrule"
        for number, line in enumerate(block.lines):
            cells = [
                latex(block.title) if number == 0 else "",
                latex(line.metric),
                *_values(line, report),
                *_differences(line, report),
            ]
            yield f"{' & '.join([*cells[:2], *map(latex, cells[2:])])} \\\\"


def _difference_heads(report: ModelsReport) -> list[str]:
    return [f"{name} − {report.baseline}" for name in report.others]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _values(line: Line, report: ModelsReport) -> list[str]:
    return [_with_interval(line.rows.get(name), "value", "low", "high") for name in report.models]


def _differences(line: Line, report: ModelsReport) -> list[str]:
    return [
        _with_interval(line.rows.get(name), "difference", "difference_low", "difference_high", sign="+")
        for name in report.others
    ]


def _with_interval(row: Mapping[str, float | None] | None, value: str, low: str, high: str, sign: str = "") -> str:
    if row is None or row[value] is None:
        return NONE
    bounds = "" if row[low] is None else f" ({row[low]:{sign}.3f} to {row[high]:{sign}.3f})"
    return f"{row[value]:{sign}.3f}{bounds}"


def latex(text: str) -> str:
    r"""Text for LaTeX.

    >>> print(latex("new_model & 5 %"))
    new\_model \& 5 \%
    """
    return "".join(LATEX.get(each, each) for each in text)


def markdown(text: str) -> str:
    r"""Text for a cell of a Markdown table.

    >>> print(markdown("new|model"))
    new\|model
    """
    return "".join(f"\\{each}" if each in MARKDOWN else each for each in text)
