"""What the page of the EShot report shows, as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emm1.evaluation.eshot.text import TOP
from emm1.evaluation.report.estimates import Estimate, estimate, interval, percent

if TYPE_CHECKING:
    from emm1.evaluation.eshot.classify import Direction, EShotReport

WORST = 10
PAIRS = 15
SHADES = 20  # of the heat map


@dataclass(frozen=True)
class Accuracy:
    """Top-k accuracy over all samples and its mean over categories; `chance` is that of a random order of categories."""

    k: int
    overall: Estimate
    mean: Estimate
    chance: float


@dataclass(frozen=True)
class Mistake:
    """How many of a category's samples were classified as another category."""

    row: int  # the index of the category
    column: int
    category: str
    predicted: str
    count: int
    samples: int


@dataclass(frozen=True)
class Category:
    """A category in one direction: its accuracies, and what its samples were mistaken for, the most frequent first."""

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
class DirectionView:
    """One direction of the evaluation; categories are in the order of their index, mistakes by their number."""

    key: Direction
    samples: int
    accuracies: list[Accuracy]
    categories: list[Category]
    mistakes: list[Mistake]
    shades: list[tuple[bool, float, str]]

    @property
    def modalities(self) -> tuple[str, str]:
        """The modality that is classified, and the one whose class vectors it is compared with."""
        classified, _, classes = self.key.partition("_to_")
        return classified, classes

    @property
    def title(self) -> str:
        """The direction in words."""
        return " → ".join(modality.capitalize() for modality in self.modalities)

    @property
    def worst(self) -> list[Category]:
        """The categories with the lowest top-1 accuracy, without perfect ones; of equals, larger ones come first."""
        lowest = sorted(self.categories, key=lambda each: (each.accuracy[1].value, -each.samples, each.index))
        return [each for each in lowest[:WORST] if each.mistakes]


def direction_view(report: EShotReport, overall: Mapping[str, Any]) -> DirectionView:
    """Everything about one direction; `overall` is its row of `EShotReport.overall`."""
    key: Direction = overall["direction"]
    counts = report.confusion(key).to_numpy()[:, 1:]
    rows = report.to_frame().filter(direction=key).to_dicts()
    cells = [(int(row), int(column), int(counts[row, column])) for row, column in zip(*counts.nonzero(), strict=True)]
    mistakes = [
        Mistake(row, column, report.classes[row], report.classes[column], count, rows[row]["samples"])
        for row, column, count in cells
        if row != column
    ]
    mistakes.sort(key=lambda found: (-found.count, -found.count / found.samples, found.row, found.column))
    return DirectionView(
        key=key,
        samples=overall["samples"],
        accuracies=[
            Accuracy(
                k,
                estimate(overall, f"top{k}_accuracy"),
                estimate(overall, f"top{k}_category_mean"),
                min(1.0, k / len(report.classes)),
            )
            for k in TOP
        ],
        categories=_categories(rows, mistakes),
        mistakes=mistakes,
        shades=shades((row, column, count / rows[row]["samples"]) for row, column, count in cells),
    )


def _categories(rows: Iterable[Mapping[str, Any]], mistakes: Iterable[Mistake]) -> list[Category]:
    of_row: dict[int, list[Mistake]] = defaultdict(list)
    for mistake in mistakes:
        of_row[mistake.row].append(mistake)
    return [
        Category(
            row["class_index"],
            row["category"],
            row["samples"],
            {k: row[f"top{k}_correct"] for k in TOP},
            {k: estimate(row, f"top{k}_accuracy") for k in TOP},
            of_row[row["class_index"]],
        )
        for row in rows
    ]


def shades(cells: Iterable[tuple[int, int, float]]) -> list[tuple[bool, float, str]]:
    """The cells of a heat map, gathered by shade.

    Args:
        cells: row, column, and the fraction of the row's samples.

    Returns:
        Whether the cells are on the diagonal, the fraction, rounded up, and the SVG path of all such cells.

    >>> shades([(0, 0, 0.5), (0, 1, 0.5), (1, 1, 0.49)])
    [(False, 0.5, 'M1 0h1v1h-1z'), (True, 0.5, 'M0 0h1v1h-1zM1 1h1v1h-1z')]
    """
    paths: dict[tuple[bool, float], list[str]] = defaultdict(list)
    for row, column, share in cells:
        shade = -(-round(share * 1e6) * SHADES // 1_000_000) / SHADES
        paths[row == column, shade].append(f"M{column} {row}h1v1h-1z")
    return [(right, shade, "".join(paths[right, shade])) for right, shade in sorted(paths)]
