"""The closed forms of retrieval's measures, against every order of rows with equal scores, one by one."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from emm1.evaluation.retrieval.answers import Answers
from emm1.evaluation.retrieval.measures import FEW, harmonic, measure, measures_at
from emm1.evaluation.retrieval.summary import overall

# trec_eval's names, as ir-measures has them.
TREC = {"hit": "Success", "recall": "R", "precision": "P", "nDCG": "nDCG"}


def answers_of(scores: list[float], grades: list[int], without_vector: list[int]) -> Answers:
    """The right answers of one query, ranked by counting."""
    x, g = np.array(scores), np.array(grades)
    right = np.flatnonzero(g > 0)
    above, equal = (
        np.array([[(x > x[i]).sum(), (x == x[i]).sum() - 1] for i in right]).reshape(-1, 2).T.astype(np.int64)
    )
    grade = np.array([*g[right], *without_vector], np.int64)
    found = np.arange(len(grade)) < len(right)
    return Answers.of(np.zeros(len(grade), np.int64), grade, found, above, equal, 1)


def of_order(grades: list[int], everything: list[int], k: int) -> list[float]:
    """The measures of one order of rows, by their definitions."""
    right = [grade > 0 for grade in grades]
    positives = len(everything)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = sorted(everything, reverse=True)[:k]
    first = right.index(True) + 1 if True in right else np.inf
    precisions = [sum(right[: i + 1]) / (i + 1) for i in range(len(right)) if right[i]]
    return [
        float(any(right[:k])),
        sum(right[:k]) / positives,
        sum(right[:k]) / k,
        float(np.dot(grades[:k], discounts[: len(grades[:k])]) / np.dot(ideal, discounts[: len(ideal)])),
        1 / first,
        sum(precisions) / positives,
        sum(right[:positives]) / positives,
        first,
    ]


def every_order(scores: list[float], grades: list[int], without_vector: list[int], k: int) -> NDArray[np.float64]:
    """The measures of each order of the rows in which scores descend, (orders, measures)."""
    everything = [*(grade for grade in grades if grade), *without_vector]
    orders = [sorted(order, key=lambda i: -scores[i]) for order in permutations(range(len(scores)))]
    return np.array([of_order([grades[i] for i in order], everything, k) for order in orders])


@settings(max_examples=300)
@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=6),
    without_vector=st.lists(st.integers(1, 3), max_size=2),
    k=st.integers(1, 8),
)
def test_expectation_best_and_worst_of_every_order(
    rows: list[tuple[int, int]], without_vector: list[int], k: int
) -> None:
    scores, grades = [float(score) for score, _ in rows], [grade for _, grade in rows]
    if not any(grades) and not without_vector:
        grades[0] = 1
    answers = answers_of(scores, grades, without_vector)
    orders = every_order(scores, grades, without_vector, k)
    best = np.append(orders[:, :-1].max(axis=0), orders[:, -1].min())
    worst = np.append(orders[:, :-1].min(axis=0), orders[:, -1].max())
    for found, expected in ((answers, orders.mean(axis=0)), (answers.best(), best), (answers.worst(), worst)):
        values = [each.item() for each in measure(found, [k]).values()]
        assert values == pytest.approx(expected.tolist(), abs=1e-12)


@pytest.mark.parametrize(
    ("above", "rows", "right"), [(0, FEW + 1, 2), (3, 200, 7), (5, 300, 299), (1000, 90, 90), (0, 500, 3)]
)
def test_large_ties_against_random_orders_of_a_small_error(above: int, rows: int, right: int) -> None:
    """Too many orders to enumerate: the chance that the first right answer is the j-th row, from binomial coefficients as integers."""
    from math import comb  # noqa: PLC0415

    answers = Answers.of(
        np.zeros(right, np.int64),
        np.ones(right, np.int64),
        np.ones(right, bool),
        np.full(right, above),
        np.full(right, rows - 1),
        1,
    )
    ks = [1, 10, above + 5, above + rows]
    values = measure(answers, ks)
    chances = [comb(rows - j, right - 1) / comb(rows, right) for j in range(1, rows - right + 2)]
    assert values["MRR"].item() == pytest.approx(sum(c / (above + j) for j, c in enumerate(chances, 1)), rel=1e-12)
    assert values["median_rank"].item() == pytest.approx(
        sum(c * (above + j) for j, c in enumerate(chances, 1)), rel=1e-12
    )
    for k in ks:
        taken = min(max(k - above, 0), rows)
        assert values[f"hit@{k}"].item() == pytest.approx(
            1 - comb(rows - right, taken) / comb(rows, right and taken), abs=1e-12
        )
    each = [sum((1 + (right - 1) * (j - 1) / (rows - 1)) / (above + j) for j in range(1, rows + 1)) / rows]
    assert values["mAP"].item() == pytest.approx(each[0], rel=1e-12)


def test_a_constant_model_gains_nothing() -> None:
    """1,000 rows with one score: the expectation of a random order, where keeping an order would give up to 1."""
    values = measure(answers_of([0.0] * 1000, [1] + [0] * 999, []), [10])
    assert values["hit@10"].item() == 0.01
    assert round(values["MRR"].item(), 4) == 0.0075
    assert values["median_rank"].item() == 500.5


def test_like_trec_eval_and_scikit_learn_without_ties() -> None:
    """Random rankings with grades 0 to 3, and right answers that are not in them, to the last digit that is printed."""
    ir_measures = pytest.importorskip("ir_measures")  # not on Linux on ARM
    rng = np.random.default_rng(5)
    ks, queries, rows = [1, 3, 10], 40, 60
    scores = rng.permuted(np.tile(np.arange(rows) / rows, (queries, 1)), axis=1)
    grades = np.where(rng.random((queries, rows)) < 0.1, rng.integers(0, 4, (queries, rows)), 0)
    grades[np.arange(queries), rng.integers(rows, size=queries)] = 2
    missing = rng.integers(0, 3, queries)  # right answers without a vector, of grade 1
    query, answer = np.nonzero(grades)
    right = np.concatenate([query, np.repeat(np.arange(queries), missing)])
    grade = np.concatenate([grades[query, answer], np.ones(missing.sum(), np.int64)])
    found = np.arange(len(right)) < len(query)
    above = (scores[query] > scores[query, answer][:, None]).sum(axis=1)
    values = measure(Answers.of(right, grade, found, above, np.zeros_like(above), queries), ks)

    run = {str(q): {f"d{i}": float(scores[q, i]) for i in range(rows)} for q in range(queries)}
    qrels = {
        str(q): {
            **{f"d{i}": int(grades[q, i]) for i in range(rows)},
            **{f"m{i}": 1 for i in range(missing[q])},
        }
        for q in range(queries)
    }
    names = {"MRR": "RR", "mAP": "AP", "R-precision": "Rprec"}
    names |= {f"{mine}@{k}": f"{theirs}@{k}" for k in ks for mine, theirs in TREC.items()}
    wanted = {name: ir_measures.parse_measure(theirs) for name, theirs in names.items()}
    for each in ir_measures.iter_calc(list(wanted.values()), qrels, run):
        mine = next(name for name, theirs in wanted.items() if theirs == each.measure)
        assert values[mine][int(each.query_id)] == pytest.approx(each.value, abs=1e-9), (mine, each)

    whole = missing == 0  # scikit-learn knows of no right answers outside of the ranking
    for q in np.flatnonzero(whole):
        assert values["mAP"][q] == pytest.approx(metrics.average_precision_score(grades[q] > 0, scores[q]))
        for k in ks:
            expected = metrics.ndcg_score(grades[q : q + 1], scores[q : q + 1], k=k)
            assert values[f"nDCG@{k}"][q] == pytest.approx(expected)
    first = np.array([1 + min(above[query == q]) for q in range(queries)])
    assert values["median_rank"].tolist() == first.tolist()
    assert overall("median_rank", values["median_rank"]) == np.median(first)


def test_harmonic_sums_to_the_last_digit() -> None:
    from fractions import Fraction  # noqa: PLC0415

    above = np.array([0, 0, 1, 10, 63, 64, 65, 999, 10**6, 10**7])
    rows = np.array([1, 64, 65, 300, 2, 1, 2, 500, 3, 1])
    exact = [
        float(sum(Fraction(1, i) for i in range(a + 1, a + m + 1)))
        for a, m in zip(above.tolist(), rows.tolist(), strict=True)
    ]
    assert harmonic(above, rows) == pytest.approx(exact, rel=1e-14)


def test_without_an_answer_that_has_a_vector() -> None:
    answers = answers_of([0.5, 0.4], [0, 0], [1])
    values = measure(answers, [1, 5])
    assert [*values] == measures_at([1, 5])
    assert {name: value.item() for name, value in values.items() if value.item()} == {"median_rank": np.inf}
    assert overall("median_rank", np.array([1.0, np.inf, np.inf])) == np.inf
