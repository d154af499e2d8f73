"""The engine against a float64 oracle: the same bits with and without codes, for every instruction set and batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import emm1
from emm1.embeddings import METRICS, Metric

Kind = Literal["isotropic", "clustered", "duplicates", "shifted", "huge dimension", "tiny", "huge", "integers"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def data(kind: Kind, rows: int, dims: int, seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, dims))
    match kind:
        case "clustered":
            x = random.normal(size=(8, dims))[random.integers(0, 8, rows)] + 0.1 * x
        case "duplicates":
            x = x[random.integers(0, min(3, rows), rows)]
            x[::7] = 0
        case "shifted":
            x = x * 0.01 + 100
        case "huge dimension":
            x[:, dims // 2] *= 1000
        case "tiny":
            x *= 1e-42
        case "huge":
            x *= 1e30
        case "integers":
            x = np.round(x * 3)
    return x.astype(np.float32)


def lanes(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the last axis in sixteen lanes, in order, folded in halves."""
    padded = np.zeros((*terms.shape[:-1], -(-terms.shape[-1] // 16) * 16))
    padded[..., : terms.shape[-1]] = terms
    sums = padded.reshape(*terms.shape[:-1], -1, 16).cumsum(axis=-2)[..., -1, :]
    for half in (8, 4, 2, 1):
        sums = sums[..., :half] + sums[..., half : 2 * half]
    result: NDArray[np.float64] = sums[..., 0]
    return result


@np.errstate(over="ignore")  # a product beyond float32 is an infinity, as rounding has it
def scores(metric: Metric, query: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    q, x = query.astype(np.float64), rows.astype(np.float64)
    if metric == "l2":
        return np.sqrt(lanes((q - x) * (q - x))).astype(np.float32)
    dots = lanes(q * x)
    if metric == "cosine":
        norms = np.sqrt(lanes(q * q)) * np.sqrt(lanes(x * x))
        dots = np.divide(dots, norms, out=np.zeros_like(dots), where=norms != 0)
    return dots.astype(np.float32)


def order(metric: Metric, found: NDArray[np.float32], ids: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.lexsort((ids, found if metric == "l2" else -found))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    rows=st.sampled_from([1, 2, 50, 333]),
    dims=st.sampled_from([1, 2, 3, 16, 31, 64, 127, 128, 129, 384, 1000]),
    metric=st.sampled_from(METRICS),
    k=st.sampled_from([1, 2, 10, 40, 1000]),
    queries=st.sampled_from([1, 2, 8, 13]),
    threads=st.sampled_from([1, 3]),
    seed=st.integers(0, 1000),
)
def test_search_and_within_equal_the_oracle(
    tmp_path_factory: pytest.TempPathFactory,
    kind: Kind,
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
    x = data(kind, rows, dims, seed)
    q = data(kind, queries, dims, seed + 1)
    q[0] = x[random.integers(0, rows)]
    ids = random.permutation(5 * rows)[:rows].astype(np.int64)
    np.save(folder / "x.npy", x)
    coded = emm1.Embeddings(folder / "x.npy", ids=ids)
    coded.build_codes(threads=threads)
    assert coded.verify()
    plain = emm1.Embeddings(folder / "x.npy", ids=ids, codes=False)
    chosen = random.permutation(ids)[: max(1, rows // 3)]
    for e in (coded, plain):
        everything = e.search(q, k, metric, threads=threads)
        among = e.search(q, k, metric, among=[*chosen, chosen[0], -1], threads=threads)
        for number in range(queries):
            found = scores(metric, q[number], x)
            best = order(metric, found, ids)
            assert everything.ids[number].tolist() == ids[best[:k]].tolist()
            assert (everything.scores[number] == found[best[:k]]).all()
            few = best[np.isin(ids[best], chosen)][:k]
            assert among.ids[number].tolist() == ids[few].tolist()
        found = scores(metric, q[0], x)
        threshold = float(np.sort(found)[rows // 2])
        hits = e.within(q[0], threshold, metric, threads=threads)
        reached = [
            i for i in order(metric, found, ids) if (found[i] <= threshold if metric == "l2" else found[i] >= threshold)
        ]
        assert hits.ids.tolist() == ids[reached].tolist()


@pytest.mark.parametrize("dims", [4096, 4097])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_many_dimensions(tmp_path: Path, dims: int, dtype: str) -> None:
    x = data("clustered", 60, dims, dims).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    e = emm1.Embeddings(tmp_path / "x.npy")
    e.build_codes()
    q = data("clustered", 1, dims, 1)[0]
    for metric in METRICS:
        found = scores(metric, q, x.astype(np.float32))
        best = order(metric, found, np.arange(60))[:7]
        hits = e.search(q, 7, metric)
        assert hits.ids.tolist() == best.tolist()
        assert (hits.scores == found[best]).all()


ANSWERS = """
import sys, hashlib, numpy as np, emm1
e = emm1.Embeddings(sys.argv[1], codes=False)
q = np.load(sys.argv[2])
digest = hashlib.sha256()
for codes in (False, True):
    if codes:
        e.build_codes(sys.argv[3])
    for metric in ("dot", "cosine", "l2"):
        for queries in (q, q[:1], q[0]):
            for threads in (1, 2):
                hits = e.search(queries, 25, metric, threads=threads)
                one = hashlib.sha256(np.atleast_2d(hits.ids)[0].tobytes() + np.atleast_2d(hits.scores)[0].tobytes())
                digest.update(one.digest() if queries is q[0] else hits.ids.tobytes() + hits.scores.tobytes())
    digest.update(emm1.score_pairs(e, np.arange(100), e, np.arange(100)[::-1]).tobytes())
print(digest.hexdigest())
"""


def test_every_instruction_set_gives_the_same_bits(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", data("clustered", 3000, 200, 1))
    np.save(tmp_path / "q.npy", data("clustered", 20, 200, 2))
    found = {}
    for name in ("scalar", "avx2", "avx512", ""):
        command = [sys.executable, "-c", ANSWERS, *(str(tmp_path / f) for f in ("x.npy", "q.npy", f"codes{name}"))]
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


def test_codes_of_something_else_are_not_used(tmp_path: Path) -> None:
    path, codes = tmp_path / "x.npy", tmp_path / "x.npy.codes"
    np.save(path, data("isotropic", 300, 32, 1))
    e = emm1.Embeddings(path)
    assert e.codes_path is None
    assert not e.verify()
    assert e.build_codes() == codes == emm1.Embeddings(path).codes_path
    assert codes.stat().st_size <= 300 * (32 + 16) + 64 + 32 * 4 + 2 * 64
    assert emm1.Embeddings(path, codes=False).codes_path is None
    whole = codes.read_bytes()
    query = np.load(path)[5]
    expected = emm1.Embeddings(path, codes=False).search(query).ids.tolist()

    for wrong in (b"", whole[:-1], whole + b"\0", b"emm1cod0" + whole[8:], whole[:8] + b"\1" + whole[9:], whole[:100]):
        codes.write_bytes(wrong)
        other = emm1.Embeddings(path)
        assert other.codes_path is None
        assert other.search(query).ids.tolist() == expected

    codes.write_bytes(whole)
    np.save(path, data("isotropic", 300, 32, 2))  # of the same size, at another time
    assert emm1.Embeddings(path).codes_path is None
    assert e.search(np.load(path)[5], 1).ids.tolist() == [5]  # the open file sees the new content, its codes are old

    e = emm1.Embeddings(path)
    e.build_codes()
    damaged = bytearray(codes.read_bytes())
    damaged[500] ^= 1
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
    with pytest.raises(emm1.EmbeddingError, match="2 ids and 1 ids are not pairs"):
        emm1.score_pairs(x, [0, 1], y, [0])
    with pytest.raises(emm1.EmbeddingError, match="no vector has the id 1 "):
        emm1.score_pairs(x, [0], y, [1])
