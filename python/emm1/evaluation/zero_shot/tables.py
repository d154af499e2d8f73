"""The results of a classification as tables: by class, overall, confusions and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.evaluation.statistics import intervals
from emm1.evaluation.zero_shot.classify import NO_VECTOR, Outcome

TOP = (1, 5)  # the values of k in top-k


def per_class(outcome: Outcome, classes: Sequence[str], noun: str = "class") -> pl.DataFrame:
    """How many samples of each class are classified correctly: its class is among the k most similar.

    Args:
        outcome: what the classifier found.
        classes: the names of the classes.
        noun: what a class is called.

    Returns:
        The columns `noun` (its name), class_index, samples, top1_correct, top5_correct, top1_accuracy, top5_accuracy, and the
        bounds of the 95 % Wilson intervals of the last two; NULL for a class without samples.
    """
    samples = np.bincount(outcome.label, minlength=len(classes))
    correct = {f"top{k}_correct": np.bincount(outcome.label[outcome.position < k], minlength=len(classes)) for k in TOP}
    frame = pl.DataFrame(
        {noun: classes, "class_index": np.arange(len(classes)), "samples": samples} | correct,
        schema_overrides={noun: pl.String},
    )
    return frame.with_columns(
        pl.when(pl.col("samples") > 0).then(pl.col(f"top{k}_correct") / pl.col("samples")).alias(f"top{k}_accuracy")
        for k in TOP
    ).with_columns(_bounds(frame))


def overall(outcome: Outcome, classes: pl.DataFrame, noun: str = "class") -> dict[str, Any]:
    """The numbers over all samples and over classes.

    Args:
        outcome: what the classifier found.
        classes: as `per_class` gives them.
        noun: what a class is called.

    Returns:
        A row with samples, top1_correct, top5_correct, top1_accuracy, top5_accuracy (the share of samples with any of their
        classes among the k most similar), top1_`noun`_mean and top5_`noun`_mean (over classes that have samples), and the bounds of the
        95 % intervals: Wilson's of the accuracies, those of a bootstrap stratified by class of the means.
    """
    samples = len(outcome.ids)
    correct = {k: int(outcome.hits(k).sum()) for k in TOP}
    sampled = classes.filter(pl.col("samples") > 0)
    row: dict[str, Any] = {"samples": samples}
    row |= {f"top{k}_correct": correct[k] for k in TOP}
    row |= {f"top{k}_accuracy": correct[k] / samples for k in TOP}
    row |= {f"top{k}_{noun}_mean": sampled[f"top{k}_accuracy"].mean() for k in TOP}
    for k in TOP:
        lower, upper = intervals.wilson(correct[k], samples)
        row |= {f"top{k}_accuracy_low": float(lower), f"top{k}_accuracy_high": float(upper)}
    for k in TOP:
        low, high = intervals.mean_over_classes(sampled[f"top{k}_correct"], sampled["samples"])
        row |= {f"top{k}_{noun}_mean_low": low, f"top{k}_{noun}_mean_high": high}
    return row


def confusion(outcome: Outcome, classes: Sequence[str], noun: str = "class") -> pl.DataFrame:
    """How often samples of each class have each class as the most similar one; a sample counts once for each of its classes.

    Returns:
        One row per class: its name in the first column, called `noun`, then a count per class. (If a class itself is called so, the
        first column has underscores after its name.)
    """
    counts = np.zeros((len(classes), len(classes)), np.int64)
    first, known = _first(outcome)
    pairs = known[outcome.sample]
    np.add.at(counts, (outcome.label[pairs], first[outcome.sample[pairs]]), 1)
    key = noun
    while key in classes:
        key += "_"
    return pl.DataFrame({key: classes} | dict(zip(classes, counts.T, strict=True)), schema_overrides={key: pl.String})


def mistakes(outcome: Outcome, classes: int) -> list[tuple[int, int, int]]:
    """Class, predicted class and number of samples, where the most similar class is none of the sample's; in this order."""
    first, known = _first(outcome)
    wrong = (known & ~outcome.hits(1))[outcome.sample]
    cells = outcome.label[wrong] * classes + first[outcome.sample[wrong]]
    return [
        (*divmod(cell, classes), count)
        for cell, count in zip(*map(np.ndarray.tolist, np.unique(cells, return_counts=True)), strict=True)
    ]


def predictions(outcome: Outcome, classes: Sequence[str], k: int | None = None) -> pl.Series:
    """The names of the k most similar classes of each sample, best first; without classes that have no vector for it."""
    ranking = outcome.ranking(k)
    names = np.array(classes, dtype=object)[ranking]
    known = np.take_along_axis(outcome.similarity, ranking, axis=1) != NO_VECTOR
    lists = names.tolist() if known.all() else [row[kept].tolist() for row, kept in zip(names, known, strict=True)]
    return pl.Series("predicted", lists, pl.List(pl.String))


def _first(outcome: Outcome) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The most similar class of each sample, and whether it has one."""
    first = outcome.ranking(1)
    return first[:, 0], np.take_along_axis(outcome.similarity, first, axis=1)[:, 0] != NO_VECTOR


def _bounds(frame: pl.DataFrame) -> list[pl.Series]:
    """The bounds of the accuracies of a frame with the columns samples and top1_correct and so on."""
    some = frame["samples"] > 0
    bounds = []
    for k in TOP:
        found = intervals.wilson(frame[f"top{k}_correct"], frame["samples"].clip(1))
        for end, values in zip(("low", "high"), found, strict=True):
            bounds.append(pl.Series(f"top{k}_accuracy_{end}", values).set(~some, None))
    return bounds
