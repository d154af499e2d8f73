"""Search without the item that asks: the k best others, so that k are left where there are k."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.embeddings.file import Embeddings, Metric
from emm1.embeddings.hits import Hits
from emm1.embeddings.searching import hits_of_rows, how_to_search


def search_others(
    embeddings: Embeddings,
    queries: NDArray[np.float32],
    k: int,
    metric: Metric,
    among: ArrayLike | None,
    own: NDArray[np.int64] | None,
    threads: int | None = None,
) -> Hits:
    """For each query, the k best rows other than its own.

    Args:
        embeddings: what to search.
        queries: (queries, dim).
        k: how many for each; where fewer others remain, the rest is filled with the id -1 and the score NaN.
        metric: ``cosine``, ``dot`` or ``l2``.
        among: ids to look among; None for all.
        own: the id of each query, (queries,), whose row is left out. None if the queries have no ids: then every row that
            has the query's components is left out.
        threads: threads to use; all cores by default.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.array([[1, 0], [1, 0], [0, 1]], dtype="float32"))
    >>> x, query = emm1.Embeddings(path), np.array([[1, 0]], dtype="float32")
    >>> search_others(x, query, 2, "cosine", None, np.array([0])).ids.tolist()
    [[1, 2]]
    >>> search_others(x, query, 2, "cosine", None, None).ids.tolist()
    [[2]]
    """
    file = embeddings._file  # noqa: SLF001
    how = how_to_search(file, metric, among, threads, "equal" if own is None else own)
    return hits_of_rows(file, queries, k, how)
