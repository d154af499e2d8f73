"""Long calls end with the exception of a signal handler, and arguments of any size with an emm1.Error."""

from __future__ import annotations

import _thread
import gc
import operator
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import emm1
from emm1 import _native


class HandlerError(Exception):  # raised to end a call
    """Raised by a signal handler."""


@pytest.fixture
def raising() -> Iterator[None]:
    def handler(_signal: int, _frame: object) -> None:
        raise HandlerError

    before = signal.signal(signal.SIGUSR1, handler)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(3000, 8)).astype(np.float32))
    return tmp_path / "x.npy"


IDS = np.arange(100, dtype=np.int64)[::-1].copy()
QUERY = np.ones(8, np.float32)
HOW: _native.How = {"metric": "dot", "among": None, "exclude": None, "threads": 2}


def coded(path: Path) -> _native.EmbeddingFile:
    return _native.EmbeddingFile(path, codes_path=emm1.Embeddings(path).build_codes())


CALLS: dict[str, Callable[[_native.EmbeddingFile, Path], Callable[[], Any]]] = {
    "search": lambda file, _: partial(file.search, QUERY[np.newaxis], 3, HOW),
    "search in a batch": lambda file, _: partial(file.search, np.tile(QUERY, (40, 1)), 3, HOW),
    "search among": lambda file, _: partial(file.search, QUERY[np.newaxis], 3, {**HOW, "among": IDS}),
    "search others": lambda file, _: partial(file.search, QUERY[np.newaxis], 3, {**HOW, "exclude": IDS[:1]}),
    "search unequal": lambda file, _: partial(file.search, QUERY[np.newaxis], 3, {**HOW, "exclude": "equal"}),
    "rank_of": lambda file, _: partial(file.rank_of, IDS[:1], QUERY[np.newaxis], HOW),
    "rank_of in a batch": lambda file, _: partial(file.rank_of, IDS[:40], np.tile(QUERY, (40, 1)), HOW),
    "within": lambda file, _: partial(file.within, QUERY[np.newaxis], 0.0, HOW),
    "score": lambda file, _: partial(file.score, IDS, QUERY, "dot"),
    "score_pairs": lambda file, _: partial(file.score_pairs, IDS, file, IDS, "dot", 2),
    "vectors": lambda file, _: partial(file.vectors, IDS),
    "slice": lambda file, _: partial(file.slice, 0, 100),
    "ids": lambda file, _: file.ids,
    "centroid": lambda file, _: partial(file.centroid, IDS),
    "build_codes": lambda file, path: partial(file.build_codes, path.with_name("codes"), 2, lambda _rows: None),
    "norms": lambda file, _: partial(file.norms, 2, lambda _rows: None),
    "norms from codes": lambda _, path: partial(coded(path).norms, 2, lambda _rows: None),
    "verify_codes": lambda _, path: partial(coded(path).verify_codes, 2, lambda _rows: None),
    "open with a file of ids": lambda _, path: partial(_native.EmbeddingFile, path, path.with_name("other.npy")),
    "open with ids": lambda _, path: partial(_native.EmbeddingFile, path, None, np.arange(3000)[::-1].copy()),
}


def _in_c(*calls: Callable[[], Any]) -> None:
    """Make all calls without Python bytecode in between, where Python would check for signals itself.

    A garbage collection would run bytecode: Hypothesis measures how long one takes.
    """
    call: Callable[[Callable[[], Any]], Any] = operator.call
    gc.disable()
    try:
        list(map(call, calls))
    finally:
        gc.enable()


@pytest.mark.usefixtures("raising")
@pytest.mark.parametrize("name", CALLS)
def test_an_exception_of_a_signal_handler_arrives_as_itself(path: Path, name: str) -> None:
    np.save(path.with_name("other.npy"), np.arange(3000))
    call = CALLS[name](_native.EmbeddingFile(path), path)
    ended: list[str] = []
    interrupt = partial(_thread.interrupt_main, signal.SIGUSR1)
    with pytest.raises(HandlerError):
        _in_c(interrupt, call, partial(ended.append, "the call"))
    assert not ended
    assert not list(path.parent.glob("codes*"))


def test_ctrl_c_is_a_keyboard_interrupt(path: Path) -> None:
    call = CALLS["search"](_native.EmbeddingFile(path), path)
    with pytest.raises(KeyboardInterrupt):
        _in_c(_thread.interrupt_main, call)


def test_what_progress_raises_arrives_as_itself(path: Path) -> None:
    def progress(_rows: int) -> None:
        raise HandlerError

    with pytest.raises(HandlerError):
        emm1.Embeddings(path).build_codes(progress=progress)


def test_no_number_is_too_large_to_be_judged(path: Path) -> None:
    e = emm1.Embeddings(path)
    huge = 2**70
    assert e.rows(huge, huge)[0].tolist() == []
    assert e.rows(-huge, huge)[0].tolist() == list(range(3000))
    assert len(e.search(QUERY, k=huge, threads=huge)) == 3000
    assert emm1.score_pairs(e, [0], e, [0], threads=huge).tolist() == [1]
    for call in (
        partial(e.search, QUERY, k=-huge),
        partial(e.search, QUERY, threads=-1),
        partial(e.search, QUERY, threads=0),
        partial(e.search, [huge**10] * 8),
        partial(e.search, QUERY, among=[huge]),
        partial(e.within, QUERY, huge**20),
        partial(e.within, QUERY, cast("float", "much")),
        partial(e.score, [huge], QUERY),
        partial(e.score, [2**63], QUERY),
        partial(e.vectors, [-huge]),
        partial(e.centroid, [huge]),
        partial(e.build_codes, threads=-huge),
        partial(emm1.Embeddings, path, [huge] * 3000),
    ):
        with pytest.raises(emm1.Error):
            call()
