"""What makes an item a hard negative: the options of the search for them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

from emm1.arguments import at_least_one
from emm1.checks import shown
from emm1.errors import EmbeddingError


@dataclass(frozen=True)
class Rules:
    """Which items are taken; `Store.negatives` says what they mean.

    >>> Rules(num_negatives=5, range_min=10).check("cosine")
    >>> Rules(num_negatives=5, range_min=97).check("cosine")
    Traceback (most recent call last):
    emm1.errors.EmbeddingError: 5 negatives cannot be taken from the ranks 98 to 100: take fewer, or from more ranks
    """

    num_negatives: int = 3
    range_min: int = 0
    range_max: int = 100
    relative_margin: float | None = None
    max_score: float | None = None
    near_duplicates: float | None = None

    def check(self, metric: str) -> None:
        """Refuse options that are wrong, or contradict each other.

        Raises:
            EmbeddingError: the message says which.
        """
        at_least_one(self.num_negatives, "num_negatives")
        at_least_one(self.range_max, "range_max")
        if isinstance(self.range_min, bool) or not isinstance(self.range_min, int) or self.range_min < 0:
            raise EmbeddingError(f"range_min must be a whole number of at least 0, not {shown(self.range_min)}")
        if self.range_max - self.range_min < self.num_negatives:
            ranks = f"the ranks {self.range_min + 1:,} to {self.range_max:,}"
            raise EmbeddingError(
                f"{self.num_negatives:,} negatives cannot be taken from {ranks}: take fewer, or from more ranks"
            )
        _check("relative_margin", self.relative_margin, 0, 1)
        _check("max_score", self.max_score, float("-inf"), float("inf"))
        _check("near_duplicates", self.near_duplicates, -1, 1)
        for name in ("relative_margin", "max_score"):
            if metric == "l2" and getattr(self, name) is not None:
                raise EmbeddingError(
                    f"{name} is about scores that are high for similar items, and l2 is a distance: use cosine or dot"
                )


def _check(name: str, value: Any, low: float, high: float) -> None:
    if value is None:
        return
    if (
        isinstance(value, bool)
        or not isinstance(value, Real)
        or not low <= float(value) <= high
        or abs(float(value)) == float("inf")
    ):
        between = f" from {low:g} to {high:g}" if abs(low) != float("inf") else ""
        raise EmbeddingError(f"{name} must be a number{between}, not {shown(value)}")
