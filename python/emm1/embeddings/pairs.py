"""Pairs: the scores of vectors of two files, and the ranks of ids that share queries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.arguments import as_ids, as_vectors, metric_name, thread_count
from emm1.embeddings.file import Embeddings, Metric
from emm1.embeddings.ranks import Ranks, rank_of
from emm1.embeddings.searching import how_to_search, warn_once


def score_pairs(
    a: Embeddings,
    a_ids: ArrayLike,
    b: Embeddings,
    b_ids: ArrayLike,
    metric: Metric = "cosine",
    threads: int | None = None,
) -> NDArray[np.float32]:
    """The scores of pairs, float32, (pairs,): the i-th id of one file with the i-th id of the other.

    Raises:
        emm1.errors.EmbeddingError: lists of different lengths, vectors of different dimensions, or an id that a file
            does not have.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.eye(3, dtype="float32"))
    >>> x = emm1.Embeddings(path)
    >>> emm1.score_pairs(x, [0, 1], x, [0, 2]).tolist()
    [1.0, 0.0]
    """
    return a._file.score_pairs(as_ids(a_ids), b._file, as_ids(b_ids), metric_name(metric), thread_count(threads))  # noqa: SLF001


def rank_pairs(
    base: Embeddings,
    ids: ArrayLike,
    queries: ArrayLike,
    of: ArrayLike,
    metric: Metric = "cosine",
    among: ArrayLike | None = None,
    *,
    own: ArrayLike | None = None,
    threads: int | None = None,
) -> Ranks:
    """The ranks of ids where several share a query: `Embeddings.rank_of`, but a query is compared with every row only once.

    Args:
        base: what to search.
        ids: the ids to rank, (pairs,).
        queries: (queries, dim).
        of: the position among `queries` of the query of each id, (pairs,), in any order.
        metric: ``cosine``, ``dot`` or ``l2``.
        among: ids to rank among, or a boolean mask over the rows.
        own: for each query an id whose row is not counted, (queries,); one that the file does not have leaves out nothing.
        threads: threads to use; all cores by default.

    Raises:
        emm1.errors.EmbeddingError: an id without a vector, a position without a query, or what `Embeddings.rank_of` refuses.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.array([[1, 0], [0, 1], [1, 0]], dtype="float32"))
    >>> x = emm1.Embeddings(path)
    >>> rank_pairs(x, [1, 2, 2], [[2, 1], [1, 3]], [0, 0, 1]).above.tolist()
    [2, 0, 1]
    >>> rank_pairs(x, [1, 2, 2], [[2, 1], [1, 3]], [0, 0, 1], own=[0, 1]).above.tolist()
    [1, 0, 0]
    """
    exclude = None if own is None else as_ids(own, "own")
    how = how_to_search(base._file, metric, among, threads, exclude)  # noqa: SLF001
    ranks = rank_of(base._file, as_ids(ids), np.atleast_2d(as_vectors(queries)), how, as_ids(of, "of"))  # noqa: SLF001
    warn_once(base._file.remarks())  # noqa: SLF001
    return ranks
