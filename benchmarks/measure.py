"""Measures time, anonymous memory, pages read, and the speed of memory."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.data import Vectors

RUNS, SECONDS = 15, 1.0
ASKED, ROUNDS = 16, 40


def best_of(call: Callable[[int], object], runs: int = RUNS, seconds: float = SECONDS) -> float:
    """The shortest time of `runs` runs, or of as many as fit into `seconds`, in seconds."""
    times: list[float] = []
    while len(times) < runs and sum(times) < seconds:
        times.append(timed(call, len(times)))
    return min(times)


def mean_of_best(call: Callable[[int], object], asked: int = ASKED, seconds: float = SECONDS) -> float:
    """The mean over queries of the shortest time of each, in seconds: they take turns, since some are harder than others.

    Args:
        call: asks the query of this number.
        asked: how many queries; fewer, if not every one of them can be asked twice in time.
        seconds: start no other round after this time.
    """
    asked = max(1, min(asked, int(seconds / 2 / timed(call, 0))))
    rounds: list[list[float]] = []
    while len(rounds) < ROUNDS and sum(map(sum, rounds)) < seconds:
        rounds.append([timed(call, number) for number in range(asked)])
    return sum(min(times[number] for times in rounds) for number in range(asked)) / asked


def timed(call: Callable[[int], object], number: int) -> float:
    started = time.perf_counter()
    call(number)
    return time.perf_counter() - started


def anonymous() -> int:
    """Bytes of memory of this process that are not backed by a file."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


@contextmanager
def peak_of_anonymous(peak: list[int]) -> Iterator[None]:
    """Append the peak of anonymous memory inside the block, sampled every two milliseconds."""
    most, done = [anonymous()], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            most.append(anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        peak.append(max(*most, anonymous()))


def evict(paths: list[Path]) -> None:
    """Make the system drop these files and folders from its cache; no process may have touched mappings of them."""
    for path in paths:
        for file in path.rglob("*") if path.is_dir() else (path,):
            if file.is_file():
                descriptor = os.open(file, os.O_RDONLY)
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)


def without_huge_pages() -> None:
    """Make the system map files with small pages from now on: huge pages do not show which of their bytes were read."""
    set_huge_pages_disabled = 41  # PR_SET_THP_DISABLE
    ctypes.CDLL(None).prctl(set_huge_pages_disabled, 1, 0, 0, 0)


def touched(path: Path, call: Callable[[], object]) -> int:
    """Bytes of the mapped pages that a call reads, of a file and of those whose paths contain its path."""
    call()  # maps the pages
    Path("/proc/self/clear_refs").write_text("1", encoding="ascii")
    with mmap.mmap(-1, 64 << 20) as other:  # so that the processor drops its record of pages marked as read
        other.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(0, len(other), mmap.PAGESIZE):
            other[page] = 1
    call()
    total, ours = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            ours = str(path) in line
        elif ours and line.startswith("Referenced:"):
            total += int(line.split()[1]) * 1024
    return total


def plain_read(vectors: Vectors, threads: int) -> float:
    """Bytes per second when threads add up a whole array as integers."""
    parts = np.array_split(vectors.reshape(-1).view(np.int64), 64 * threads)
    with ThreadPoolExecutor(threads) as pool:
        seconds = best_of(lambda _: list(pool.map(np.add.reduce, parts)), 8)
    return vectors.nbytes / seconds
