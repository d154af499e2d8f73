"""Batches in which no item occurs twice: a batch sampler of torch's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.checks import listed, shown
from emm1.errors import Error
from emm1.torch.permutation import Permutation
from emm1.torch.shared import integer

STATE = ("seed", "epoch", "batches", "rows", "batch_size")
# Rows that are looked at for a batch, beyond those that it lacks: a part of it. And postponed ones, at most: a multiple of it.
SPARE, POSTPONED = 1 / 16, 4
# Numbers that are computed at a time.
CHUNK = 1 << 16
# Ids of so many bits have room for the number of a row beside them.
ID_BITS = 32


class UniqueBatchSampler:
    """The numbers of rows in batches in which no item occurs twice, shuffled anew each epoch.

    In a loss that takes all other rows of a batch for negatives, a repeated item is its own negative. The rows of an epoch come in the
    order of `Permutation`; one that has an item of its batch is postponed to a later one. So an epoch has each row once, and the same
    batches on every machine. Towards its end batches get smaller, as what is left shares items: one that is in a hundred rows needs
    a hundred batches.

    The batches of all ranks together have no item twice: each rank makes the same batches of `batch_size` × `world_size` rows, and takes
    every world_size-th row. Memory holds the numbers of the rows that are postponed, eight bytes each.

    Args:
        dataset: a `GroupDataset`, a `TripletDataset` or a `QueryDataset`.
        batch_size: rows of a batch of one rank.
        columns: the columns of ids, each by itself; by default those of all items of a row. NULL is no item.
        seed: decides about the order, together with the epoch.
        rank: the rank of this process, from 0.
        world_size: how many ranks there are.
        drop_last: end an epoch when what is left fills no batch. Several ranks need it, or one might get no rows.

    Raises:
        emm1.errors.Error: a number is out of range, or the data set has no such column.

    >>> import emm1, emm1.torch
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", embeddings=0)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"])
    >>> groups = emm1.torch.GroupDataset(store, nn_index="one_per_epoch")
    >>> sampler = emm1.torch.UniqueBatchSampler(groups, 64, ["encord_text_id", "encord_points_id"])
    >>> batch = groups.__getitems__(next(iter(sampler)))
    >>> len(batch), len({row["encord_points_id"] for row in batch})
    (64, 64)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        columns: Sequence[str] | None = None,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
    ) -> None:
        at_least_one(world_size, "world_size")
        if not 0 <= integer(rank, "rank") < world_size:
            raise Error(f"rank must be a whole number from 0 to {world_size - 1:,}, not {shown(rank)}")
        if world_size > 1 and not drop_last:
            raise Error("the last batches may have fewer rows than there are ranks: several ranks need drop_last=True")
        if columns is None:
            columns = getattr(dataset, "id_columns", None)
            if columns is None:
                raise Error("columns must name the columns of ids, as the rows are those of a query")
        self._dataset, self._columns = dataset, listed(columns, "columns")
        try:
            dataset.keys(np.empty(0, np.int64), self._columns)
        except KeyError as error:
            raise Error(f"the rows have no such column: {error.args[0]}") from error
        self._size = at_least_one(batch_size, "batch_size") * world_size
        self._seed, self._rank, self._world_size = integer(seed, "seed"), rank, world_size
        self._drop_last, self._epoch, self._done, self._given = drop_last, 0, 0, 0

    def __iter__(self) -> Iterator[list[int]]:
        """The batches of this rank: from the beginning of the epoch, or from where the state that was loaded is."""
        self._given = 0
        for number, batch in enumerate(self._batches()):
            if number >= self._done:
                self._given += 1
                yield batch[self._rank :: self._world_size].tolist()

    def __len__(self) -> int:
        """How many batches an iteration gives. They are made to be counted, which takes as long as an epoch of numbers."""
        return max(sum(1 for _ in self._batches()) - self._done, 0)

    def _batches(self) -> Iterator[NDArray[np.int64]]:
        """The batches of all ranks together, in an epoch."""
        size, waiting = self._size, np.empty(0, np.int64)
        order = _Order(len(self._dataset), self._seed, self._epoch)
        while order.left or len(waiting):
            chosen, later, tried = np.empty(0, np.int64), [], 0
            while len(chosen) < size:
                wanted = size - len(chosen) + int(size * SPARE) + 1
                old = waiting[tried : min(tried + wanted, POSTPONED * size)]
                new = order.take(wanted - len(old))
                tried += len(old)
                if not len(old) + len(new):
                    break
                both = np.concatenate([chosen, old, new])
                repeated = self._repeated(both)
                chosen = both[~repeated]
                later.append(both[repeated])
            if len(chosen) < size and self._drop_last:
                return
            # Those that wait longest come first.
            waiting = np.concatenate([chosen[size:], waiting[tried:], *later])
            yield chosen[:size]

    def _repeated(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some rows have an item of a row before them."""
        found, whole = np.zeros(len(numbers), np.bool_), []
        for values in self._dataset.keys(numbers, self._columns):
            if pa.types.is_integer(values.type) and values.type.bit_width <= ID_BITS and not values.null_count:
                whole.append(values.to_numpy())
            else:
                found |= _repeated_values(values)
        if whole:
            found |= _repeated_ids(np.array(whole, np.int64))
        return found

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, also that of the data set: it counts from the next iteration on.

        The epoch of a state that was loaded goes on where it was; any other begins at its first batch.
        """
        if integer(epoch, "epoch") != self._epoch:
            self._epoch, self._done, self._given = epoch, 0, 0
        self._tell()

    def _tell(self) -> None:
        if hasattr(self._dataset, "set_epoch"):
            self._dataset.set_epoch(self._epoch)

    def state_dict(self, num_batches: int | None = None) -> dict[str, int]:
        """Where training is: what `load_state_dict` goes on from.

        Args:
            num_batches: batches that were trained on since the iteration began; by default those that were given, which are more
                where a ``DataLoader`` with workers reads ahead.
        """
        given = self._given if num_batches is None else integer(num_batches, "num_batches")
        if given < 0:
            raise Error(f"num_batches must be at least 0, not {given:,}")
        values = (self._seed, self._epoch, self._done + given, len(self._dataset), self._size)
        return dict(zip(STATE, values, strict=True))

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from a state, with any number of ranks whose batches together are as large; the next iteration begins there.

        The batches before it are made again, without reading rows.

        Raises:
            emm1.errors.Error: this is no state, or one of other rows or batches.
        """
        if not isinstance(state, Mapping) or not set(STATE) <= state.keys():
            raise Error(f"this is no state of a UniqueBatchSampler, which has {', '.join(STATE)}: {shown(state)}")
        seed, epoch, batches, rows, size = (integer(state[name], name) for name in STATE)
        if (rows, size) != (len(self._dataset), self._size):
            raise Error(
                f"this is the state of batches of {size:,} of {rows:,} rows on all ranks, not of {self._size:,} of {len(self._dataset):,}"
            )
        if batches < 0:
            raise Error(f"batches must be at least 0, not {batches:,}")
        self._seed, self._epoch, self._done, self._given = seed, epoch, batches, 0
        self._tell()


class _Order:
    """The numbers of an epoch in their order; many are computed at once."""

    def __init__(self, rows: int, seed: int, epoch: int) -> None:
        self._order, self._rows, self._read = Permutation(rows, seed, epoch), rows, 0
        self._ready = np.empty(0, np.int64)

    @property
    def left(self) -> int:
        """How many numbers were not taken."""
        return len(self._ready) + self._rows - self._read

    def take(self, numbers: int) -> NDArray[np.int64]:
        """The next numbers, as many as there are."""
        if len(self._ready) < numbers and self._read < self._rows:
            end = min(self._read + max(numbers, CHUNK), self._rows)
            self._ready = np.concatenate([self._ready, self._order(np.arange(self._read, end))])
            self._read = end
        taken, self._ready = self._ready[:numbers], self._ready[numbers:]
        return taken


def _repeated_ids(ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some rows have an id of a row before them, in the same column, (columns, rows); ids of 32 bits.

    >>> _repeated_ids(np.array([[7, -2, 7, 7], [5, 6, 4, 6]])).tolist()
    [False, False, True, True]
    """
    rows = ids.shape[1]
    # Numbers of an id and its row: in their order, equal ids are side by side, each with the rows that it is in, in their order.
    bits = rows.bit_length()
    both = (ids << bits) | np.arange(rows)
    both.sort(axis=1)
    equal = np.diff(both >> bits, axis=1) == 0
    found = np.zeros(rows, np.bool_)
    found[both[:, 1:][equal] & ((1 << bits) - 1)] = True
    return found


def _repeated_values(values: pa.Array) -> NDArray[np.bool_]:
    """Which of some values, of any type, occur before them; NULL does not."""
    # Codes are given in the order in which values first occur; what is an ENUM already has codes in another order.
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    codes = values.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    most = np.maximum.accumulate(np.concatenate([[-1], codes[:-1]]))
    found: NDArray[np.bool_] = (codes <= most) & (codes >= 0)
    return found
