"""Equal vectors, found before anything is searched: n of them are n (n - 1) / 2 pairs, and are rarely what one looks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emm1.curation.duplicates.asked import Asked
from emm1.curation.duplicates.pairs import Told
from emm1.embeddings.file import Embeddings
from emm1.embeddings.knn import BATCH
from emm1.errors import EmbeddingError


def check_equal(asked: Asked, one: Embeddings, other: Embeddings, most: int, told: Told) -> None:
    """Refuse embeddings in which too many rows are equal and would be pairs.

    Across two embeddings, rows of one that are equal to rows of the other count as often as pairs: as many as `most` equal rows
    would have with each other.

    Args:
        asked: what is asked for.
        one: the embeddings of the items `a`.
        other: those of the items `b`.
        most: how many rows may be equal.
        told: called with what is being done, the rows done and how many there are.

    Raises:
        EmbeddingError: names an item with the vector, how many rows have it and how many pairs that would be.
    """
    limit = most * (most - 1) // 2
    if (len(one) * (len(one) - 1) // 2 if asked.within else len(one) * len(other)) <= limit:
        return
    digests = _digests(one, told)
    values, first, counts = np.unique(digests, return_index=True, return_counts=True)
    if asked.within:
        pairs = counts * (counts - 1) // 2
    else:
        those, many = np.unique(_digests(other, told), return_counts=True)
        place = np.minimum(np.searchsorted(those, values), len(those) - 1)
        pairs = np.where(those[place] == values, counts * many[place], 0)
    for group in np.flatnonzero(pairs > limit):
        row = int(first[group])
        ids, vectors = one.rows(row, row + 1)
        if not _is_pair(asked, vectors[0]):
            continue
        raise EmbeddingError(
            f"{counts[group]:,} rows of {asked.one.name!r} have the same vector as {asked.one.modality} {ids[0]}, which would be "
            f"{pairs[group]:,} pairs: look at that item, for blank files or an encoder that failed; if all of these are "
            f"wanted, allow more equal vectors than {most:,}"
        )


def _digests(embeddings: Embeddings, told: Told) -> NDArray[np.uint64]:
    """A number for each row that depends on all of its bits; rows with the same number are equal but for a chance of 2^-50."""
    random = np.random.default_rng(7)
    odd = random.integers(1 << 63, size=embeddings.dim, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    digests = np.empty(len(embeddings), np.uint64)
    for begin in range(0, len(embeddings), BATCH):
        told("looking for equal vectors", begin, len(embeddings))
        _, vectors = embeddings.rows(begin, min(begin + BATCH, len(embeddings)))
        bits = (np.asarray(vectors, np.float32) + np.float32(0)).view(np.uint32)  # -0.0 is 0.0
        digests[begin : begin + len(bits)] = (bits * odd).sum(axis=1, dtype=np.uint64)
    return digests


def _is_pair(asked: Asked, vector: NDArray[np.float32]) -> bool:
    """Whether two items with the same vector are a pair."""
    if asked.metric == "dot":
        return float(vector.astype(np.float64) @ vector.astype(np.float64)) >= asked.threshold
    return asked.metric == "l2" or bool(vector.any())
