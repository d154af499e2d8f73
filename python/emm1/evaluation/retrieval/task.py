"""What is asked of a model: its queries, its gallery, the right answers and the rules; and what the ranks of the answers are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.embeddings.file import Embeddings, Metric
from emm1.errors import EmbeddingError
from emm1.evaluation.report.provenance import LeftOut
from emm1.evaluation.retrieval.answers import Answers, Whole
from emm1.evaluation.retrieval.pairs import Pairs
from emm1.evaluation.retrieval.ranking import rank_answers

if TYPE_CHECKING:
    from emm1.store.registered import Registered
    from emm1.store.store import Store

SHOWN = 3
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Side:
    """Vectors, and what they are.

    Attributes:
        embeddings: the vectors.
        name: the name that they are registered under, or that of the file.
        entry: how they are registered; None for a file, of which it is not known what its vectors are of.
    """

    embeddings: Embeddings
    name: str
    entry: Registered | None = None

    @property
    def items(self) -> str | None:
        """Dataset and modality, as in ``1m image``; None if they are not known."""
        return f"{self.entry.dataset} {self.entry.modality}" if self.entry else None


@dataclass(frozen=True)
class Rules:
    """What the numbers depend on, besides vectors and pairs.

    Attributes:
        ks: the cut-offs.
        metric: the score.
        missing: ``exclude`` or ``fail``: what happens if vectors are missing.
        exclude_self: whether the row with a query's own id is left out of its gallery.
        resamples: the resamples of the intervals; 0 for none.
        where: the condition that restricts the gallery, for people.
    """

    ks: tuple[int, ...]
    metric: Metric = "cosine"
    missing: str = "exclude"
    exclude_self: bool = False
    resamples: int = 1000
    where: str | None = None


@dataclass(frozen=True)
class Task:
    """Everything that an evaluation needs.

    Attributes:
        queries: the vectors to search by.
        base: the vectors to search.
        pairs: the right answers.
        rules: what else the numbers depend on.
        among: the ids that the gallery is restricted to; None for all rows.
        store: the store that knows the items; None if there is none.
        excluded: what counts as not there, and how many queries and rows of the gallery do.
    """

    queries: Side
    base: Side
    pairs: Pairs
    rules: Rules
    among: Whole | None = None
    store: Store | None = None
    excluded: LeftOut = field(default_factory=LeftOut)


@dataclass(frozen=True)
class Coverage:
    """Which queries count, and which of their right answers can be found.

    Attributes:
        asked: the queries of the pairs.
        without_vector: those that have no vector, which do not count.
        without_right_answer: those that have one, but no right answer among the items of the gallery: they do not count either.
        queries: those that count.
        unreachable: those that count, but none of whose right answers has a vector: they find nothing.
        right_answers: the right answers of the queries that count.
        right_answers_with_vector: those that have a vector.
    """

    asked: int
    without_vector: int
    without_right_answer: int
    queries: int
    unreachable: int
    right_answers: int
    right_answers_with_vector: int

    @property
    def share(self) -> float:
        """The share of the queries that count."""
        return self.queries / self.asked


@dataclass(frozen=True)
class Outcome:
    """The ranks of the right answers.

    Attributes:
        asked: the ids of all queries of the pairs, ascending.
        query_ids: those that count, ascending, (queries,).
        cluster: the id of the right answer with the highest grade, and of those the lowest id, (queries,).
        answers: where their right answers rank.
        gallery: the ids of the rows that are searched, ascending.
        pairs: the pairs whose item is in the gallery, or would be if it had a vector.
        coverage: what was left out.
    """

    asked: Whole
    query_ids: Whole
    cluster: Whole
    answers: Answers
    gallery: Whole
    pairs: pl.DataFrame
    coverage: Coverage


@dataclass(frozen=True)
class Asked:
    """What is ranked, and what is not.

    Attributes:
        task: what is asked for.
        gallery: the ids of the rows that are searched, ascending.
        pairs: the pairs whose item is in the gallery, or would be if it had a vector.
        every: the ids of all queries of the pairs, ascending.
        has_vector: which of these have a vector.
        has_answer: which of these have a right answer.
        right: the right answers of the queries that count.
        found: which of these have a vector.
    """

    task: Task
    gallery: Whole
    pairs: pl.DataFrame
    every: Whole
    has_vector: NDArray[np.bool_]
    has_answer: NDArray[np.bool_]
    right: pl.DataFrame
    found: NDArray[np.bool_]

    @property
    def query_ids(self) -> Whole:
        """The ids of the queries that count, ascending."""
        return self.every[self.has_vector & self.has_answer]

    @property
    def ranked(self) -> pl.DataFrame:
        """The right answers that are ranked, by query."""
        return self.right.filter(pl.Series(self.found))


def asked(task: Task) -> Asked:
    """What is to be ranked.

    Raises:
        EmbeddingError: vectors of different dimensions, an empty gallery, no query that counts, or a vector that is missing although
            none may be.
    """
    queries, base = task.queries.embeddings, task.base.embeddings
    if queries.dim != base.dim:
        raise EmbeddingError(
            f"the vectors of {task.queries.name} have {queries.dim:,} components, those of {task.base.name} {base.dim:,}: embed "
            "queries and gallery with one model"
        )
    gallery = _gallery(task)
    pairs = task.pairs.frame
    every = pairs["query_id"].unique().sort().to_numpy()
    if task.among is not None:
        pairs = pairs.filter(_isin(pairs["id"], task.among))
    has_vector = np.isin(every, queries.ids)
    right = pairs.filter(pl.col("grade") > 0)
    has_answer = np.isin(every, right["query_id"].to_numpy())
    _refuse_missing(task, every[has_answer & ~has_vector], "queries", task.queries.name)
    _refuse_none(task, every, has_vector, has_answer)
    right = right.filter(_isin(right["query_id"], every[has_vector & has_answer]))
    found = np.isin(right["id"].to_numpy(), gallery)
    _refuse_missing(task, right["id"].to_numpy()[~found], "right answers", task.base.name)
    return Asked(task, gallery, pairs, every, has_vector, has_answer, right, found)


def carry_out(task: Task, progress: Progress = lambda _done, _all: None) -> Outcome:
    """Rank the right answers of every query that has a vector and a right answer.

    Args:
        task: what to do.
        progress: called from time to time with the number of right answers that are ranked, and of all.

    Raises:
        EmbeddingError: as `asked`; or NaN or an infinity in a vector.
    """
    what = asked(task)
    query_ids, ids = (what.ranked[name].to_numpy() for name in ("query_id", "id"))
    sides = task.queries.embeddings, task.base.embeddings
    return outcome(what, *rank_answers(*sides, query_ids, ids, task.rules, task.among, progress))


def outcome(what: Asked, above: Whole, equal: Whole) -> Outcome:
    """The ranks of the right answers, of which so many rows score better, and so many others the same."""
    right, found, query_ids = what.right, what.found, what.query_ids
    query = np.searchsorted(query_ids, right["query_id"].to_numpy())
    best = right.sort("query_id", "grade", "id", descending=[False, True, False]).unique(
        "query_id", keep="first", maintain_order=True
    )
    answers = Answers.of(query, right["grade"].to_numpy(), found, above, equal, len(query_ids))
    coverage = Coverage(
        asked=len(what.every),
        without_vector=int((~what.has_vector).sum()),
        without_right_answer=int((what.has_vector & ~what.has_answer).sum()),
        queries=len(query_ids),
        unreachable=len(query_ids) - len(np.unique(query[found])),
        right_answers=len(right),
        right_answers_with_vector=int(found.sum()),
    )
    return Outcome(what.every, query_ids, best["id"].to_numpy(), answers, what.gallery, what.pairs, coverage)


def _gallery(task: Task) -> Whole:
    """The ids of the rows that are searched."""
    ids = np.unique(task.base.embeddings.ids)
    if not len(ids):
        raise EmbeddingError(f"the gallery is empty: {task.base.name} has no rows")
    if task.among is not None:
        ids = ids[np.isin(ids, task.among)]
        if not len(ids):
            how = f"fulfils {task.rules.where!r}" if task.rules.where else "is among the given ids"
            if task.excluded:
                how = f"is left without {task.excluded}"
            raise EmbeddingError(f"the gallery is empty: no row of {task.base.name} {how}")
    return ids


def _refuse_missing(task: Task, ids: Whole, what: str, where: str) -> None:
    if task.rules.missing == "fail" and len(ids):
        raise EmbeddingError(
            f"{what} without a vector in {where}: {len(np.unique(ids)):,}, and none may be missing (first ids: {_first(ids)}). Embed them, "
            "or have them counted",
            missing="exclude",
        )


def _refuse_none(task: Task, asked: Whole, has_vector: NDArray[np.bool_], has_answer: NDArray[np.bool_]) -> None:
    if (has_vector & has_answer).any():
        return
    if not has_answer.any():
        among = " among the items of the gallery" if task.among is not None else ""
        raise EmbeddingError(
            f"none of the {len(asked):,} queries has a right answer{among} (first ids: {_first(asked)})"
        )
    raise EmbeddingError(
        f"none of the {has_answer.sum():,} queries with a right answer has a vector in {task.queries.name} (first ids: "
        f"{_first(asked[has_answer])}): are these its ids?"
    )


def _first(ids: Whole) -> str:
    distinct = np.unique(ids)
    return ", ".join(map(str, distinct[:SHOWN])) + (", …" if len(distinct) > SHOWN else "")


def _isin(column: pl.Series, ids: Whole) -> pl.Series:
    return pl.Series(np.isin(column.to_numpy(), ids))
