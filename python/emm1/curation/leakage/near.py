"""Pairs of vectors that are at least so similar: exact, from the search for the nearest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.embeddings.file import Embeddings
from emm1.embeddings.reaching import reaching

BATCH = 1024  # queries at a time
SCHEMA = pa.schema([("query_id", pa.int64()), ("id", pa.int64()), ("score", pa.float32())])


def near_pairs(
    queries: Embeddings, ids: NDArray[np.int64], base: Embeddings, threshold: float, told: Callable[[int, int], object]
) -> pa.Table:
    """The rows of a base whose cosine with a query is at least the threshold.

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
    tables = [SCHEMA.empty_table()]
    for begin in range(0, len(known), BATCH):
        batch = known[begin : begin + BATCH]
        for positions, near, scores in reaching(base, queries.vectors(batch), threshold, "cosine"):
            tables.append(pa.table([batch[positions], near, scores], schema=SCHEMA))
        told(min(begin + BATCH, len(known)), len(known))
    return pa.concat_tables(tables)
