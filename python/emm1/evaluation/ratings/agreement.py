"""How well similarities order rated rows: exact with ties, and sorted only once for any number of weightings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

GRADES = 3  # Good, Partial, Bad: annotations 1, 2 and 3
# The pairs of grades, better first, by the names of their AUCs.
COMPARED = {"auc_good_bad": (0, 2), "auc_good_partial": (0, 1), "auc_partial_bad": (1, 2)}
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """Rows sorted by group, and within a group by similarity; a run is the rows of a group with equal similarity.

    Attributes:
        order: the positions of the rows as given, sorted, (n,).
        cells: (annotation − 1) · runs + run of each sorted row, (n,).
        starts: the first run of each group, (groups,).
        first: the first run of the group of each run, (runs,).
    """

    order: NDArray[np.int64]
    cells: NDArray[np.int64]
    starts: NDArray[np.int64]
    first: NDArray[np.int64]

    @classmethod
    def of(cls, similarity: ArrayLike, annotation: ArrayLike, group: ArrayLike | None = None) -> Self:
        """Sort rows.

        Args:
            similarity: how similar a model finds each row, (n,).
            annotation: the ratings, 1 (Good) to 3 (Bad), (n,).
            group: rows are compared only within their group, an integer each, (n,); by default all are one group.
        """
        scores, grades = np.asarray(similarity), np.asarray(annotation, np.int64) - 1
        groups = np.zeros(len(scores), np.int64) if group is None else np.asarray(group, np.int64)
        order = np.argsort(scores, kind="stable") if group is None else np.lexsort((scores, groups))
        scores, groups = scores[order], groups[order]
        new_group = np.diff(groups, prepend=groups[:1] - 1) != 0
        new_run = new_group.copy()
        new_run[1:] |= scores[1:] != scores[:-1]
        run = np.cumsum(new_run) - 1
        starts = run[new_group]
        runs = int(new_run.sum())
        return cls(order, grades[order] * runs + run, starts, np.repeat(starts, np.diff(starts, append=runs)))

    def counts(self, weights: NDArray[np.int64] | None = None) -> Counts:
        """The number of rows of each grade and run, or the sum of their weights, float64, (3, runs).

        >>> Ranked.of([0.5, 0.9, 0.5], [3, 1, 1]).counts().tolist()
        [[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]
        """
        given = None if weights is None else weights[self.order]
        return np.bincount(self.cells, given, GRADES * len(self.first)).reshape(GRADES, -1).astype(np.float64)

    def compare(self, counts: Counts) -> Comparison:
        """Compare every row with every row of its group that has another rating, in time linear in the rows.

        Args:
            counts: as `counts` gives them.

        >>> ranked = Ranked.of([0.9, 0.5, 0.5, 0.1], [1, 1, 3, 2])
        >>> ranked.compare(ranked.counts()).aucs.tolist()  # Good over Bad, Good over Partial, Partial over Bad
        [0.75, 1.0, 0.0]
        """
        # Of the rows that are less similar, and half of those that are equally similar.
        below = np.cumsum(counts, axis=1)
        below -= counts / 2
        if len(self.starts) > 1:
            below -= (below - counts / 2)[:, self.first]
        totals = np.add.reduceat(counts, self.starts, axis=1) if len(self.starts) else counts
        # NumPy's own loops: BLAS would wake its threads for each of these short sums. All of them are exact.
        ordered = [np.einsum("i,i", counts[better], below[worse]) for better, worse in COMPARED.values()]
        pairs = [np.einsum("i,i", totals[better], totals[worse]) for better, worse in COMPARED.values()]
        return Comparison(np.array(ordered), np.array(pairs))


@dataclass(frozen=True)
class Comparison:
    """Pairs of rows with different ratings, by the pairs of grades of `COMPARED`.

    Attributes:
        ordered: pairs in which the better-rated row is more similar, ties counting half, (3,).
        pairs: all such pairs, (3,).
    """

    ordered: Counts
    pairs: Counts

    @property
    def aucs(self) -> Counts:
        """The chance that the better-rated row of a pair is the more similar one, ties counting half; NaN without pairs."""
        found = np.full(len(self.pairs), np.nan)
        np.divide(self.ordered, self.pairs, out=found, where=self.pairs > 0)
        return found

    @property
    def somers_d(self) -> float:
        """Somers' D of similarity given rating: (concordant − discordant) / pairs with different ratings; NaN without any.

        R. H. Somers, "A new asymmetric measure of association for ordinal variables", American Sociological Review 27,
        1962, 799–811.

        >>> ranked = Ranked.of([0.9, 0.5, 0.5, 0.1], [1, 1, 3, 2])
        >>> ranked.compare(ranked.counts()).somers_d
        0.4
        """
        pairs = self.pairs.sum()
        return float((2 * self.ordered.sum() - pairs) / pairs) if pairs else np.nan


def average_precision(counts: Counts) -> float:
    """The average precision of finding the Good rows, as scikit-learn defines it: a threshold at each similarity.

    It is the sum of precision times the increase of recall, from the highest threshold down; rows of equal similarity are
    found together. NaN without a Good row.

    Args:
        counts: the rows of each grade and similarity, ascending, (3, runs), as `Ranked.counts` gives them for one group.

    >>> round(average_precision(Ranked.of([0.9, 0.8, 0.8, 0.1], [1, 1, 3, 2]).counts()), 4)
    0.8333
    """
    good, rows = counts[0, ::-1], counts.sum(axis=0)[::-1]
    found = np.cumsum(good)
    if not len(found) or not found[-1]:
        return np.nan
    precision = np.divide(found, np.cumsum(rows), out=np.zeros(len(found)), where=found > 0)
    return float(np.einsum("i,i", good, precision) / found[-1])


def ceiling(items: ArrayLike, annotation: ArrayLike) -> tuple[float, int]:
    """The highest Somers' D that any model can reach, and how many pairs of rows say so.

    A model gives one similarity to rows about the same two items, so where their ratings differ it cannot order them, and must
    rank them by all their ratings together. The value is the maximum of Somers' D over all ways to give each two items one
    similarity. Rows whose items are rated once do not lower it, so with few repeats it is too high.

    Of two sets of ratings with the shares good, partial and bad, the order with fewer discordant pairs is that of
    (good − bad) / (1 + partial): concordant minus discordant pairs is the determinant of both sets and (1, −1, 1), a point
    outside of the triangle of shares, around which the sets are therefore in one order.

    Args:
        items: a number for each two items, (n,).
        annotation: the ratings, 1 to 3, (n,).

    Returns:
        The value, NaN if all ratings are the same; and the number of pairs of rows about the same two items.

    >>> ceiling([7, 7, 8, 9], [1, 3, 1, 3])
    (0.75, 1)
    """
    _, same = np.unique(np.asarray(items), return_inverse=True)
    grades = np.asarray(annotation, np.int64) - 1
    ratings = np.bincount(same * GRADES + grades, minlength=GRADES * (int(same.max(initial=-1)) + 1)).reshape(
        -1, GRADES
    )
    rows = ratings.sum(axis=1)
    best = (ratings[:, 0] - ratings[:, 2]) / (rows + ratings[:, 1])
    ranked = Ranked.of(best[same], annotation)
    return ranked.compare(ranked.counts()).somers_d, int((rows * (rows - 1) // 2).sum())


def disagreement(ranked: Ranked) -> Counts:
    """How much a row's similarity is at odds with its rating, 0 to 1, (n,), in the order in which the rows were given.

    It is the share of the rows with another rating that the similarity puts on the wrong side of this row, ties counting half;
    0 if all ratings are the same. The rows are one group.

    >>> disagreement(Ranked.of([0.9, 0.5, 0.1], [3, 1, 2])).tolist()
    [1.0, 0.5, 0.5]
    """
    counts = ranked.counts()
    below = np.cumsum(counts, axis=1) - counts / 2
    total = counts.sum(axis=1, keepdims=True)
    above = total - below
    # Wrong are worse-rated rows above a row, and better-rated rows below it.
    wrong = np.stack([above[1] + above[2], above[2] + below[0], below[0] + below[1]])
    others = np.broadcast_to(total.sum() - total, wrong.shape)
    share = np.divide(wrong, others, out=np.zeros(wrong.shape), where=others > 0)
    found = np.empty(len(ranked.order))
    found[ranked.order] = share.reshape(-1)[ranked.cells]
    return found
