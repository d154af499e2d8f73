"""What a search finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.frames import Frames


@dataclass(frozen=True, eq=False)
class Hits(Frames):
    """The result of a search, best first; for several queries, one row per query.

    Attributes:
        ids: int64, (k,) or (queries, k).
        scores: float32, of the same shape.

    As a frame (`pl`, `df`, `arrow`) it has the columns rank (from 1), id and score; for several queries query_index (from 0)
    comes first. The id -1 with the score NaN, where `exclude_self` left out more for one query than for another, is no row.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.eye(3, dtype="float32"))
    >>> hits = emm1.Embeddings(path).search([[0, 1, 0], [1, 0, 0]], k=1)
    >>> hits.pl().rows()
    [(0, 1, 1, 1.0), (1, 1, 0, 1.0)]
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Allows ``ids, scores = hits``."""
        return iter((self.ids, self.scores))

    def __len__(self) -> int:
        """Number of hits, or of queries if there were several."""
        return len(self.ids)

    def _columns(self) -> dict[str, NDArray[Any]]:
        ranks = np.broadcast_to(np.arange(1, self.ids.shape[-1] + 1), self.ids.shape)
        columns: dict[str, NDArray[Any]] = {"rank": ranks, "id": self.ids, "score": self.scores}
        if self.ids.ndim > 1:
            columns = {"query_index": np.repeat(np.arange(len(self.ids)), self.ids.shape[1]), **columns}
        return without_filling({name: column.ravel() for name, column in columns.items()})


def without_filling(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The rows whose score is not NaN: the others only fill the rows of queries that have fewer hits."""
    filled = np.isnan(columns["score"])
    return {name: column[~filled] for name, column in columns.items()} if filled.any() else columns
