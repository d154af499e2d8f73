"""Finds the negatives of a block of queries: of the best rows of the gallery, those that the rules leave."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.embeddings.pairs import score_pairs
from emm1.evaluation.retrieval.task import Task
from emm1.negatives.belonging import Belonging
from emm1.negatives.rules import Rules

Whole = NDArray[np.int64]
Scores = NDArray[np.float32]
# Pairs that are scored at once.
PAIRS = 1 << 20
# Most queries have their negatives among the first few ranks, which are found several times as fast as all that may be looked at.
# This share of a block decides how many ranks are looked at first in the next one.
MOST = 0.9
SCHEMA = pa.schema(
    [
        ("query_id", pa.int64()),
        ("positive_id", pa.int64()),
        ("negative_id", pa.int64()),
        ("rank", pa.int32()),
        ("score", pa.float32()),
        ("positive_score", pa.float32()),
    ]
)


class Search:
    """The search for negatives, a block of queries at a time. What it finds does not depend on the blocks.

    Args:
        task: the queries and the gallery.
        rules: what is taken.
        belonging: what never is.
    """

    def __init__(self, task: Task, rules: Rules, belonging: Belonging) -> None:
        self._task, self._rules, self._belonging = task, rules, belonging
        self._first = rules.range_max

    def block(self, own: Whole, of: Whole, positives: Whole) -> pa.Table:
        """The negatives of some queries, by query and rank.

        Args:
            own: the ids of the queries, ascending, (queries,).
            of: the query of each right answer, ascending, (pairs,).
            positives: the right answers, (pairs,).
        """
        base, metric = self._task.base.embeddings, self._task.rules.metric
        scores = score_pairs(self._task.queries.embeddings, of, base, positives, metric)
        place = np.searchsorted(own, of)
        # The right answer that is the least similar: a negative is compared with it, to be safe. Of equal ones the lowest id.
        order = np.lexsort((positives, -scores if metric == "l2" else scores, place))
        starts = np.searchsorted(place, np.arange(len(own)))
        worst, limit = positives[order][starts], scores[order][starts]
        most, wanted = self._rules.range_max, self._rules.num_negatives
        left, needed, tables = np.arange(len(own)), np.full(len(own), most), []
        for ranks in sorted({self._first, most}):
            query, rank, ids, score = self._candidates(own, left, ranks, limit)
            if self._rules.near_duplicates is not None:
                near = self._near(self._rules.near_duplicates, query, ids, starts, positives)
                query, rank, ids, score = query[~near], rank[~near], ids[~near], score[~near]
            number = np.arange(len(query)) - np.searchsorted(query, query)
            last = number == wanted - 1
            needed[query[last]] = rank[last]
            # Those that lack some are looked at again, to the end.
            lacking = np.setdiff1d(left, query[last]) if ranks < most else left[:0]
            taken = (number < wanted) & ~np.isin(query, lacking)
            left, query = lacking, query[taken]
            columns = [own[query], worst[query], ids[taken], rank[taken].astype(np.int32), score[taken], limit[query]]
            tables.append(pa.table(columns, schema=SCHEMA))
        self._first = int(np.quantile(needed, MOST, method="higher"))
        return pa.concat_tables(tables).sort_by([("query_id", "ascending"), ("rank", "ascending")])

    def _candidates(self, own: Whole, some: Whole, most: int, limit: Scores) -> tuple[Whole, Whole, Whole, Scores]:
        """The best rows for some of the queries that may be negatives: the number of the query, rank, id and score, (candidates,)."""
        task, rules = self._task, self._rules
        vectors = task.queries.embeddings.vectors(own[some])
        hits = task.base.embeddings.search(vectors, most, task.rules.metric, task.among)
        ranks = np.arange(1, hits.ids.shape[1] + 1)
        row, place = np.nonzero(np.broadcast_to(ranks > rules.range_min, hits.ids.shape))
        query, ids, score = some[row], hits.ids[row, place], hits.scores[row, place]
        kept = ~self._belonging.has(own[query], ids)
        bound = limit[query].astype(np.float64)
        if rules.relative_margin is not None:
            kept &= score <= bound - np.abs(bound) * rules.relative_margin
        if rules.max_score is not None:
            kept &= score.astype(np.float64) <= rules.max_score
        return query[kept], ranks[place[kept]], ids[kept], score[kept]

    def _near(self, threshold: float, query: Whole, ids: Whole, starts: Whole, positives: Whole) -> NDArray[np.bool_]:
        """Which candidates are near duplicates of any right answer of their query, by the cosine of the two, (candidates,)."""
        base = self._task.base.embeddings
        counts = np.diff(starts, append=len(positives))[query]
        near = np.zeros(len(query), np.bool_)
        ends = np.cumsum(counts)
        begin = 0
        while begin < len(query):
            before = int(ends[begin] - counts[begin])
            end = max(int(np.searchsorted(ends, before + PAIRS, side="right")), begin + 1)
            many = counts[begin:end]
            candidate = np.repeat(np.arange(begin, end), many)
            number = np.arange(len(candidate)) - np.repeat(np.cumsum(many) - many, many)
            scores = score_pairs(base, positives[starts[query[candidate]] + number], base, ids[candidate], "cosine")
            near[candidate[scores.astype(np.float64) >= threshold]] = True
            begin = end
        return near
