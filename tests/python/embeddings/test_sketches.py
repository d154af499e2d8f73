"""Batches over a file whose codes have a sketch, against the float64 oracle, with every instruction set.

The file is as small as one can be in which most queries of a batch are searched for by its sketch.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from reference import order, scores

import emm1
from emm1.embeddings.file import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ROWS, DIMS, CLUSTERS = 20_000, 768, 400
ANSWERS = """
import sys
import numpy as np
import emm1

e = emm1.Embeddings(sys.argv[1])
queries = np.load(sys.argv[2])
for metric in ("dot", "cosine", "l2"):
    for count in (6, 9, len(queries)):
        for k in (1, 20, 200):
            for threads in (1, 64):
                hits = e.search(queries[:count], k, metric, threads=threads)
                print(metric, count, k, hits.ids.tolist(), hits.scores.tolist())
            print(e.rank_of(hits.ids[:, -1], queries[:count], metric))
"""


@pytest.fixture(scope="module")
def sketched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Clusters in a file with codes, and queries: most are near rows or are rows, some are of another distribution."""
    random = np.random.default_rng(5)
    steps = np.float32(0.98) ** np.arange(DIMS, dtype=np.float32)
    centres = random.standard_normal((CLUSTERS, DIMS), dtype=np.float32) * steps
    noise = 0.3 * steps * random.standard_normal((ROWS + 24, DIMS), dtype=np.float32)
    made: NDArray[np.float32] = centres[random.integers(0, CLUSTERS, ROWS + 24)] + noise
    rows, held = made[:ROWS], made[ROWS:]
    rows[7000:7040] = rows[100]
    rows[ROWS - 5 :] = 0
    other = random.standard_normal((4, DIMS), dtype=np.float32)
    queries = np.concatenate([held[:20], rows[[100, 5000, ROWS - 1]], other, held[20:]])
    folder = tmp_path_factory.mktemp("sketched")
    np.save(folder / "x.npy", rows)
    np.save(folder / "queries.npy", queries)
    codes = emm1.Embeddings(folder / "x.npy").build_codes()
    assert b"sketch\0\0" in codes.read_bytes()[:4096]
    return folder / "x.npy", folder / "queries.npy"


def test_batches_over_sketches_have_the_hits_of_the_oracle(sketched: tuple[Path, Path]) -> None:
    e, x, queries = emm1.Embeddings(sketched[0]), np.load(sketched[0]), np.load(sketched[1])
    for metric in METRICS:
        found = [scores(metric, query, x) for query in queries]
        best = [order(metric, of_query, e.ids)[:200] for of_query in found]
        for k in (1, 20, 200):
            hits = e.search(queries, k, metric)
            assert hits.ids.tolist() == [e.ids[rows[:k]].tolist() for rows in best]
            assert hits.scores.tolist() == [
                of_query[rows[:k]].tolist() for of_query, rows in zip(found, best, strict=True)
            ]
        targets = [rows[19] for rows in best]
        ranks = e.rank_of(e.ids[targets], queries, metric)
        merits = [(-of_query if metric == "l2" else of_query) + np.float32(0) for of_query in found]
        above = [int((merit > merit[row]).sum()) for merit, row in zip(merits, targets, strict=True)]
        assert ranks.above.tolist() == above


def test_batches_over_sketches_have_the_same_bits_with_every_instruction_set(sketched: tuple[Path, Path]) -> None:
    found = {}
    for name in ("avx2", "avx512", ""):
        command = [sys.executable, "-c", ANSWERS, *map(str, sketched)]
        run = subprocess.run(
            command, env={**os.environ, "EMM1_SIMD": name}, capture_output=True, text=True, check=False
        )
        if run.returncode:
            assert "EMM1_SIMD is none of the instruction sets of this processor" in run.stderr
            assert name
        else:
            found[name] = run.stdout
    assert "" in found
    assert len(set(found.values())) == 1
