"""Pairs of vectors that are at least so similar: exact, from the search for the nearest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.embeddings.file import Embeddings

# Queries at a time, and how many neighbours each is first asked for.
BATCH, FIRST = 1024, 16


def near_pairs(
    queries: Embeddings, ids: NDArray[np.int64], base: Embeddings, threshold: float, told: Callable[[int, int], object]
) -> pa.Table:
    """The rows of a base whose cosine with a query is at least the threshold.

    Queries whose last neighbour is still near enough are asked for more, until none is left out.

    Args:
        queries: the embeddings of the queries.
        ids: which of them, those without a vector are left out.
        base: the embeddings to search.
        threshold: the lowest cosine.
        told: called with how many queries are done, and how many there are.

    Returns:
        query_id, id and score.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.array([[1, 0], [0, 1], [1, 0.1]], dtype="float32"))
    >>> x = emm1.Embeddings(path)
    >>> near_pairs(x, np.array([0, 1]), x, 0.9, print).to_pylist()[1]
    2 2
    {'query_id': 0, 'id': 2, 'score': 0.9950371980667114}
    """
    known = ids[np.isin(ids, queries.ids)]
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    for begin in range(0, len(known), BATCH):
        batch = known[begin : begin + BATCH]
        k = FIRST
        while len(batch):
            hits = base.search(queries.vectors(batch), min(k, len(base)), metric="cosine")
            near = hits.scores >= np.float32(threshold)
            more = near[:, -1] & (hits.ids.shape[1] < len(base))
            done = near & ~more[:, None]
            found.append((np.broadcast_to(batch[:, None], near.shape)[done], hits.ids[done], hits.scores[done]))
            batch, k = batch[more], k * 8
        told(min(begin + BATCH, len(known)), len(known))
    of, near_ids, scores = (
        (np.concatenate(column) for column in zip(*found, strict=True)) if found else (np.array([]) for _ in range(3))
    )
    columns = (pa.array(of, pa.int64()), pa.array(near_ids, pa.int64()), pa.array(scores, pa.float32()))
    return pa.table(dict(zip(("query_id", "id", "score"), columns, strict=True)))
