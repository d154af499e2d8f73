"""Where the right answers of queries rank: with ties as they are, or broken in favour of the right answers or against them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Real = NDArray[np.float64]


@dataclass(frozen=True)
class Ties:
    """The groups of equal scores that have right answers, by query and best first.

    Attributes:
        starts: the first answer of each group, (groups,).
        query: the query, by its number.
        above: the rows that score better.
        rows: the rows of the group.
        right: the right answers among them.
        before: the right answers of the query in better groups.
        first: the best group of each query that has one, (queries with a group,).
    """

    starts: Whole
    query: Whole
    above: Whole
    rows: Whole
    right: Whole
    before: Whole
    first: Whole


@dataclass(frozen=True)
class Answers:
    """The right answers of some queries, which are numbered from 0, by query and best first.

    Attributes:
        query: the query of each right answer that has a vector, (answers,).
        above: how many rows score better.
        rows: how many rows have its score, itself too.
        grade: how right it is, at least 1.
        positives: the right answers of each query, also those without a vector, (queries,).
        graded: the query and the grade of every right answer, also of those without a vector; the grades of a query
            descending.
    """

    query: Whole
    above: Whole
    rows: Whole
    grade: Whole
    positives: Whole
    graded: tuple[Whole, Whole]

    @classmethod
    def of(
        cls, query: Whole, grade: Whole, found: NDArray[np.bool_], above: Whole, equal: Whole, queries: int
    ) -> Answers:
        """Bring right answers into order.

        Args:
            query: the query of every right answer, (right,).
            grade: its grade, likewise.
            found: whether it has a vector, likewise.
            above: how many rows score better than each that has one, (answers,).
            equal: how many others score the same, likewise.
            queries: how many queries there are.
        """
        order = np.lexsort((-grade, query))
        ranked = np.lexsort((-grade[found], above, query[found]))
        return cls(
            query[found][ranked],
            above[ranked],
            equal[ranked] + 1,
            grade[found][ranked],
            np.bincount(query, minlength=queries).astype(np.int64),
            (query[order], grade[order]),
        )

    @property
    def queries(self) -> int:
        """How many queries there are."""
        return len(self.positives)

    @cached_property
    def ties(self) -> Ties:
        """The groups of equal scores."""
        new_query = np.diff(self.query, prepend=-1) != 0
        starts = np.flatnonzero(new_query | (np.diff(self.above, prepend=-1) != 0))
        right = np.diff(starts, append=len(self.query))
        first = np.flatnonzero(new_query[starts])
        of_query = np.repeat(starts[first], np.diff(first, append=len(starts)))
        return Ties(starts, self.query[starts], self.above[starts], self.rows[starts], right, starts - of_query, first)

    def best(self) -> Answers:
        """The same with ties broken in favour of the right answers, the best of them first."""
        return replace(self, above=self.above + self._place_in_tie(), rows=np.ones_like(self.rows))

    def worst(self) -> Answers:
        """The same with ties broken against the right answers, the best of them last."""
        last = self.above + self.rows - 1 - self._place_in_tie()
        order = np.lexsort((last, self.query))
        return replace(self, above=last[order], grade=self.grade[order], rows=np.ones_like(self.rows))

    def _place_in_tie(self) -> Whole:
        """The place of each right answer among those of its group, from 0, the highest grade first."""
        return np.arange(len(self.query)) - np.repeat(self.ties.starts, self.ties.right)
