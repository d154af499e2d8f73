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

LEAST, RUNS, SECONDS = 2, 15, 3.0


def best_of(call: Callable[[int], object], runs: int = RUNS, seconds: float = SECONDS) -> float:
    """The shortest time of `runs` runs, or of those that fit into `seconds` (but at least `LEAST`), in seconds."""
    times: list[float] = []
    while len(times) < LEAST or (len(times) < runs and sum(times) < seconds):
        started = time.perf_counter()
        call(len(times))
        times.append(time.perf_counter() - started)
    return min(times)


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
