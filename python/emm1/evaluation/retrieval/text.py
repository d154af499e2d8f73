"""The report on retrieval as text: a table of measures, and the protocol that they were measured by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isinf
from typing import TYPE_CHECKING, Any

from emm1.evaluation.report.text import NONE, heading
from emm1.evaluation.retrieval.measures import MEDIAN
from emm1.evaluation.statistics.intervals import SEED

if TYPE_CHECKING:
    from emm1.evaluation.retrieval.report import RetrievalReport
    from emm1.evaluation.retrieval.task import Coverage

TIES = "means over all orders of rows with equal scores; worst and best are those of the worst and the best order"
CLUSTERS = "queries with the same best right answer are resampled together"


def lines(report: RetrievalReport, metrics: Sequence[str]) -> Iterator[str]:
    """The lines of a report.

    Args:
        report: the report.
        metrics: the measures to show.
    """
    yield from heading(f"Retrieval: {report.task.queries.name} → {report.task.base.name}")
    yield from table([row for row in report.to_frame().iter_rows(named=True) if row["metric"] in metrics], metrics)
    yield ""
    for name, sentence in protocol(report).items():
        yield f"{name}: {sentence}"


def table(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> Iterator[str]:
    """Measures as a table, in the order of `metrics`."""
    by_name = {row["metric"]: row for row in rows}
    cells = [("", "value", "95% interval", "worst", "best")]
    for name in metrics:
        row = by_name[name]
        value, low, high, worst, best = (
            number(name, row[column]) for column in ("value", "low", "high", "worst", "best")
        )
        cells.append((name, value, NONE if row["low"] is None else f"{low} to {high}", worst, best))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for name, *rest in cells:
        numbers = "  ".join(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield f"{name.ljust(widths[0])}  {numbers}"


def number(metric: str, value: float | None) -> str:
    """A value as it is printed: four digits, ranks with one; a rank is infinite if most queries find nothing.

    >>> number("hit@1", 0.12345), number("median_rank", 3.5), number("median_rank", float("inf")), number("mAP", None)
    ('0.1235', '3.5', 'none', '–')
    """
    if value is None:
        return NONE
    if isinf(value):
        return "none"
    return f"{value:.1f}" if metric == MEDIAN else f"{value:.4f}"


def protocol(report: RetrievalReport) -> dict[str, str]:
    """What the numbers were measured on, and how: a sentence for each part."""
    task, outcome = report.task, report.outcome
    rules, coverage = task.rules, outcome.coverage
    gallery = f"{len(outcome.gallery):,} rows of {task.base.name}"
    if rules.where:
        gallery += f" where {rules.where}"
    elif task.among is not None and not task.excluded:
        gallery += ", those among the given ids"
    if rules.exclude_self:
        gallery += ", without the row that has the query's own id"
    pairs = f"{task.pairs.kind} ({task.pairs.meaning})" if task.pairs.meaning else task.pairs.kind
    left_out = "".join(f"; {count:,} rows {reason} are left out" for reason, count in task.pairs.left_out.items())
    drawn = f"; drawn at random from {task.pairs.drawn_from:,}, seed {SEED}" if task.pairs.drawn_from else ""
    ties = f"{TIES}; queries with a right answer that ties with a row that is not right: {report.tied:,}"
    return {
        "Queries": f"{queries(coverage)}{drawn}",
        "Gallery": gallery,
        "Pairs": f"{pairs}{left_out}",
        **({"Excluded": str(task.excluded)} if task.excluded else {}),
        "Right answers": right_answers(coverage),
        "Score": f"{rules.metric}, exact",
        "Ties": ties,
        "Intervals": bootstrap(report.clusters, rules.resamples),
    }


def queries(coverage: Coverage) -> str:
    """Which queries count."""
    reasons = (
        (coverage.without_vector, "without a vector"),
        (coverage.without_right_answer, "without a right answer in the gallery"),
    )
    parts = [f"{count:,} {reason}" for count, reason in reasons if count]
    left_out = f" ({' and '.join(parts)} do not count)" if parts else ""
    return f"{coverage.queries:,} of {coverage.asked:,}{left_out}"


def right_answers(coverage: Coverage) -> str:
    """Which right answers can be found."""
    missing = coverage.right_answers - coverage.right_answers_with_vector
    if not missing:
        return f"{coverage.right_answers:,}, all with a vector"
    alone = f"; queries that have no other, and find nothing: {coverage.unreachable:,}" if coverage.unreachable else ""
    return f"{coverage.right_answers:,}, of which {missing:,} have no vector and count as not found{alone}"


def bootstrap(clusters: int, resamples: int) -> str:
    """How the intervals were made."""
    if not resamples:
        return "none"
    return f"percentile bootstrap over {clusters:,} clusters: {CLUSTERS}; {resamples:,} resamples, seed {SEED}"
