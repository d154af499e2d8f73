"""What is asked for: which embeddings, by which metric, and from what score on two items are a pair."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from emm1.checks import shown
from emm1.embeddings.file import Embeddings, Metric
from emm1.embeddings.identity import contents_of, version_of
from emm1.embeddings.knn import BATCH, PART, check_dims
from emm1.embeddings.reaching import reaches
from emm1.errors import EmbeddingError
from emm1.store.registered import Registered

if TYPE_CHECKING:
    from emm1.store.store import Store

# The order of preference: what is kept if items of two datasets are alike.
PREFERENCE = ("eshot", "1m", "100m")


@dataclass(frozen=True)
class Asked:
    """Embeddings to compare with themselves, or with others.

    Attributes:
        one: the embeddings of the items `a`.
        other: those of the items `b`; the same if one is compared with itself.
        within: whether one is compared with itself.
        threshold: the lowest score of a pair; for l2, the greatest distance.
    """

    one: Registered
    other: Registered
    within: bool
    threshold: float

    @property
    def metric(self) -> Metric:
        """The metric, as registered."""
        return self.one.metric

    @property
    def source(self) -> str:
        """How the command is called in the table of flags."""
        return f"duplicates {self.one.name}" + ("" if self.within else f" {self.other.name}")

    @property
    def same_items(self) -> bool:
        """Whether equal ids are the same item on both sides."""
        return (self.one.dataset, self.one.modality) == (self.other.dataset, self.other.modality)

    @property
    def comparable(self) -> bool:
        """Whether one of a pair can take the place of the other: a caption cannot, for an image."""
        return self.one.modality == self.other.modality

    @property
    def preferred(self) -> Literal["a", "b", "smaller id"]:
        """Which item of a pair comes first in the order of preference."""
        if self.one.dataset == self.other.dataset:
            return "smaller id"
        return "a" if PREFERENCE.index(self.one.dataset) < PREFERENCE.index(self.other.dataset) else "b"

    @property
    def sign(self) -> int:
        """1 if a higher score is a better one, and -1 if a lower one is."""
        return -1 if self.metric == "l2" else 1

    def reach(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which scores are at least the threshold; for l2, at most. They are compared in float64, as numbers are written."""
        return reaches(scores, self.threshold, self.metric)

    def open(self) -> tuple[Embeddings, Embeddings]:
        """The embeddings of both sides.

        Raises:
            emm1.errors.EmbeddingError: a file cannot be read, or the vectors have different dimensions.
        """
        one = self.one.open()
        other = one if self.within else self.other.open()
        check_dims(one, other)
        return one, other

    def run(self, one: Embeddings, other: Embeddings, shards: int, *, anywhere: bool) -> dict[str, object]:
        """What the pairs depend on, here or on any machine."""
        identity = contents_of if anywhere else version_of
        return {
            "pairs of": identity(one),
            "with": identity(other),
            "part": BATCH * PART,
            "shards": shards,
            "within": self.within,
            "same items": self.same_items,
            "metric": self.metric,
            "threshold": self.threshold,
        }


def asked(store: Store, name: str, other: str | None, threshold: float) -> Asked:
    """What is asked for, checked.

    Raises:
        emm1.errors.EmbeddingError: an unknown name, different metrics, or a threshold that no metric has.
    """
    one = store.registry[name]
    second = one if other is None else store.registry[other]
    if one.metric != second.metric:
        raise EmbeddingError(
            f"{one.name!r} is registered with the metric {one.metric}, {second.name!r} with {second.metric}: "
            "register both with the same"
        )
    return Asked(one, second, one.name == second.name, _threshold(threshold, one.metric))


def _threshold(value: float, metric: Metric) -> float:
    number = math.nan
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    low, high = {"cosine": (-1.0, 1.0), "l2": (0.0, math.inf), "dot": (-math.inf, math.inf)}[metric]
    if not (math.isfinite(number) and low <= number <= high):
        allowed = {"cosine": "a cosine from -1 to 1", "l2": "a distance of at least 0", "dot": "a finite number"}[
            metric
        ]
        raise EmbeddingError(f"threshold must be {allowed}, not {shown(value)}")
    return number + 0.0  # -0.0 is 0.0
