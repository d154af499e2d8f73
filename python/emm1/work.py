"""Work in numbered parts, and who does which of them: this process, or each of several its share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emm1.errors import EmbeddingError

Progress = Callable[[int, int], object]
"""What is told how much is done, and of how much."""


class Work(Protocol):
    """Work in numbered parts, which any process that has the same files can do.

    It can be pickled: it holds paths and settings, never vectors. A part that is done twice is the same both times. It is a frozen
    dataclass; an engine fills in its field `threads`, if it has one that is None.
    """

    @property
    def run(self) -> Mapping[str, Any]:
        """What the parts depend on, in JSON's types; ``shards`` says into how many shares they can be dealt."""
        ...

    @property
    def sizes(self) -> Sequence[int]:
        """For each part, how much of the work it is, such as its queries."""
        ...

    def check(self) -> None:
        """Refuse files of this machine that are not those that the work began with.

        Raises:
            emm1.errors.EmbeddingError: names one that is not.
        """
        ...

    def write(self, folder: Path, number: int, progress: Progress) -> None:
        """Write a part into the folder, unless it is there: `emm1.parts.write_part`."""
        ...


Engine = Callable[[Work, Path, Sequence[int], Progress], None]
"""Writes some parts of a work into a folder."""


def here(work: Work, folder: Path, numbers: Sequence[int], progress: Progress) -> None:
    """Do some parts, one after the other, in this process."""
    sizes = work.sizes
    done, total = 0, sum(sizes[number] for number in numbers)
    for number in numbers:
        before = done

        def told(finished: int, _all: int, before: int = before) -> None:
            progress(before + finished, total)

        told(0, total)
        work.write(folder, number, told)
        done += sizes[number]
        progress(done, total)


@dataclass(frozen=True)
class Shard:
    """One of several equal shares of some work.

    Attributes:
        number: which, from 1.
        of: how many there are.

    >>> Shard(2, 3)
    Shard(number=2, of=3)
    >>> [list(Shard(number, 3).share(range(7))) for number in (1, 2, 3)]
    [[0, 1], [2, 3], [4, 5, 6]]
    >>> Shard(4, 3)
    Traceback (most recent call last):
    emm1.errors.EmbeddingError: there is no shard 4 of 3: shards are numbered from 1
    """

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise EmbeddingError(f"there is no shard {self.number} of {self.of}: shards are numbered from 1")

    def __str__(self) -> str:
        """As in ``2/3``."""
        return f"{self.number}/{self.of}"

    def share(self, all: range) -> range:  # noqa: A002 - of all
        """The numbers of this shard: consecutive ones, so that they lie together in the files."""
        return all[len(all) * (self.number - 1) // self.of : len(all) * self.number // self.of]


def spans(rows: int, at_most: int, pieces: int = 1) -> list[range]:
    """Rows in consecutive ranges of about the same size: a multiple of `pieces`, none of which is longer than `at_most`.

    >>> spans(10, 4)
    [range(0, 3), range(3, 6), range(6, 10)]
    >>> spans(10, 4, 2)
    [range(0, 2), range(2, 5), range(5, 7), range(7, 10)]
    """
    count = pieces * max(1, -(-rows // (pieces * at_most)))
    return [range(rows * number // count, rows * (number + 1) // count) for number in range(count)]


def shard_of_each(parts: int, shards: int) -> list[tuple[int, str]]:
    """Each part with the shard that does it, by name.

    >>> shard_of_each(3, 2)
    [(0, '1/2'), (1, '2/2'), (2, '2/2')]
    """
    return [
        (part, f"{number}/{shards}")
        for number in range(1, shards + 1)
        for part in Shard(number, shards).share(range(parts))
    ]
