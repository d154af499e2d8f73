"""How the native part is asked to search, and what it remarks on the way."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1 import _native
from emm1.arguments import as_among, metric_name, thread_count
from emm1.embeddings.hits import Hits
from emm1.errors import EmbeddingsWarning

if TYPE_CHECKING:
    from emm1.embeddings.file import Metric

# What queries leave out: for each the row of an id, or every row that is equal to it.
Exclude = NDArray[np.int64] | Literal["equal"] | None
# Remarks about codes files that were shown as warnings: once per process is enough.
_WARNED: set[str] = set()


def how_to_search(
    file: _native.EmbeddingFile,
    metric: Metric,
    among: ArrayLike | None,
    threads: int | None,
    exclude: Exclude = None,
) -> _native.How:
    """The checked arguments of a search.

    Raises:
        emm1.errors.EmbeddingError: one of them is not what it should be.
    """
    return {
        "metric": metric_name(metric),
        "among": None if among is None else as_among(among, file.rows, file.ids),
        "exclude": exclude,
        "threads": thread_count(threads),
    }


def hits_of_rows(file: _native.EmbeddingFile, queries: NDArray[np.float32], k: int, how: _native.How) -> Hits:
    """The k best rows for each query, (queries, dim).

    Where rows are left out and too few others remain, a row of the result ends with the id -1 and the score NaN.
    """
    if len(queries):
        hits = Hits(*file.search(queries, k, how))
    else:  # search for one query, so that the empty result has as many columns
        width = queries.shape[-1] or file.dims
        ids, scores = file.search(np.zeros((1, width), np.float32), k, {**how, "exclude": None})
        hits = Hits(ids[:0], scores[:0])
    warn_once(file.remarks())
    return hits


def warn_once(remarks: list[EmbeddingsWarning]) -> None:
    """Show remarks as warnings, unless the process has shown them before."""
    for remark in remarks:
        if str(remark) not in _WARNED:
            _WARNED.add(str(remark))
            warnings.warn(remark, stacklevel=4)
