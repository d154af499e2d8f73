"""A zero-shot classification as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from emm1.evaluation.report.text import NONE, heading
from emm1.evaluation.statistics.intervals import RESAMPLES, SEED
from emm1.evaluation.zero_shot.tables import TOP

if TYPE_CHECKING:
    from emm1.evaluation.zero_shot.report import ZeroShotReport

NAMED = 5
BOOTSTRAP = f"bootstrap stratified by class ({RESAMPLES:,} resamples, seed {SEED})"
REASONS = {
    "samples_without_label": "samples without a label, left out",
    "labels_without_vector": "labelled ids without a vector, left out",
    "labels_without_class": "labels that are none of the classes, left out",
    "samples_without_class": "samples without any of the classes, left out",
    "samples_alone_in_class": "samples alone in a class, counted as wrong in it: without them it has no mean",
    "classes_without_sample": "classes without a sample: still candidates, but not in means over classes",
    "class_items_without_label": "items of classes without a label, left out",
    "class_labels_without_vector": "labelled items of classes without a vector, left out",
}


def lines(report: ZeroShotReport) -> Iterator[str]:
    """The text of a report, line by line."""
    yield from heading("Zero-Shot Classification" if not report.own else "Nearest Class Mean")
    yield from (
        "",
        f"  Method: {report.method}, cosine",
        f"  Samples: {report.samples:,} in {len(report.classes):,} classes",
    )
    row = report.overall.row(0, named=True)
    for k in TOP:
        correct = f"{row[f'top{k}_correct']}/{row['samples']} correct, {_interval(row, f'top{k}_accuracy')}"
        yield f"  Top-{k} Accuracy: {row[f'top{k}_accuracy']:.4f} ({correct})"
    for k in TOP:
        mean = f"top{k}_class_mean"
        yield f"  Top-{k} Mean over Classes: {row[mean]:.4f} ({_interval(row, mean)})"
    if report.several:
        yield from (f"  mAP, {kind}: {_number(row[f'map_{kind}'])}" for kind in ("macro", "micro"))
    yield f"  Intervals: Wilson score for accuracies, {BOOTSTRAP} for means over classes"
    yield from _worst(report)
    yield from (*heading("Coverage"), "")
    noted = [entry for entry in report.coverage.iter_rows() if entry[1]]
    for what, count, named in noted:
        more = ", …" if count > NAMED else ""
        yield f"  {count:,} {REASONS[what]}: {', '.join(named[:NAMED])}{more}"
    if not noted:
        yield "  Complete: every sample has a label, every label a vector and a class, and every class a sample."
    if report.provenance.excluded:
        yield f"  Excluded: {report.provenance.excluded}"


def _worst(report: ZeroShotReport) -> Iterator[str]:
    """The classes with the lowest accuracy."""
    worst = report.results.worst
    if worst:
        yield from (*heading("Worst Classes"), "")
    for each in worst:
        found = each.accuracy[1]
        counts = f"{each.correct[1]}/{each.samples} correct, 95% interval {found.low:.4f} to {found.high:.4f}"
        yield f"  {each.name}: {found.value:.4f} ({counts})"


def _interval(row: dict[str, Any], name: str) -> str:
    return f"95% interval {row[f'{name}_low']:.4f} to {row[f'{name}_high']:.4f}"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"
