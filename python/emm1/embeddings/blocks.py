"""How many queries a search of many takes at a time: the base is read once for each block of them."""

from __future__ import annotations

from dataclasses import dataclass

from emm1 import memory
from emm1.arguments import thread_count
from emm1.embeddings.file import Embeddings
from emm1.work import spans

# Queries per search where the base stays in memory: more are not faster.
USUAL = 1024
# The most, and the queries of a part of `knn`'s output: an interrupted run repeats no more. Blocks are powers of two, so that a part
# has whole ones.
MOST = 1 << 16
# The part of the free memory that is for queries; the rest keeps what is read of the base.
SHARE = 4
MEGABYTE, GIGABYTE = 10**6, 10**9


@dataclass(frozen=True)
class Block:
    """A block of queries.

    Attributes:
        queries: how many.
        why: one line that says so, if the base does not fit in memory.
    """

    queries: int
    why: str | None = None


def block_of(
    queries: int,
    base: Embeddings,
    k: int,
    threads: int | None = None,
    *,
    rows: int | None = None,
    free: int | None = None,
) -> Block:
    """How many queries to search for at a time; the answers do not depend on it.

    Args:
        queries: how many there are in all.
        base: among what.
        k: how many neighbours for each.
        threads: threads of the search; all cores by default.
        rows: how many rows of the base are searched; all by default.
        free: bytes of memory that can be used; by default what the system says.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.zeros((5000, 64), dtype="float32"))
    >>> x = emm1.Embeddings(path)
    >>> block_of(5000, x, 16, threads=2, free=10**9).queries
    1024
    >>> print(block_of(5000, x, 16, threads=2, free=10**6).why)
    the base has 1.3 MB, 1.0 MB are free: blocks of 1,024 queries, the base is read 5 times
    """
    free = memory.available() if free is None else free
    files = [*base.files, *([base.codes_path] if base.codes_path else [])]
    size = sum(file.stat().st_size for file in files)
    if rows is not None:
        size = size * rows // len(base)
    if free is None or size <= free:
        return Block(USUAL)
    block = queries_of(free, base.dim, k, thread_count(threads))
    times = sum(-(-len(part) // block) for part in spans(queries, MOST))
    read = "once" if times == 1 else f"{times:,} times"
    why = f"the base has {_gigabytes(size)}, {_gigabytes(free)} are free: blocks of {block:,} queries, the base is read {read}"
    return Block(block, why)


def queries_of(free: int, dims: int, k: int, threads: int) -> int:
    """The largest block whose own memory fits in its share of what is free; at least the usual one."""
    fitting = free // SHARE // bytes_of_query(dims, k, threads)
    return min(max(1 << fitting.bit_length() >> 1, USUAL), MOST)


def bytes_of_query(dims: int, k: int, threads: int) -> int:
    """What a search keeps for each query, roughly.

    Its vector three times in single and once in double precision, and coded three times; a heap of k rows and the answer, twice;
    and what each thread lets wait.
    """
    return 24 * dims + 80 * k + 512 * threads + 512


def _gigabytes(size: int) -> str:
    unit, name = (GIGABYTE, "GB") if size >= GIGABYTE else (MEGABYTE, "MB")
    return f"{size / unit:.1f} {name}" if size < 10 * unit else f"{size / unit:,.0f} {name}"
