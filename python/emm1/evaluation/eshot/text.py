"""The EShot report as text: what the published script prints, then the overall numbers and the coverage."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from emm1.evaluation.report.provenance import LeftOut
from emm1.evaluation.report.text import heading
from emm1.evaluation.zero_shot.tables import TOP

NOUN = "category"  # what EShot calls a class
TITLES = {
    "audio_to_points": "Audio → Points Classification",
    "points_to_audio": "Points → Audio Classification",
}


def categories(frame: pl.DataFrame) -> Iterator[str]:
    """The lines that the script prints: a heading per category, then each direction."""
    before = None
    for row in frame.iter_rows(named=True):
        if row["category"] != before:
            yield from heading(f"Category: {row['category']}")
            before = row["category"]
        yield from ("", f"[{TITLES[row['direction']]}]")
        yield from (_accuracy(row, k) for k in TOP)


def overall(frame: pl.DataFrame, classes: int) -> Iterator[str]:
    """The numbers over all samples and over categories, with 95 % intervals."""
    yield from heading("Overall")
    for row in frame.iter_rows(named=True):
        yield from ("", f"[{TITLES[row['direction']]}]")
        yield from (_accuracy(row, k, f", {_interval(row, f'top{k}_accuracy')}") for k in TOP)
        for k in TOP:
            mean = f"top{k}_category_mean"
            notes = f"({classes} categories, {_interval(row, mean)})"
            yield f"  Top-{k} Mean over Categories: {row[mean]:.4f} {notes}"


def coverage(frame: pl.DataFrame, classes: int, skipped: Sequence[str], excluded: LeftOut) -> Iterator[str]:
    """How many samples have a vector, which categories could not be evaluated, and what counted as not there."""
    yield from (*heading("Coverage"), "")
    for row in frame.iter_rows(named=True):
        share = row["with_vector"] / row["listed"] if row["listed"] else 0
        counts = f"{row['with_vector']}/{row['listed']} with a vector, {row['without_vector']} without"
        ignored = f", {row['unlisted']} vectors in no category" if row["unlisted"] else ""
        yield f"  {row['modality'].capitalize()} Samples: {share:.4f} ({counts}{ignored})"
    total = classes + len(skipped)
    yield f"  Categories: {classes / total:.4f} ({classes}/{total} evaluated)"
    if skipped:
        yield f"  Skipped, no vector in one modality: {', '.join(skipped)}"
    if excluded:
        yield f"  Excluded: {excluded}"


def _accuracy(row: Mapping[str, int], k: int, note: str = "") -> str:
    correct, samples = row[f"top{k}_correct"], row["samples"]
    return f"  Top-{k} Accuracy: {correct / samples:.4f} ({correct}/{samples} correct{note})"


def _interval(row: Mapping[str, float], name: str) -> str:
    return f"95% interval {row[f'{name}_low']:.4f} to {row[f'{name}_high']:.4f}"
