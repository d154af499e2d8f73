"""The engine against a float64 oracle: the same bits with and without codes, for every instruction set and batch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import order, scores, within
from vector_kinds import KINDS, Kind, as_stored, data, text_vectors

import emm1
from emm1.embeddings.file import METRICS, Metric
from emm1.embeddings.searching import _WARNED
from emm1.errors import EmbeddingsWarning

# One query, a few that run one by one, and from six on full and partial panels of 8, 16 and 32.
BATCHES = (1, 2, 5, 6, 8, 9, 16, 17, 24, 25, 33, 70)


def agree(
    ask: Callable[[NDArray[np.float32]], emm1.Hits],
    queries: NDArray[np.float32],
    ids: NDArray[np.int64],
    expected: list[tuple[NDArray[np.intp], NDArray[np.float32]]],
) -> None:
    """Check that the answers are these rows with these scores, or the error for the first score beyond float32."""
    beyond = [(number, rows[np.isinf(found)]) for number, (rows, found) in enumerate(expected) if np.isinf(found).any()]
    if beyond:
        row = beyond[0][1][0]
        with pytest.raises(
            emm1.EmbeddingError, match=rf"row {row} \(id {ids[row]}\): its \w+ score with the query is beyond"
        ):
            ask(queries)
        numbers = [number for number in range(len(queries)) if number not in dict(beyond)]
        if not numbers:
            return
        queries, expected = queries[numbers], [expected[number] for number in numbers]
    hits = ask(queries)
    for number, (rows, found) in enumerate(expected):
        assert np.atleast_2d(hits.ids)[number].tolist() == ids[rows].tolist()
        assert (np.atleast_2d(hits.scores)[number] == found).all()


def check(
    e: emm1.Embeddings,
    x: NDArray[np.float32],
    queries: NDArray[np.float32],
    k: int,
    metric: Metric,
    threads: int,
    chosen: NDArray[np.int64],
) -> None:
    """Compare a search, one among some ids, one within the median, ranks, and scores with the float64 oracle."""
    ids = e.ids
    everything, among = [], []
    for query in queries:
        found = scores(metric, query, x)
        best = order(metric, found, ids)
        few = best[np.isin(ids[best], chosen)][:k]
        everything.append((best[:k], found[best[:k]]))
        among.append((few, found[few]))
    agree(lambda q: e.search(q, k, metric, threads=threads), queries, ids, everything)
    some = [*chosen, chosen[0], -1]
    agree(lambda q: e.search(q, k, metric, among=some, threads=threads), queries, ids, among)
    check_ranks(e, x, queries, metric, threads, chosen)
    found = scores(metric, queries[0], x)
    best = order(metric, found, ids)
    threshold = float(np.sort(found)[len(x) // 2])
    reached = best[within(metric, found[best], threshold)]
    near = [(reached, found[reached])]
    agree(lambda q: e.within(q[0], threshold, metric, threads=threads), queries[:1], ids, near)
    beyond = np.flatnonzero(np.isinf(found))
    if len(beyond):
        named = rf"row {beyond[0]} \(id {ids[beyond[0]]}\): its {metric} score with the query is beyond FLOAT"
        with pytest.raises(emm1.EmbeddingError, match=named):
            e.score(ids, queries[0], metric)
    else:
        assert (e.score(ids, queries[0], metric) == found).all()


def check_ranks(
    e: emm1.Embeddings,
    x: NDArray[np.float32],
    queries: NDArray[np.float32],
    metric: Metric,
    threads: int,
    chosen: NDArray[np.int64],
) -> None:
    """Compare the ranks of rows that are best, last and in between with counts of the oracle's scores."""
    asked, targets, expected = [], [], []
    for number, query in enumerate(queries):
        found = scores(metric, query, x)
        merits = (-found if metric == "l2" else found) + np.float32(0)
        row = np.lexsort((e.ids, -merits))[number * len(x) // len(queries)]
        if not np.isfinite(found[row]):
            with pytest.raises(emm1.EmbeddingError, match=rf"row {row} \(id {e.ids[row]}\): its {metric} score"):
                e.rank_of(e.ids[[row]], query, metric)
            continue
        counted = np.array([np.arange(len(x)) != row, np.isin(e.ids, chosen) & (np.arange(len(x)) != row)])
        same = (x == query).all(axis=1)
        expected.append(
            [
                (np.count_nonzero(merits[which] > merits[row]), np.count_nonzero(merits[which] == merits[row]))
                for which in (*counted, counted[0] & ~same)
            ]
        )
        asked.append(query)
        targets.append(e.ids[row])
    if not asked:
        return
    everything = e.rank_of(targets, asked, metric, threads=threads)
    among = e.rank_of(targets, asked, metric, [*chosen, chosen[0], -1], threads=threads)
    others = e.rank_of(targets, asked, metric, exclude_self=True, threads=threads)
    for ranks, wanted in zip((everything, among, others), zip(*expected, strict=True), strict=True):
        assert [*zip(*ranks, strict=True)] == [*wanted]


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    query_kind=st.sampled_from([None, *KINDS]),
    dtype=st.sampled_from(["float32", "float32", "float16", "int8"]),
    rows=st.sampled_from([1, 2, 50, 97, 333]),
    dims=st.sampled_from([1, 2, 3, 5, 16, 17, 31, 63, 64, 65, 127, 128, 129, 257, 384, 1000, 1025]),
    metric=st.sampled_from(METRICS),
    k=st.sampled_from([1, 2, 10, 40, 332, 333, 1000]),
    queries=st.sampled_from(BATCHES),
    threads=st.sampled_from([1, 3]),
    seed=st.integers(0, 1000),
)
def test_search_and_within_equal_the_oracle(
    tmp_path_factory: pytest.TempPathFactory,
    kind: Kind,
    query_kind: Kind | None,
    dtype: str,
    rows: int,
    dims: int,
    metric: Metric,
    k: int,
    queries: int,
    threads: int,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("engine")
    random = np.random.default_rng(seed)
    x = as_stored(data(kind, rows, dims, seed), dtype)
    q = data(query_kind or kind, queries, dims, seed + 1)
    q[0] = x[random.integers(0, rows)]
    ids = random.permutation(5 * rows)[:rows].astype(np.int64)
    np.save(folder / "x.npy", x)
    coded = emm1.Embeddings(folder / "x.npy", ids=ids)
    coded.build_codes(threads=threads)
    assert coded.verify()
    chosen = random.permutation(ids)[: max(1, rows // 3)]
    for e in (coded, emm1.Embeddings(folder / "x.npy", ids=ids, codes=False)):
        check(e, x.astype(np.float32), q, k, metric, threads, chosen)


@pytest.mark.parametrize("kind", ["clustered", "huge dimension"])
@pytest.mark.parametrize("dims", [2049, 4096, 4097])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_many_dimensions(tmp_path: Path, dims: int, dtype: str, kind: Kind) -> None:
    x = as_stored(data(kind, 150, dims, dims), dtype)
    np.save(tmp_path / "x.npy", x)
    e = emm1.Embeddings(tmp_path / "x.npy")
    e.build_codes()
    q = data(kind, 9, dims, 1)
    for metric in METRICS:
        check(e, x.astype(np.float32), q[:1], 7, metric, 2, np.arange(0, 150, 4))
        check(e, x.astype(np.float32), q, 7, metric, 2, np.arange(0, 150, 4))


@pytest.mark.parametrize("arrangement", ["best last", "best first", "random", "clusters"])
@pytest.mark.parametrize("metric", METRICS)
def test_more_rows_than_wait_for_the_second_pass(tmp_path: Path, metric: Metric, arrangement: str) -> None:
    x = data("clustered" if arrangement == "clusters" else "isotropic", 200_000, 6, 3)
    q = data("isotropic", 3, 6, 4)
    found = scores(metric, q[0], x)
    best = order(metric, found, np.arange(len(x)))
    if arrangement.startswith("best"):
        x = x[best if arrangement == "best first" else best[::-1]]
    np.save(tmp_path / "x.npy", x)
    e = emm1.Embeddings(tmp_path / "x.npy")
    e.build_codes()
    expected = []
    for query in q:
        found = scores(metric, query, x)
        expected.append((order(metric, found, e.ids), found))
    for k in (1, 100, 30_000):
        for threads in (1, 2):
            hits = e.search(q, k, metric, threads=threads)
            for number, (rows, found) in enumerate(expected):
                assert hits.ids[number].tolist() == rows[:k].tolist()
                assert (hits.scores[number] == found[rows[:k]]).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("codes", [True, False])
def test_text(tmp_path: Path, metric: Metric, codes: bool) -> None:
    x = text_vectors(4000, 200)
    np.save(tmp_path / "x.npy", x)
    e = emm1.Embeddings(tmp_path / "x.npy")
    if codes:
        e.build_codes()
    random = np.random.default_rng(1)
    q = x[random.integers(0, len(x), 40)] + random.normal(0, 0.02, (40, 200)).astype(np.float32)
    for k in (1, 10, 4000):
        for queries in (q[:1], q):
            check(e, x, queries, k, metric, 2, random.permutation(4000)[:400])


ANSWERS = """
import sys, hashlib, numpy as np, emm1
folder, codes, *batches = sys.argv[1:]
digest = hashlib.sha256()
for name in ("clustered", "isotropic", "text"):
    e = emm1.Embeddings(f"{folder}/{name}.npy", codes=False)
    q = np.load(f"{folder}/{name}.queries.npy")
    whole = {metric: e.search(q, 25, metric, threads=1) for metric in ("dot", "cosine", "l2")}
    for ids, scores in whole.values():
        digest.update(ids.tobytes() + scores.tobytes())
    digest.update(emm1.score_pairs(e, np.arange(100), e, np.arange(100)[::-1]).tobytes())
    for coded in (False, True):
        if coded:
            e.build_codes(codes)
        for metric, expected in whole.items():
            for batch in map(int, batches):
                for threads in (1, 2):
                    ids, scores = e.search(q[:batch], 25, metric, threads=threads)
                    assert (ids == expected.ids[:batch]).all(), (name, coded, metric, batch, threads)
                    assert scores.tobytes() == expected.scores[:batch].tobytes(), (name, coded, metric, batch, threads)
    ids = np.arange(0, 1500, 1500 // len(q))[: len(q)]
    for metric in ("dot", "cosine", "l2"):
        digest.update(np.array(e.rank_of(ids, q, metric)).tobytes())
        # So many that what codes missed is coded too.
        many = np.random.default_rng(1).normal(size=(6 * len(q), q.shape[1])) * q.std() + np.tile(q, (6, 1))
        digest.update(np.array(e.rank_of(np.tile(ids, 6), many, metric)).tobytes())
# Products beyond float32 in both directions: every way of searching finds the same rows, or names the same ones.
x = np.load(f"{folder}/isotropic.npy") * np.float32(10) ** np.arange(-2, 38, 40 / 1500, dtype="float32")[:, None]
np.save(f"{folder}/far.npy", x)
e = emm1.Embeddings(f"{folder}/far.npy", codes=False)
for coded in (False, True):
    if coded:
        e.build_codes(codes)
    answers = []
    for metric in ("dot", "cosine", "l2"):
        for threads in (1, 2):
            for size in map(int, batches):
                for scale in (1, 1e-35, 1e35):
                    try:
                        answers.append(e.search(np.float32(scale) * q[:size], 300, metric, threads=threads).ids.tobytes())
                    except emm1.EmbeddingError as error:
                        answers.append(str(error).encode())
    digest.update(b"".join(answers)) if not coded else None
    assert not coded or answers == before
    before = answers
assert sum(b"is beyond FLOAT" in each for each in answers) > 20
print(digest.hexdigest())
"""


def test_every_instruction_set_batch_and_number_of_threads_gives_the_same_bits(tmp_path: Path) -> None:
    for seed, kind in enumerate(("clustered", "isotropic")):
        np.save(tmp_path / f"{kind}.npy", data(cast("Kind", kind), 1500, 200, seed))
        np.save(tmp_path / f"{kind}.queries.npy", data(cast("Kind", kind), max(BATCHES), 200, 10 + seed))
    np.save(tmp_path / "text.npy", text_vectors(4000, 200)[:1500])
    np.save(tmp_path / "text.queries.npy", text_vectors(4000, 200)[-max(BATCHES) :])
    found = {}
    for name in ("scalar", "avx2", "avx512", ""):
        command = [sys.executable, "-c", ANSWERS, str(tmp_path), str(tmp_path / f"codes{name}"), *map(str, BATCHES)]
        run = subprocess.run(
            command, env={**os.environ, "EMM1_SIMD": name}, capture_output=True, text=True, check=False
        )
        if run.returncode:
            assert "EMM1_SIMD is none of the instruction sets of this processor" in run.stderr
            assert name.startswith("avx")
        else:
            found[name] = run.stdout
    assert {"scalar", ""} <= found.keys()
    assert len(set(found.values())) == 1


def test_no_queries_have_an_answer_of_no_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(5, dtype=np.float32))
    e = emm1.Embeddings(tmp_path / "x.npy")
    for k, among, columns in ((3, None, 3), (9, None, 5), (9, [4, 7, 1], 2)):
        found = e.search(np.empty((0, 5)), k, among=among)
        assert (found.ids.shape, found.scores.shape) == ((0, columns), (0, columns))
    with pytest.raises(emm1.Error, match="the query has 4 components"):
        e.search(np.empty((0, 4)))


def test_codes_of_something_else_are_not_used(tmp_path: Path) -> None:
    path, codes = tmp_path / "x.npy", tmp_path / "x.npy.codes"
    np.save(path, data("isotropic", 300, 32, 1))
    e = emm1.Embeddings(path)
    assert e.codes_path is None
    assert not e.verify()
    assert e.build_codes() == codes == emm1.Embeddings(path).codes_path
    assert codes.stat().st_size <= 300 * (32 + 16) + 5 * 6 * 4 + 64 + 9 * 32 + 32 * 4 + 9 * 64 + 4 * 64
    assert emm1.Embeddings(path, codes=False).codes_path is None
    whole = codes.read_bytes()
    query = np.load(path)[5]
    expected = emm1.Embeddings(path, codes=False).search(query).ids.tolist()

    for wrong in (b"", whole[:-1], whole + b"\0", b"emm1cod0" + whole[8:], whole[:8] + b"\1" + whole[9:], whole[:100]):
        codes.write_bytes(wrong)
        with pytest.warns(EmbeddingsWarning, match=r"x\.npy\.codes: .* It is not used"):
            other = emm1.Embeddings(path)
        _WARNED.clear()
        assert other.codes_path is None
        assert other.search(query).ids.tolist() == expected

    codes.write_bytes(whole)
    np.save(path, data("isotropic", 300, 32, 2))  # same size, another time
    with pytest.warns(EmbeddingsWarning, match="an earlier state of this one"):
        assert emm1.Embeddings(path).codes_path is None
    assert e.search(np.load(path)[5], 1).ids.tolist() == [
        5
    ]  # the open file sees the new content, but its codes are old

    e = emm1.Embeddings(path)
    e.build_codes()
    damaged = bytearray(codes.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    codes.write_bytes(damaged)
    with pytest.raises(emm1.EmbeddingError, match=r"x\.npy\.codes: is damaged"):
        emm1.Embeddings(path).verify()


def test_what_cannot_be_coded(tmp_path: Path) -> None:
    x = data("isotropic", 300, 32, 1)
    x[123, 4] = np.inf
    np.save(tmp_path / "x.npy", x)
    e = emm1.Embeddings(tmp_path / "x.npy", ids=np.arange(300) + 1000)
    with pytest.raises(emm1.EmbeddingError, match=r"row 123 \(id 1123\) holds NaN or an infinity"):
        e.build_codes()
    with pytest.raises(emm1.EmbeddingError, match=r"row 123 \(id 1123\)"):
        e.search(x[:20])
    x[123, 4] = 0
    np.save(tmp_path / "x.npy", x)
    e = emm1.Embeddings(tmp_path / "x.npy")
    with pytest.raises(emm1.EmbeddingError, match="cannot be written: No such file"):
        e.build_codes(tmp_path / "nowhere" / "x.codes")

    def stop(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        e.build_codes(progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


def test_pairs(tmp_path: Path) -> None:
    a, b = data("isotropic", 50, 20, 1), data("shifted", 70, 20, 2)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    np.save(tmp_path / "b.ids.npy", np.arange(70) * 3)
    x, y = emm1.Embeddings(tmp_path / "a.npy"), emm1.Embeddings(tmp_path / "b.npy")
    random = np.random.default_rng(1)
    left, right = random.integers(0, 50, 5000), random.integers(0, 70, 5000)
    for metric in METRICS:
        found = emm1.score_pairs(x, left, y, right * 3, metric)
        expected = [scores(metric, a[i], b[j][np.newaxis])[0] for i, j in zip(left, right, strict=True)]
        assert (found == np.array(expected)).all()
    np.save(tmp_path / "far.npy", np.full((3000, 2), [[3e38, 1]], np.float32))
    far = emm1.Embeddings(tmp_path / "far.npy")
    assert (
        far.centroid(far.ids) == np.array([3e38, 1], np.float32)
    ).all()  # sums exceed float32, but a mean never does
    with pytest.raises(
        emm1.EmbeddingError, match=r"row 9 \(id 9\): its dot score with id 8 of .*far\.npy is beyond FLOAT"
    ):
        emm1.score_pairs(far, np.arange(9, 3000), far, np.arange(8, 2999), "dot")
    assert emm1.score_pairs(far, [1], far, [2]).tolist() == [1]
    assert emm1.score_pairs(far, [1], far, [2], "l2").tolist() == [0]
    with pytest.raises(emm1.EmbeddingError, match="2 ids and 1 ids are not pairs"):
        emm1.score_pairs(x, [0, 1], y, [0])
    with pytest.raises(emm1.EmbeddingError, match="no vector has the id 1 "):
        emm1.score_pairs(x, [0], y, [1])
