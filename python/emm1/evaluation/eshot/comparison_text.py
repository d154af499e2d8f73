"""The comparison of EShot models as text: each report, then the table side by side and the categories that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from emm1.evaluation.eshot.text import TITLES
from emm1.evaluation.report.text import difference, heading, p_value, value

if TYPE_CHECKING:
    from emm1.evaluation.eshot.comparison import EShotComparison

NAMES = {
    "top1_accuracy": "Top-1 Accuracy",
    "top5_accuracy": "Top-5 Accuracy",
    "top1_category_mean": "Top-1 Mean over Categories",
    "top5_category_mean": "Top-5 Mean over Categories",
}


def reports(comparison: EShotComparison) -> Iterator[str]:
    """Each model's report, unchanged, under a heading with its name."""
    for name, report in comparison.reports.items():
        yield from (*heading(f"Model: {name}"), str(report))


def table(comparison: EShotComparison) -> Iterator[str]:
    """What was compared, the table, and the categories that differ."""
    yield from (*heading("Comparison"), *_coverage(comparison))
    frame = comparison.to_frame()
    width = max(map(len, comparison.reports))
    for (direction,), rows in frame.group_by("direction", maintain_order=True):
        yield from ("", f"[{TITLES[str(direction)]}]")
        for (metric,), models in rows.group_by("metric", maintain_order=True):
            yield f"  {NAMES[str(metric)]}"
            yield from (f"    {row['model']:{width}}  {_cells(row)}".rstrip() for row in models.iter_rows(named=True))
    if comparison.others:
        yield from ("", *_differing(comparison))


def _coverage(comparison: EShotComparison) -> Iterator[str]:
    yield from ("", f"  Baseline: {comparison.baseline}")
    for row in comparison.coverage.iter_rows(named=True):
        share = row["with_vector"] / row["listed"] if row["listed"] else 0
        counts = f"{row['with_vector']}/{row['listed']} with a vector in every model"
        yield f"  {row['modality'].capitalize()} Samples: {share:.4f} ({counts})"
    report = comparison.common[comparison.baseline]
    total = len(report.classes) + len(report.skipped)
    yield f"  Categories: {len(report.classes) / total:.4f} ({len(report.classes)}/{total} compared)"
    if report.skipped:
        yield f"  Skipped, no vector in one modality: {', '.join(report.skipped)}"
    shared = comparison.coverage["with_vector"].sum()
    if any(own.coverage["with_vector"].sum() != shared for own in comparison.reports.values()):
        yield "  The numbers below are over the samples that every model has, each report above over its own model's."


def _cells(row: Mapping[str, Any]) -> str:
    samples = "" if row["p"] is None else f" (+{row['only_model']} −{row['only_baseline']} samples)"
    return f"{value(row)}  {difference(row)}{samples}".rstrip()


def _differing(comparison: EShotComparison) -> Iterator[str]:
    frame = comparison.per_class
    yield "[Categories That Differ, with Holm's Correction]"
    for name in comparison.others:
        rows = frame.filter(model=name)
        flagged = rows.filter("differs").sort("p_holm", "category", "direction", "metric")
        yield f"  {name}: {len(flagged)} of {len(rows)} differences"
        for row in flagged.iter_rows(named=True):
            counts = f"{row['correct']}/{row['samples']} correct, {comparison.baseline} {row['baseline_correct']}/{row['samples']}"
            where = f"{TITLES[row['direction']]}, {NAMES[row['metric']]}"
            yield f"    {row['category']}: {counts}, corrected p {p_value(row['p_holm'])} ({where})"
