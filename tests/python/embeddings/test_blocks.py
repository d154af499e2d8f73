"""The blocks of queries in which a base larger than memory is searched, and what tells how much memory there is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import emm1
from emm1 import memory
from emm1.embeddings import blocks
from emm1.embeddings.blocks import MOST, USUAL, block_of, bytes_of_query


@pytest.fixture
def base(tmp_path: Path) -> emm1.Embeddings:
    random = np.random.default_rng(3)
    np.save(tmp_path / "base.npy", random.normal(size=(3000, 64)).astype(np.float32))
    base = emm1.Embeddings(tmp_path / "base.npy")
    base.build_codes()
    return base


def test_what_fits_in_memory_decides(base: emm1.Embeddings) -> None:
    assert base.codes_path
    size = base.path.stat().st_size + base.codes_path.stat().st_size
    assert block_of(3000, base, 16, 2, free=size) == blocks.Block(USUAL)
    short = block_of(3000, base, 16, 2, free=size - 1)
    assert block_of(3000, base, 16, 2, rows=1500, free=size // 2) == blocks.Block(USUAL)
    assert (short.queries, (short.why or "").split(": ")[1]) == (
        USUAL,
        "blocks of 1,024 queries, the base is read 3 times",
    )
    for threads in (2, 64):
        of_query = bytes_of_query(64, 1, threads)
        for queries in (2 * USUAL, 32 * USUAL, MOST, 100 * MOST):
            free = 4 * queries * of_query
            assert blocks.queries_of(free, 64, 1, threads) == min(queries, MOST)
            assert blocks.queries_of(free - 1, 64, 1, threads) == min(queries // 2, MOST)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("coded", [True, False])
def test_no_block_changes_the_answer(
    base: emm1.Embeddings, monkeypatch: pytest.MonkeyPatch, metric: emm1.embeddings.file.Metric, *, coded: bool
) -> None:
    searched = base if coded else emm1.Embeddings(base.path, codes=False)
    answers = set()
    for queries, threads in ((7, 1), (300, 64), (USUAL, 2), (4096, 64)):
        monkeypatch.setattr("emm1.embeddings.knn.block_of", lambda *_, queries=queries, **__: blocks.Block(queries))
        found = list(emm1.knn(base, searched, 5, metric=metric, threads=threads))
        assert sum(len(each.ids) for each in found) == 3000
        answers.add(tuple(b"".join(getattr(each, name).tobytes() for each in found) for name in ("ids", "scores")))
    assert len(answers) == 1


def test_memory_is_what_the_machine_and_the_control_groups_leave(tmp_path: Path) -> None:
    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert memory.available(tmp_path) is None
    write(
        "proc/meminfo", "MemTotal:       2000 kB\nMemFree:    10 kB\nMemAvailable:       1500 kB\nHugePages_Total:  0\n"
    )
    assert memory.available(tmp_path) == 1_536_000
    write("proc/self/cgroup", "0::/a/b\n")
    write("sys/fs/cgroup/a/b/memory.max", "max\n")
    assert memory.available(tmp_path) == 1_536_000
    write("sys/fs/cgroup/a/memory.max", "900000\n")
    write("sys/fs/cgroup/a/memory.current", "500000\n")
    write("sys/fs/cgroup/a/memory.stat", "anon 100000\nfile 300000\n")
    assert memory.available(tmp_path) == 700_000
    write("sys/fs/cgroup/memory.max", "600000\n")  # as a container sees its own group
    assert memory.available(tmp_path) == 600_000
    write("proc/self/cgroup", "3:cpuset:/\n9:cpu,memory:/c\n0::/\n")
    write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "400000")
    write("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "500000")
    assert memory.available(tmp_path) == 0


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="only Linux tells")
def test_memory_of_this_machine() -> None:
    free = memory.available()
    assert free is not None
    assert 0 < free <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
