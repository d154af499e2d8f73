"""Agreement of similarities and ratings against the definitions, scipy and scikit-learn; the ceiling against every order."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import somersd
from sklearn.metrics import average_precision_score, roc_auc_score

from emm1.evaluation.ratings.agreement import COMPARED, Ranked, average_precision, ceiling, disagreement

ROW = st.tuples(
    st.sampled_from([-1.0, -0.0, 0.0, 0.25, 0.5, 1.0]), st.integers(1, 3), st.integers(0, 2), st.integers(0, 3)
)
ROWS = st.lists(ROW, max_size=30)
Rows = list[tuple[float, int, int, int]]


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


def slow_auc(rows: Rows, better: int, worse: int) -> float:
    wins = [
        0.5 + sign(a[0] - b[0]) / 2
        for a, b in product(rows, repeat=2)
        if a[1] == better and b[1] == worse and a[2] == b[2]
    ]
    return float(np.mean(wins)) if wins else np.nan


def slow_somers_d(rows: Rows) -> float:
    """(concordant − discordant) / pairs with different ratings of one group."""
    signs = [
        sign(a[0] - b[0]) * sign(b[1] - a[1])
        for i, a in enumerate(rows)
        for b in rows[:i]
        if a[1] != b[1] and a[2] == b[2]
    ]
    return sum(signs) / len(signs) if signs else np.nan


def slow_average_precision(rows: Rows) -> float:
    """Precision times the increase of recall at every distinct similarity."""
    good = sum(row[1] == 1 for row in rows)
    value = before = 0.0
    for threshold in sorted({row[0] for row in rows}, reverse=True):
        above = [row for row in rows if row[0] >= threshold]
        found = sum(row[1] == 1 for row in above)
        value += (found / good - before) * found / len(above) if good else 0
        before = found / good if good else 0
    return value if good else np.nan


def ranked_of(rows: Rows, *, grouped: bool) -> Ranked:
    columns = np.array(rows, dtype=float).reshape(-1, 4).T
    return Ranked.of(columns[0], columns[1], columns[2].astype(int) if grouped else None)


@given(ROWS, st.booleans())
def test_pairs_by_their_definition(rows: Rows, grouped: bool) -> None:
    ranked = ranked_of(rows, grouped=grouped)
    compared = ranked.compare(ranked.counts())
    if not grouped:
        rows = [(s, r, 0, w) for s, r, _, w in rows]
    expected = [slow_auc(rows, better + 1, worse + 1) for better, worse in COMPARED.values()]
    assert compared.aucs.tolist() == pytest.approx(expected, nan_ok=True, abs=1e-12)
    assert compared.somers_d == pytest.approx(slow_somers_d(rows), nan_ok=True, abs=1e-12)


@given(ROWS)
def test_average_precision_by_its_definition(rows: Rows) -> None:
    found = average_precision(ranked_of(rows, grouped=False).counts())
    assert found == pytest.approx(slow_average_precision(rows), nan_ok=True, abs=1e-12)


@given(ROWS)
def test_as_in_scipy_and_scikit_learn(rows: Rows) -> None:
    ranked = ranked_of(rows, grouped=False)
    compared = ranked.compare(ranked.counts())
    similarity, rating = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if min(len({*rating}), len({*similarity})) > 1:  # scipy has no value for a constant model
        assert compared.somers_d == pytest.approx(somersd(3 - rating, similarity).statistic, abs=1e-12)
    for (better, worse), auc in zip(COMPARED.values(), compared.aucs, strict=True):
        of = np.isin(rating, [better + 1, worse + 1])
        if len({*rating[of]}) > 1:
            assert auc == pytest.approx(roc_auc_score(rating[of] == better + 1, similarity[of]), abs=1e-12)
    if 1 in rating:
        theirs = average_precision_score(rating == 1, similarity)
        assert average_precision(ranked.counts()) == pytest.approx(theirs, abs=1e-12)


def test_somers_d_with_ties() -> None:
    """Gains 2 2 1 0 and 0: ten pairs, two of equal rating or similarity; worked out by hand."""
    ranked = Ranked.of([0.9, 0.3, 0.5, 0.3, 0.1], [1, 1, 2, 3, 3])
    # concordant: 1-3, 1-4, 1-5, 2-5, 3-4, 3-5; discordant: 2-3; tied: 2-4; of equal rating: 1-2, 4-5
    assert ranked.compare(ranked.counts()).somers_d == (6 - 1) / 8


@given(ROWS, st.booleans())
def test_a_weight_is_a_number_of_rows(rows: Rows, grouped: bool) -> None:
    weights = np.array([row[3] for row in rows], np.int64)
    weighted, repeated = (
        ranked_of(rows, grouped=grouped),
        ranked_of([r for r in rows for _ in range(r[3])], grouped=grouped),
    )
    found, expected = weighted.compare(weighted.counts(weights)), repeated.compare(repeated.counts())
    assert found.ordered.tolist() == expected.ordered.tolist()
    assert found.pairs.tolist() == expected.pairs.tolist()
    if not grouped:
        values = [average_precision(weighted.counts(weights)), average_precision(repeated.counts())]
        assert values[0] == pytest.approx(values[1], nan_ok=True, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=14))
def test_the_ceiling_is_the_best_of_all_orders(rows: list[tuple[int, int]]) -> None:
    """Ties between items are never better than their best order, so orders without ties are enough."""
    items, ratings = [row[0] for row in rows], [row[1] for row in rows]
    found, repeats = ceiling(items, ratings)
    best = max(slow_somers_d([(float(order[i]), r, 0, 1) for i, r in rows]) for order in permutations(range(5)))
    assert found == pytest.approx(best, nan_ok=True, abs=1e-12)
    assert repeats == sum(items[a] == items[b] for a in range(len(items)) for b in range(a))


@given(ROWS)
def test_disagreement_by_its_definition(rows: Rows) -> None:
    found = disagreement(ranked_of(rows, grouped=False))
    for value, a in zip(found, rows, strict=True):
        others = [0.5 - sign(a[0] - b[0]) * sign(b[1] - a[1]) / 2 for b in rows if b[1] != a[1]]
        assert value == pytest.approx(np.mean(others) if others else 0, abs=1e-12)


@pytest.mark.parametrize("rating", [1, 2, 3])
def test_one_rating_only_compares_nothing(rating: int) -> None:
    ranked = Ranked.of([0.1, 0.2], [rating, rating])
    compared = ranked.compare(ranked.counts())
    assert np.isnan([*compared.aucs, compared.somers_d]).all()
    assert disagreement(ranked).tolist() == [0, 0]


def test_a_constant_model_is_at_chance() -> None:
    ratings = [1, 2, 3, 1, 3, 3]
    ranked = Ranked.of(np.zeros(6), ratings)
    compared = ranked.compare(ranked.counts())
    assert compared.aucs.tolist() == [0.5, 0.5, 0.5]
    assert compared.somers_d == 0
    assert average_precision(ranked.counts()) == 2 / 6  # the prevalence
