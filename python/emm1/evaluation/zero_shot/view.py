"""What the page of a classification shows, as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emm1.evaluation.report.estimates import Estimate, estimate, interval, percent
from emm1.evaluation.zero_shot.tables import TOP

WORST = 10
PAIRS = 15


@dataclass(frozen=True)
class Accuracy:
    """Top-k accuracy over all samples and its mean over classes.

    Attributes:
        k: how many classes are looked at.
        overall: over all samples.
        mean: over classes.
        chance: what both are for a random order of classes; None if samples have several classes, as then they differ.
    """

    k: int
    overall: Estimate
    mean: Estimate
    chance: float | None


@dataclass(frozen=True)
class Mistake:
    """How many of a class's samples were classified as another class."""

    row: int  # the index of the class
    column: int
    category: str
    predicted: str
    count: int
    samples: int


@dataclass(frozen=True)
class Category:
    """A class: its accuracies, and what its samples were mistaken for, the most frequent first."""

    index: int
    name: str
    samples: int
    correct: Mapping[int, int]  # by k
    accuracy: Mapping[int, Estimate]
    mistakes: list[Mistake]

    @property
    def summary(self) -> str:
        """Its numbers in words."""
        return "; ".join(
            f"top-{k} {self.correct[k]} of {self.samples}, {percent(found.value)} ({interval(found)})"
            for k, found in self.accuracy.items()
        )


@dataclass(frozen=True)
class Results:
    """A classification; classes with samples are in the order of their index, mistakes by their number."""

    samples: int
    accuracies: list[Accuracy]
    categories: list[Category]
    mistakes: list[Mistake]

    @property
    def worst(self) -> list[Category]:
        """The classes with the lowest top-1 accuracy, without perfect ones; of equals, larger ones come first."""
        lowest = sorted(self.categories, key=lambda each: (each.accuracy[1].value, -each.samples, each.index))
        return [each for each in lowest[:WORST] if each.accuracy[1].value < 1]


def accuracies(
    overall: Mapping[str, Any], classes: int, noun: str = "class", *, several: bool = False
) -> list[Accuracy]:
    """The accuracies of a row of `tables.overall`.

    Args:
        overall: the row.
        classes: how many classes there are.
        noun: what a class is called.
        several: whether samples have several classes.
    """
    return [
        Accuracy(
            k,
            estimate(overall, f"top{k}_accuracy"),
            estimate(overall, f"top{k}_{noun}_mean"),
            None if several else min(1.0, k / classes),
        )
        for k in TOP
    ]


def mistakes(
    cells: Iterable[tuple[int, int, int]], rows: Sequence[Mapping[str, Any]], noun: str = "class"
) -> list[Mistake]:
    """Mistakes by their number.

    Args:
        cells: the class, the predicted class and the number of samples.
        rows: the rows of `tables.per_class`, one for each class, in order.
        noun: what a class is called.
    """
    found = [
        Mistake(row, column, rows[row][noun], rows[column][noun], count, rows[row]["samples"])
        for row, column, count in cells
    ]
    return sorted(found, key=lambda each: (-each.count, -each.count / each.samples, each.row, each.column))


def categories(rows: Iterable[Mapping[str, Any]], found: Iterable[Mistake], noun: str = "class") -> list[Category]:
    """The classes that have samples."""
    of_row: dict[int, list[Mistake]] = defaultdict(list)
    for mistake in found:
        of_row[mistake.row].append(mistake)
    return [
        Category(
            row["class_index"],
            row[noun],
            row["samples"],
            {k: row[f"top{k}_correct"] for k in TOP},
            {k: estimate(row, f"top{k}_accuracy") for k in TOP},
            of_row[row["class_index"]],
        )
        for row in rows
        if row["samples"]
    ]
