"""The rows of a query in a new order each epoch, dealt to ranks and workers, with a state from which training goes on exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emm1.arguments import at_least_one
from emm1.checks import PathLike, shown
from emm1.errors import Error
from emm1.torch.permutation import Permutation
from emm1.torch.rows import rows_of
from emm1.torch.shared import Shared, integer

if TYPE_CHECKING:
    from emm1.store.store import Store

try:
    from torch.utils.data import IterableDataset, get_worker_info
except ModuleNotFoundError:
    IterableDataset = object

    def get_worker_info() -> None:
        """Without torch there are no workers."""


# Rows that are read at a time.
CHUNK = 1024
STATE = ("seed", "epoch", "samples", "rows")


class RowStream(IterableDataset):  # type: ignore[misc]
    """The rows of a query as dictionaries, shuffled anew each epoch: an iterable data set of torch's that also works without it.

    The order of an epoch is a permutation that is computed, so that 107 million rows need no more memory than ten. Position p
    of it goes to rank p mod world_size, and the positions of a rank to its workers, `batch_size` at a time. So a ``DataLoader``
    whose batches have this size gives the same batches in the same order with any number of workers.

    Args:
        store: an open store, or its path.
        sql: one query. Its rows are numbered by all columns, unless it orders them.
        rank: the rank of this process, from 0.
        world_size: how many ranks there are.
        seed: decides about the order, together with the epoch.
        pad: let the last round begin the epoch again where it lacks rows, so that all ranks get as many. Otherwise each row is
            given exactly once, and some ranks get one row less.
        batch_size: rows that go to one worker at a time; the ``batch_size`` of the ``DataLoader``.
        exclude: flags such as ``duplicate``: rows that name an item with one of them are left out.
        available: leave out rows that name an item whose media file was not found well by ``emm1 media check``.
        cache: the folder in which rows are kept; by default ``STORE.rows``, beside the store.

    Raises:
        emm1.errors.StoreError: the query is none, or fails.
        emm1.errors.WriteError: the rows cannot be written.
        emm1.errors.Error: a number is out of range, or a value is of a type that cannot be kept.

    >>> import emm1, emm1.torch
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", embeddings=0)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"])
    >>> query = "SELECT encord_text_id AS id FROM e_mm1_100m.text"
    >>> stream = emm1.torch.RowStream(store, query, rank=1, world_size=2)
    >>> rows = iter(stream)
    >>> first = [next(rows)["id"] for _ in range(3)]
    >>> state = stream.state_dict()
    >>> state
    {'seed': 0, 'epoch': 0, 'samples': 6, 'rows': 6706}
    >>> resumed = emm1.torch.RowStream(store, query, rank=1, world_size=2)
    >>> resumed.load_state_dict(state)
    >>> next(iter(resumed)) == next(rows)
    True
    """

    def __init__(
        self,
        store: Store | PathLike,
        sql: str,
        rank: int = 0,
        world_size: int = 1,
        seed: int = 0,
        pad: bool = True,
        *,
        batch_size: int = 1,
        exclude: Sequence[str] = (),
        available: bool = False,
        cache: PathLike | None = None,
    ) -> None:
        at_least_one(world_size, "world_size")
        at_least_one(batch_size, "batch_size")
        if not 0 <= integer(rank, "rank") < world_size:
            raise Error(f"rank must be a whole number from 0 to {world_size - 1:,}, not {shown(rank)}")
        self._rank, self._world_size, self._pad, self._block = rank, world_size, pad, batch_size
        first_seed = integer(seed, "seed")
        self._rows = rows_of(store, sql, cache, exclude=exclude, available=available)
        self._given = 0
        self._shared = Shared()
        self._shared.seed = first_seed

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self._rows.names

    def __len__(self) -> int:
        """How many rows this rank gets in an iteration."""
        return len(self._own(self._shared.samples))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows of this rank and worker: from the beginning of the epoch, or from where the state that was loaded is."""
        worker = get_worker_info()
        epoch, samples = self._shared.epoch, self._shared.samples
        self._given = 0
        if worker is None:
            self._shared.workers = 0
            return self._counted(epoch, samples)
        self._shared.workers = 1
        return self._read(epoch, samples, worker.id, worker.num_workers)

    def _counted(self, epoch: int, samples: int) -> Iterator[dict[str, Any]]:
        for row in self._read(epoch, samples, 0, 1):
            self._given += 1
            yield row

    def _read(self, epoch: int, samples: int, worker: int, workers: int) -> Iterator[dict[str, Any]]:
        own = self._own(samples)
        order = Permutation(len(self._rows), self._shared.seed, epoch)
        blocks = -(-len(own) // self._block)
        at_once = max(CHUNK // self._block, 1)
        for begin in range(worker, blocks, workers * at_once):
            dealt = np.arange(begin, min(begin + workers * at_once, blocks), workers)
            turns = (dealt[:, None] * self._block + np.arange(self._block)).ravel()
            positions = own.start + turns[turns < len(own)] * self._world_size
            yield from self._rows.take(order(positions % len(self._rows)))

    def _own(self, samples: int) -> range:
        """The positions of this rank from where all ranks have seen some samples."""
        rows = len(self._rows)
        rounds = -(-max(rows - samples, 0) // self._world_size)
        end = samples + rounds * self._world_size if self._pad else rows
        return range(samples + (self._rank - samples) % self._world_size, end, self._world_size)

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch: its order counts from the next iteration on, in this process and in all workers.

        The epoch of a state that was loaded goes on where it was; any other begins at its first row.
        """
        if integer(epoch, "epoch") != self._shared.epoch:
            self._shared.epoch, self._shared.samples = epoch, 0
            self._given = 0

    def state_dict(self, num_samples: int | None = None) -> dict[str, int]:
        """Where training is: what `load_state_dict` goes on from, with any number of ranks and workers.

        Args:
            num_samples: rows that this rank was trained on since the iteration began; all ranks must have had as many. By
                default those that were given, which a ``DataLoader`` with workers does not know: it reads ahead.

        Returns:
            The seed, the epoch, the samples that all ranks have seen in it, and the number of rows.

        Raises:
            emm1.errors.Error: workers read the rows, and nobody says how many were used, or it is more than there are.
        """
        if num_samples is None:
            if self._shared.workers:
                raise Error("workers read ahead: say how many rows of this rank were trained on, as num_samples")
            num_samples = self._given
        if not 0 <= integer(num_samples, "num_samples") <= len(self):
            raise Error(
                f"num_samples must be from 0 to {len(self):,}, the rows of this rank in an iteration, not {num_samples:,}"
            )
        # The last round may repeat rows of the beginning.
        samples = min(self._shared.samples + num_samples * self._world_size, len(self._rows))
        return dict(zip(STATE, (self._shared.seed, self._shared.epoch, samples, len(self._rows)), strict=True))

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from a state; the next iteration begins there.

        Raises:
            emm1.errors.Error: this is no state, or one of other rows.
        """
        if not isinstance(state, Mapping) or not set(STATE) <= state.keys():
            raise Error(f"this is no state of a RowStream, which has {', '.join(STATE)}: {shown(state)}")
        seed, epoch, samples, rows = (integer(state[name], name) for name in STATE)
        if rows != len(self._rows):
            raise Error(f"this is the state of a stream of {rows:,} rows, and the query has {len(self._rows):,}")
        if not 0 <= samples <= rows:
            raise Error(f"samples must be from 0 to {rows:,}, the rows, not {samples:,}")
        self._given = 0
        self._shared.seed, self._shared.epoch, self._shared.samples = seed, epoch, samples
