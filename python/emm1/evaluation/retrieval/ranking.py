"""Ranks right answers among the rows of a gallery, and finds the best rows: exactly, in batches, so that vectors need little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emm1.embeddings.file import Embeddings
from emm1.embeddings.pairs import rank_pairs
from emm1.evaluation.retrieval.answers import Whole

if TYPE_CHECKING:
    from emm1.evaluation.retrieval.task import Rules

# Queries that share a scan of the gallery.
BATCH = 1024


def rank_answers(
    queries: Embeddings,
    base: Embeddings,
    query_ids: Whole,
    ids: Whole,
    rules: Rules,
    among: Whole | None,
    progress: Callable[[int, int], object],
    threads: int | None = None,
) -> tuple[Whole, Whole]:
    """How many rows score better than each right answer, and how many others the same, (answers,) each.

    Args:
        queries: the vectors of the queries.
        base: the vectors of the gallery.
        query_ids: the query of each right answer, ascending, (answers,).
        ids: the right answers, (answers,).
        rules: the score, and whether the row with the query's own id is left out.
        among: the ids that the gallery is restricted to; None for all rows.
        progress: called with the number of answers done, and of all.
        threads: threads to use; all cores by default.
    """
    above, equal = np.empty((2, len(ids)), np.int64)
    distinct, first = np.unique(query_ids, return_index=True)
    for begin in range(0, len(distinct), BATCH):
        own = distinct[begin : begin + BATCH]
        part = slice(first[begin], first[begin + BATCH] if begin + BATCH < len(distinct) else len(ids))
        above[part], equal[part] = rank_pairs(
            base,
            ids[part],
            queries.vectors(own),
            np.searchsorted(own, query_ids[part]),
            rules.metric,
            among,
            own=own if rules.exclude_self else None,
            threads=threads,
        )
        progress(part.stop, len(ids))
    return above, equal


def best_rows(
    queries: Embeddings, base: Embeddings, query_ids: Whole, k: int, rules: Rules, among: Whole | None
) -> Iterator[tuple[Whole, Whole, Whole, NDArray[np.float32]]]:
    """The best rows of some queries, batch by batch: query_id, rank from 1, id and score, a value for each hit."""
    for begin in range(0, len(query_ids), BATCH):
        own = query_ids[begin : begin + BATCH]
        hits = base.search(queries.vectors(own), k + rules.exclude_self, rules.metric, among)
        kept = np.ones(hits.ids.shape, bool)
        if rules.exclude_self:
            kept = hits.ids != own[:, np.newaxis]
        rank = np.cumsum(kept, axis=1)
        kept &= rank <= k
        yield np.repeat(own, kept.sum(axis=1)), rank[kept], hits.ids[kept], hits.scores[kept]
