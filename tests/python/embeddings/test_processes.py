"""Embeddings in other processes: spawned, from a fork server, and forked while other threads search."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from workers import Vectors, found

import emm1

ROWS, DIMS = 4000, 32


@pytest.fixture(scope="module")
def e(tmp_path_factory: pytest.TempPathFactory) -> emm1.Embeddings:
    folder = tmp_path_factory.mktemp("processes")
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(ROWS, DIMS)).astype(np.float32))
    embeddings = emm1.Embeddings(folder / "x.npy", ids=np.arange(ROWS) * 3)
    if embeddings.why_no_codes is None:
        embeddings.build_codes()
    return embeddings


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_pools(e: emm1.Embeddings, start: str) -> None:
    """What is passed to a pool is pickled by its path."""
    context = multiprocessing.get_context(start)
    with ProcessPoolExecutor(2, context) as pool:
        parts = [range(i, i + 10) for i in range(0, 40, 10)]
        assert [*pool.map(found, [e] * 4, parts)] == [[3 * row for row in part] for part in parts]


@pytest.mark.parametrize("start", ["spawn", "forkserver", "fork"])
def test_workers_of_a_data_loader(e: emm1.Embeddings, start: str) -> None:
    data = pytest.importorskip("torch.utils.data")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of forking with threads
        loader = data.DataLoader(Vectors(e), batch_size=500, num_workers=2, multiprocessing_context=start)
        batches = np.concatenate([batch.numpy() for batch in loader])
    assert batches.tobytes() == np.asarray(e).tobytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forks_while_threads_search(e: emm1.Embeddings) -> None:
    """A fork has no thread but its own: it must not wait for what the others held."""
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            e.search(e[:3], k=5, threads=2)
            emm1.Embeddings(e.path, ids=np.arange(ROWS))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(60):
            assert forked(e, number) == 0
    finally:
        done.set()
        for thread in threads:
            thread.join()


def forked(embeddings: emm1.Embeddings, row: int) -> int:
    """How a fork ends that searches, reads rows, and opens the file again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        child = os.fork()
    if child == 0:
        status = 1
        try:
            again = emm1.Embeddings(embeddings.path, ids=embeddings.ids)
            right = (
                found(embeddings, range(row, row + 3))
                == found(again, range(row, row + 3))
                == [3 * row, 3 * row + 3, 3 * row + 6]
            )
            status = 0 if right else 2
        finally:
            os._exit(status)
    return ended(child)


def ended(child: int, patience: float = 60) -> int:
    """The status of a process; it is killed if it does not end."""
    begun = time.monotonic()
    while time.monotonic() < begun + patience:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_store_in_a_fork(store_path: Path) -> None:
    """It says that it belongs to the parent; what it gave can be used; and the fork ends like any process."""
    code = """
import os, sys, gc, emm1
store = emm1.open(sys.argv[1], read_only=True)
store.sql("SELECT 1").fetchall()
child = os.fork()
if child:
    assert store.sql("SELECT 1").fetchall() == [(1,)]
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for ask in (lambda: store.sql("SELECT 1"), store.cursor, lambda: list(store.registry), lambda: store.connection):
    try:
        ask()
    except emm1.StoreError as error:
        assert "emm1.duckdb was opened in another process" in str(error), error
    else:
        raise AssertionError
store.close()
del store
gc.collect()
with emm1.open(sys.argv[1], read_only=True) as again:
    print(again.sql("SELECT 2").fetchall())
"""
    run = [sys.executable, "-W", "ignore", "-c", code, str(store_path)]
    child = os.posix_spawn(sys.executable, run, os.environ)
    assert ended(child) == 0
