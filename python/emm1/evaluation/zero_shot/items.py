"""Items with a vector and labels: samples to classify, or what class vectors are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError
from emm1.evaluation.report.provenance import Source

Labels = Mapping[int, tuple[str, ...]]


@dataclass(frozen=True)
class Items:
    """Items with a vector, and labels by id.

    Attributes:
        ids: the ids of the rows of `vectors`, int64, (n,), without repeats.
        vectors: float32, (n, dim), finite, not necessarily of unit length.
        labels: the names of each id's classes, in code-point order. Ids without a vector may be among them.
        source: the file of the vectors; None if they come from elsewhere.
        unlabelled: further ids that have a vector, which nothing needs, and no label.

    Raises:
        EmbeddingError: shapes do not match, an id appears twice, or a vector is not finite.

    >>> Items(np.array([7]), np.float32([[3, 4]]), {7: ("bell",), 8: ("bell", "dog")}).rows
    {'bell': [0]}
    """

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    labels: Labels
    source: Source | None = None
    unlabelled: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, embeddings: Embeddings, labels: Labels, source: Source) -> Items:
        """The items of a file. Only vectors of items with a label are read: a file may have millions without one."""
        every = embeddings.ids
        labelled = np.array([item in labels for item in every.tolist()], np.bool_)
        ids = every[labelled]
        return cls(ids, embeddings.vectors(ids), labels, source, every[~labelled])

    def __post_init__(self) -> None:
        check_items(self.ids, self.vectors, "id")

    @cached_property
    def rows(self) -> dict[str, list[int]]:
        """The rows of `vectors` that have each label, in order; labels in code-point order."""
        found: dict[str, list[int]] = {}
        for row, item in enumerate(self.ids.tolist()):
            for name in self.labels.get(item, ()):
                found.setdefault(name, []).append(row)
        return dict(sorted(found.items()))


def check_items(ids: NDArray[np.int64], vectors: NDArray[np.float32], what: str) -> None:
    """Refuse vectors that cannot be those of the ids.

    Args:
        ids: int64, (n,).
        vectors: float32, (n, dim).
        what: what an id is called in messages.

    Raises:
        EmbeddingError: shapes do not match, an id appears twice, or a vector is not finite.
    """
    if vectors.ndim != 2 or ids.shape != (len(vectors),):  # noqa: PLR2004 - rows and columns
        raise EmbeddingError(
            f"{what}s and vectors have shapes {ids.shape} and {vectors.shape}; expected (n,) and (n, dim)"
        )
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < len(ids):
        raise EmbeddingError(f"{what} {values[counts > 1][0]} has more than one vector")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise EmbeddingError(f"the vector of {what} {ids[row]} (row {row}) has NaN or infinity")
