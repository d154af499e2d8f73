"""What a query leaves out: in searches, neighbours and ranks, compared with the float64 reference, among many equal rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import order, scores
from vector_kinds import KINDS, Kind, data

import emm1
from emm1.embeddings.blocks import MOST
from emm1.embeddings.file import METRICS, Metric
from emm1.embeddings.pairs import rank_pairs
from emm1.embeddings.searching import how_to_search


def merits(metric: Metric, query: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    found = scores(metric, query, rows)
    return (-found if metric == "l2" else found) + np.float32(0)


def same_hits(
    found: tuple[NDArray[np.int64], NDArray[np.float32]],
    metric: Metric,
    query: NDArray[np.float32],
    x: NDArray[np.float32],
    ids: NDArray[np.int64],
    kept: NDArray[np.bool_],
    k: int,
) -> None:
    """Check that the k best of the kept rows were found, and that the rest is filled."""
    reference = scores(metric, query, x[kept])
    best = order(metric, reference, ids[kept])[:k]
    assert found[0][: len(best)].tolist() == ids[kept][best].tolist()
    assert (found[1][: len(best)] == reference[best]).all()
    assert (found[0][len(best) :] == -1).all()
    assert np.isnan(found[1][len(best) :]).all()


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    rows=st.sampled_from([1, 2, 7, 60, 300]),
    distinct=st.sampled_from([1, 2, 5, 300]),
    dims=st.sampled_from([1, 2, 3, 8, 65, 300]),
    queries=st.sampled_from([1, 3, 6, 20, 40]),
    metric=st.sampled_from(METRICS),
    k=st.sampled_from([1, 2, 5, 70, 1000]),
    codes=st.booleans(),
    some=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_k_others_among_equal_rows(
    tmp_path_factory: pytest.TempPathFactory,
    kind: Kind,
    rows: int,
    distinct: int,
    dims: int,
    queries: int,
    metric: Metric,
    k: int,
    codes: bool,
    some: bool,
    seed: int,
) -> None:
    """Each row stands there several times, under other ids; queries are rows, also with zeros of the other sign."""
    folder = tmp_path_factory.mktemp("exclusion")
    random = np.random.default_rng(seed)
    x = np.clip(data(kind, rows, dims, seed), -1e15, 1e15)[random.integers(0, min(distinct, rows), rows)]
    x[random.random(x.shape) < 0.1] = 0.0
    ids = random.permutation(3 * rows)[:rows]
    np.save(folder / "x.npy", x)
    e = emm1.Embeddings(folder / "x.npy", ids=ids, codes=False)
    if codes:
        e.build_codes()
    asked = random.integers(0, rows, queries)
    q = np.where(x[asked] == 0, np.float32(-0.0), x[asked])
    q[::3] += random.normal(size=q[::3].shape).astype(np.float32)
    chosen = random.permutation(ids)[: max(1, rows // 2)]
    among = [*chosen, chosen[0], -5] if some else None
    searched = np.isin(ids, chosen) if some else np.ones(rows, bool)

    found = e.search(q, k, metric, among, exclude_self=True)
    for number, query in enumerate(q):
        same = (x == query).all(axis=1)
        same_hits((found.ids[number], found.scores[number]), metric, query, x, ids, searched & ~same, k)
    one = e.search(q[-1], k, metric, among, exclude_self=True)
    assert one.ids.tolist() == [id_ for id_ in found.ids[-1].tolist() if id_ != -1]

    targets = random.integers(0, rows, queries)
    ranks = e.rank_of(ids[targets], q, metric, among, exclude_self=True)
    for number, (query, target) in enumerate(zip(q, targets, strict=True)):
        merit = merits(metric, query, x)
        kept = searched & ~(x == query).all(axis=1)
        others = kept & (np.arange(rows) != target)
        assert ranks.above[number] == np.count_nonzero(merit[others] > merit[target])
        assert ranks.equal[number] == np.count_nonzero(merit[others] == merit[target])

    # Several ids for a query in one pass, and one row that each query leaves out.
    of = random.integers(0, queries, 3 * queries)
    targets, own = random.integers(0, rows, 3 * queries), random.choice([*ids, -7], queries)
    shared = rank_pairs(e, ids[targets], q, of, metric, among, own=own)
    for number, (query, target) in enumerate(zip(of, targets, strict=True)):
        merit = merits(metric, q[query], x)
        others = searched & (ids != own[query]) & (np.arange(rows) != target)
        assert shared.above[number] == np.count_nonzero(merit[others] > merit[target])
        assert shared.equal[number] == np.count_nonzero(merit[others] == merit[target])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["isotropic", "clustered", "integers", "huge dimension", "shifted"])
@pytest.mark.parametrize("codes", [True, False])
def test_ranks_in_the_middle_of_many_queries(tmp_path: Path, kind: Kind, metric: Metric, codes: bool) -> None:
    """So many queries are undecided about a row that what the codes missed is coded too; some rank one id, others several."""
    random = np.random.default_rng(3)
    x, q = data(kind, 250, 130, 1), data(kind, 400, 130, 2)
    np.save(tmp_path / "x.npy", x)
    e = emm1.Embeddings(tmp_path / "x.npy", codes=False)
    if codes:
        e.build_codes()
    of = np.concatenate([np.arange(400), random.integers(0, 200, 1000)])
    ids = random.integers(0, 250, len(of))
    found = rank_pairs(e, ids, q, of, metric)
    for query in range(len(q)):
        merit = merits(metric, q[query], x)
        for pair in np.flatnonzero(of == query):
            assert found.above[pair] == np.count_nonzero(merit > merit[ids[pair]])
            assert found.equal[pair] == np.count_nonzero(merit == merit[ids[pair]]) - 1


@settings(max_examples=40, deadline=None)
@given(
    rows=st.sampled_from([1, 3, 50, 200]),
    distinct=st.sampled_from([1, 2, 200]),
    metric=st.sampled_from(METRICS),
    k=st.sampled_from([1, 3, 60, 500]),
    codes=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_neighbours_other_than_the_item_itself(
    tmp_path_factory: pytest.TempPathFactory, rows: int, distinct: int, metric: Metric, k: int, codes: bool, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("neighbours")
    random = np.random.default_rng(seed)
    base = data("clustered", rows, 16, seed)[random.integers(0, min(distinct, rows), rows)]
    ids = random.permutation(2 * rows)[:rows]
    some = random.integers(0, rows, 30)
    np.save(folder / "base.npy", base)
    np.save(folder / "queries.npy", np.concatenate([base[some], data("clustered", 5, 16, seed + 1)]))
    query_ids = np.concatenate([np.unique(ids[some]), np.arange(3 * rows, 3 * rows + 100)])[:35]
    queries = emm1.Embeddings(folder / "queries.npy", ids=query_ids)
    e = emm1.Embeddings(folder / "base.npy", ids=ids, codes=False)
    if codes:
        e.build_codes()
    (found,) = emm1.knn(queries, e, k, metric=metric, exclude_self=True)
    expected = []
    for number, id_ in enumerate(query_ids):
        hits = found.ids[number], found.scores[number]
        same_hits(hits, metric, np.asarray(queries)[number], base, ids, ids != id_, k)
        expected += [(id_, rank, hit) for rank, hit in enumerate(hits[0][~np.isnan(hits[1])].tolist(), 1)]
    written = emm1.knn_to_parquet(queries, e, folder / "o.parquet", k, metric=metric, exclude_self=True)
    table = pl.read_parquet(folder / "o.parquet")
    assert (
        table.select("query_id", "rank", "id").rows() == expected == found.pl().select("query_id", "rank", "id").rows()
    )
    assert written == len(expected)


def test_a_run_goes_on_with_the_same_exclusion_only(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(MOST + 7, 2)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "base.npy", x[:500])
    e, base = emm1.Embeddings(tmp_path / "x.npy"), emm1.Embeddings(tmp_path / "base.npy")
    output = tmp_path / "o.parquet"

    def stop(done: int) -> None:
        if done >= MOST:
            raise KeyboardInterrupt

    for excluded in (True, False):
        with pytest.raises(KeyboardInterrupt):
            emm1.knn_to_parquet(e, base, output, 2, exclude_self=excluded, progress=stop)
        with pytest.raises(emm1.EmbeddingError, match="parts of a run with other files or settings"):
            emm1.knn_to_parquet(e, base, output, 2, exclude_self=not excluded)
        emm1.knn_to_parquet(e, base, output, 2, exclude_self=excluded)
        table = pl.read_parquet(output)
        assert table.filter(pl.col("query_id") == pl.col("id")).is_empty() is excluded
        assert table.height == 2 * len(x)
        output.unlink()


def test_a_frame_has_no_filled_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(2, 3, dtype=np.float32))
    hits = emm1.Embeddings(tmp_path / "x.npy").search(np.eye(3), k=5, exclude_self=True)
    assert hits.ids.tolist() == [[1, -1], [0, -1], [0, 1]]
    assert hits.pl().rows() == [(0, 1, 1, 0.0), (1, 1, 0, 0.0), (2, 1, 0, 0.0), (2, 2, 1, 0.0)]


@pytest.mark.parametrize("codes", [True, False])
def test_a_product_of_a_query_with_itself_beyond_float(tmp_path: Path, codes: bool) -> None:
    """It is left out, so that nobody wants its score."""
    x = np.array([[3e38, 0], [1, 0], [0, 1], [3e38, 0]], np.float32)
    np.save(tmp_path / "x.npy", x)
    e = emm1.Embeddings(tmp_path / "x.npy")
    if codes:
        e.build_codes()
    for queries in (x[:1], np.tile(x[:1], (40, 1))):
        assert e.search(queries, 1, "dot", exclude_self=True).ids.tolist() == [[1]] * len(queries)
        ranks = e.rank_of([2] * len(queries), queries, "dot", exclude_self=True)
        assert (ranks.above.tolist(), ranks.equal.tolist()) == ([1] * len(queries), [0] * len(queries))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    file = emm1.Embeddings(tmp_path / "x.npy")._file
    one, ids = np.ones((1, 3), np.float32), np.arange(2)
    plain = how_to_search(file, "cosine", None, 1)
    with pytest.raises(emm1.EmbeddingError, match="each query leaves out one id: there are 2 ids and 1 queries"):
        file.search(one, 1, {**plain, "exclude": ids})
    with pytest.raises(emm1.EmbeddingError, match="'all' says not what to leave out: 'equal' does"):
        file.search(one, 1, {**plain, "exclude": "all"})  # type: ignore[typeddict-item]
    with pytest.raises(emm1.EmbeddingError, match="there is no query 1: there are 1"):
        file.rank_of(ids, one, plain, ids)
    with pytest.raises(emm1.EmbeddingError, match="there are 2 ids and 3 queries"):
        file.rank_of(ids, one, plain, np.zeros(3, np.int64))
    with pytest.raises(emm1.EmbeddingError, match="there is no query"):
        file.rank_of(ids, one, plain, ids - 1)
