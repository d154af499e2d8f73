"""The measures of retrieval for each query: expectations over a random order of rows with equal scores, in closed form.

A group of equal scores has m rows, of which p are right answers; a rows score better. In a random order each of the p is at any
of the ranks a + 1 … a + m with the same chance, and so is every set of p ranks. What a measure expects follows from that, and no
order of rows in a file can change it. Without ties, m = p = 1, these are the usual definitions, as trec_eval has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from emm1.evaluation.retrieval.answers import Answers, Real, Whole

# Measures at a cut-off k, and those without one, in the order of the report.
AT_K = ("hit", "recall", "precision", "nDCG")
WHOLE = ("MRR", "mAP", "R-precision", "median_rank")
MEDIAN = "median_rank"  # the only one that is a median over queries and not a mean
TABLED = 64
FEW = 64
_HARMONIC = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, TABLED + 1))])


def measures_at(ks: Sequence[int]) -> list[str]:
    """The names of all measures for these k, in the order of the report.

    >>> measures_at([1, 5])[:3]
    ['hit@1', 'hit@5', 'recall@1']
    """
    return [*(f"{name}@{k}" for name in AT_K for k in ks), *WHOLE]


def measure(answers: Answers, ks: Sequence[int]) -> dict[str, Real]:
    """The value of every measure for each query, (queries,); the rank of the first right answer is infinite if it has no vector.

    >>> one = Answers.of(*map(np.array, ([0], [1], [True], [0], [999])), 1)
    >>> values = measure(one, [10])
    >>> values["hit@10"].tolist(), values["MRR"].round(4).tolist(), values["median_rank"].tolist()
    ([0.01], [0.0075], [500.5])
    """
    at_k: dict[str, Callable[[int], Real]] = {
        "hit": lambda k: _hit(answers, k),
        "recall": lambda k: _found(answers, k) / answers.positives,
        "precision": lambda k: _found(answers, k) / k,
        "nDCG": lambda k: _ndcg(answers, k),
    }
    return {
        **{f"{name}@{k}": at_k[name](k) for name in AT_K for k in ks},
        "MRR": _reciprocal_rank(answers),
        "mAP": _average_precision(answers),
        "R-precision": _found(answers, answers.positives) / answers.positives,
        MEDIAN: _of_first(answers, lambda above, rows, right: above + 1 + (rows - right) / (right + 1), np.inf),
    }


def _of_first(answers: Answers, value: Callable[[Whole, Whole, Whole], Real], otherwise: float) -> Real:
    """A value of the best group of each query that has right answers: of its rows above, its rows and its right answers."""
    ties = answers.ties
    found = np.full(answers.queries, otherwise, np.float64)
    found[ties.query[ties.first]] = value(ties.above[ties.first], ties.rows[ties.first], ties.right[ties.first])
    return found


def _found(answers: Answers, k: int | Whole) -> Real:
    """How many right answers are among the first k, which may differ by query."""
    own = k if isinstance(k, int) else k[answers.query]
    share = np.clip(own - answers.above, 0, answers.rows) / answers.rows
    return _sums(answers.query, share, answers.queries)


def _hit(answers: Answers, k: int) -> Real:
    """The chance that a right answer is among the first k: 1 − C(m − p, c) / C(m, c), where c rows of the group are."""

    def chance(above: Whole, rows: Whole, right: Whole) -> Real:
        taken = np.clip(k - above, 0, rows)
        missed = np.where(taken > rows - right, 0.0, 1.0)
        # The quotient is a product of c factors, or of p with both exchanged.
        factors, other = np.minimum(taken, right), np.maximum(taken, right)
        active = np.flatnonzero((missed > 0) & (factors > 0))
        done = 0
        while len(active):
            left = rows[active] - done
            missed[active] *= (left - other[active]) / left
            done += 1
            active = active[factors[active] > done]
        return np.where(right == 1, taken / rows, 1 - missed)

    return _of_first(answers, chance, 0)


def _reciprocal_rank(answers: Answers) -> Real:
    """Σ_j C(m − j, p − 1) / C(m, p) / (a + j): the first right answer of the best group is its j-th row."""

    def expected(above: Whole, rows: Whole, right: Whole) -> Real:
        value = harmonic(above, rows) / rows
        several = np.flatnonzero(right > 1)
        groups = np.stack([above[several], rows[several], right[several]])
        distinct, inverse = np.unique(groups, axis=1, return_inverse=True)
        few = distinct[1] <= FEW
        values = np.empty(distinct.shape[1])
        values[few] = _first_of_few(*distinct[:, few])
        values[~few] = [_first_of_many(*group) for group in distinct[:, ~few].T.tolist()]
        value[several] = values[inverse.reshape(-1)]
        return value

    return _of_first(answers, expected, 0)


def _first_of_few(above: Whole, rows: Whole, right: Whole) -> Real:
    """The expected reciprocal rank for many small groups at once."""
    chance = right / rows
    value = chance / (above + 1)
    for j in range(1, int((rows - right).max(initial=0)) + 1):
        chance = chance * np.maximum(rows - right - j + 1, 0) / np.maximum(rows - j, 1)
        value += chance / (above + j + 1)
    return value


def _first_of_many(above: int, rows: int, right: int) -> float:
    """The expected reciprocal rank for one group."""
    j = np.arange(1, rows - right + 1)
    chance = right / rows * np.cumprod(np.concatenate([[1.0], (rows - right - j + 1) / (rows - j)]))
    return float(chance @ (1 / (above + 1 + np.arange(rows - right + 1))))


def _average_precision(answers: Answers) -> Real:
    """Average precision as trec_eval has it: the mean over right answers of the precision at their ranks.

    If a right answer is the j-th row of its group, 1 + (p − 1) (j − 1) / (m − 1) of the group are expected up to there, and
    those of better groups are before it. Σ_j 1 / (a + j) and Σ_j (j − 1) / (a + j) are differences of harmonic numbers.
    """
    ties = answers.ties
    inverse = harmonic(ties.above, ties.rows)
    placed = np.where(ties.rows > 1, ties.rows - (ties.above + 1) * inverse, 0)
    others = (ties.right - 1) / np.maximum(ties.rows - 1, 1)
    precision = ((ties.before + 1) * inverse + others * placed) * ties.right / ties.rows
    return _sums(ties.query, precision, answers.queries) / answers.positives


def _ndcg(answers: Answers, k: int) -> Real:
    """The gain of the first k, each divided by log₂(1 + rank), as a share of the gain in the best possible order.

    The gain of a right answer is its grade (linear), as in trec_eval; right answers without a vector count in the best order.
    """
    last = max((answers.above + answers.rows).max(initial=0), answers.positives.max(initial=0))
    k = min(k, int(last))  # nothing is gained after that
    discount = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    end, begin = np.minimum(answers.above + answers.rows, k), np.minimum(answers.above, k)
    gain = answers.grade / answers.rows * (discount[end] - discount[begin])
    query, grade = answers.graded
    place = np.arange(len(query)) - np.repeat(np.cumsum(answers.positives) - answers.positives, answers.positives)
    best = np.where(place < k, grade / np.log2(place + 2), 0)
    return _sums(answers.query, gain, answers.queries) / _sums(query, best, answers.queries)


def _sums(query: Whole, values: Real, queries: int) -> Real:
    """The sum of the values of each query."""
    return np.bincount(query, values, queries).astype(np.float64)  # whole numbers if there are no values


def harmonic(above: Whole, rows: Whole) -> Real:
    """Σ 1 / i over i = above + 1 … above + rows, to full precision however far down it is.

    Up to 64 the sums are tabled; from there on they are ln n + γ + 1/(2n) − 1/(12n²) + 1/(120n⁴) − 1/(252n⁶) but for less than
    a rounding error, and the difference of logarithms is that of their quotient.

    >>> harmonic(np.array([0, 10**9]), np.array([3, 1])).tolist() == [1 + 1 / 2 + 1 / 3, 1 / (10**9 + 1)]
    True
    """
    end = above + rows
    near = _HARMONIC[np.minimum(end, TABLED)] - _HARMONIC[np.minimum(above, TABLED)]
    low, high = np.maximum(above, TABLED), np.maximum(end, TABLED)
    far = np.log1p((high - low) / low) + (_correction(high) - _correction(low))
    return np.where(rows == 1, 1 / end, near + far)


def _correction(n: NDArray[np.int64]) -> Real:
    square = 1.0 / n / n
    return 0.5 / n - square * (1 / 12 - square * (1 / 120 - square / 252))
