"""Scores of pairs of vectors from two files."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.arguments import as_ids, metric_name, thread_count
from emm1.embeddings.file import Embeddings, Metric


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
