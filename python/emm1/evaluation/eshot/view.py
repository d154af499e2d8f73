"""What the page of the EShot report shows, as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emm1.evaluation.eshot.text import NOUN
from emm1.evaluation.zero_shot.view import Results, accuracies, categories, mistakes

if TYPE_CHECKING:
    from emm1.evaluation.eshot.classify import Direction, EShotReport

SHADES = 20  # of the heat map


@dataclass(frozen=True)
class DirectionView(Results):
    """One direction of the evaluation."""

    key: Direction
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


def direction_view(report: EShotReport, overall: Mapping[str, Any]) -> DirectionView:
    """Everything about one direction; `overall` is its row of `EShotReport.overall`."""
    key: Direction = overall["direction"]
    counts = report.confusion(key).to_numpy()[:, 1:]
    rows = report.to_frame().filter(direction=key).to_dicts()
    cells = [(int(row), int(column), int(counts[row, column])) for row, column in zip(*counts.nonzero(), strict=True)]
    found = mistakes((cell for cell in cells if cell[0] != cell[1]), rows, NOUN)
    return DirectionView(
        samples=overall["samples"],
        accuracies=accuracies(overall, len(report.classes), NOUN),
        categories=categories(rows, found, NOUN),
        mistakes=found,
        key=key,
        shades=shades((row, column, count / rows[row]["samples"]) for row, column, count in cells),
    )


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
