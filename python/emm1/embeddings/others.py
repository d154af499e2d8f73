"""Search without the item that asks: the k best others, so that k are left where there are k."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emm1.embeddings.file import Embeddings, Metric
from emm1.embeddings.hits import Hits


def search_others(
    embeddings: Embeddings,
    queries: NDArray[np.float32],
    k: int,
    metric: Metric,
    among: NDArray[np.int64] | None,
    own: NDArray[np.int64] | None,
) -> list[Hits]:
    """For each query, the k best rows other than its own.

    Args:
        embeddings: what to search.
        queries: (queries, dim).
        k: how many for each; all others if there are fewer.
        metric: ``cosine``, ``dot`` or ``l2``.
        among: ids to look among; None for all.
        own: the id of each query, (queries,), whose row is left out. None if the queries have no ids: then every row that
            has the query's components is left out.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.array([[1, 0], [1, 0], [0, 1]], dtype="float32"))
    >>> x, query = emm1.Embeddings(path), np.array([[1, 0]], dtype="float32")
    >>> search_others(x, query, 2, "cosine", None, np.array([0]))[0].ids.tolist()
    [1, 2]
    >>> search_others(x, query, 2, "cosine", None, None)[0].ids.tolist()
    [2]
    """
    if own is not None:
        how = embeddings._how(metric, among, None, exclude=own)  # noqa: SLF001
        return [Hits(*hits) for hits in embeddings._file.search_others(queries, k, how)]  # noqa: SLF001
    found = [Hits(np.empty(0, np.int64), np.empty(0, np.float32))] * len(queries)
    left, asked = np.arange(len(queries)), k + 1
    while len(left):
        hits = embeddings.search(queries[left], asked, metric, among)
        again = []
        for place, ids, scores in zip(left, hits.ids, hits.scores, strict=True):
            others = (embeddings.vectors(ids) != queries[place]).any(axis=1)
            if len(ids) == asked and np.count_nonzero(others) < k:  # several rows are equal to the query
                again.append(place)
            else:
                found[place] = Hits(ids[others][:k], scores[others][:k])
        left, asked = np.array(again, np.int64), 2 * asked
    return found
