"""What belongs to each query, and so is never a negative of it: by pairs, by ratings, and under other ids."""

from __future__ import annotations

from importlib.resources import files
from typing import TypeVar

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.curation.captions import caption_keys
from emm1.curation.universe import sql as curation_sql
from emm1.evaluation.retrieval.task import Side, Task
from emm1.hashing import digest_of

Whole = NDArray[np.int64]
# Ids that leave out fewer than so many numbers for each that there is are looked up in a table.
DENSE = 8
Number = TypeVar("Number", np.int64, np.uint64)


class Belonging:
    """Which items belong to which queries.

    Items of one text, or of one file, have one number. A candidate belongs to a query if any items of their numbers are known to
    belong together, or if both have the same number.

    Args:
        connection: a connection to the store.
        task: the queries and the gallery.
        right: of each right answer its query and its id, (pairs,).
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, task: Task, right: tuple[Whole, Whole]) -> None:
        together = right
        sides = (task.queries, task.base)
        entries = [side.entry for side in sides]
        if all(entry is not None and entry.dataset == "1m" for entry in entries):
            parameters = dict(zip(("queries", "base"), (entry.modality for entry in entries if entry), strict=True))
            query = (files("emm1") / "sql" / "negatives" / "good.sql").read_text(encoding="utf-8")
            rated = pl.DataFrame(connection.sql(query, params=parameters).to_arrow_table()).cast(pl.Int64)
            one, other = (
                np.concatenate([each, rated[c].to_numpy()]) for each, c in zip(right, rated.columns, strict=True)
            )
            together = one, other
        used = [_with(side.embeddings.ids, each) for side, each in zip(sides, together, strict=True)]
        self._ids, self._numbers = _numbered(connection, sides, used, same=_same_items(*sides))
        self._count = max(int(numbers.max(initial=0)) for numbers in self._numbers) + 1
        self._known = distinct(self._pair(*together))

    def has(self, queries: Whole, ids: Whole) -> NDArray[np.bool_]:
        """Whether each item belongs to its query, (n,) each."""
        pairs = self._pair(queries, ids)
        places = np.minimum(np.searchsorted(self._known, pairs), len(self._known) - 1)
        found: NDArray[np.bool_] = self._known[places] == pairs
        found |= pairs // self._count == pairs % self._count
        return found

    @property
    def identity(self) -> str:
        """A digest of all that is known."""
        return digest_of(self._known, *self._ids, *self._numbers)

    def _pair(self, queries: Whole, ids: Whole) -> Whole:
        """A number for each query and item."""
        one, other = (
            numbers[_places(known, asked)]
            for known, numbers, asked in zip(self._ids, self._numbers, (queries, ids), strict=True)
        )
        pairs: Whole = one * self._count + other
        return pairs


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """The different ones of some numbers, ascending. NumPy's own way hashes whole numbers, which takes several times as long for many.

    >>> distinct(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    ascending = np.sort(values)
    new = np.ones(len(ascending), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=new[1:])
    return ascending[new]


def _with(ids: Whole, others: Whole) -> Whole:
    """Ids, and those of many others that are not among them."""
    return np.concatenate([ids, others[~np.isin(others, ids)]])


def _places(ids: Whole, asked: Whole) -> Whole:
    """Where each of some ids, all of which are there, is among ascending ones.

    >>> _places(np.array([3, 8, 2**60]), np.array([2**60, 3])).tolist(), _places(np.array([-1, 2]), np.array([2, 2])).tolist()
    ([2, 0], [1, 1])
    """
    least, width = (int(ids[0]), int(ids[-1]) - int(ids[0]) + 1) if len(ids) else (0, 0)
    if width > DENSE * (len(ids) + len(asked)):
        return np.searchsorted(ids, asked)
    table = np.empty(width, np.int64)
    table[ids - least] = np.arange(len(ids))
    places: Whole = table[asked - least]
    return places


def _same_items(queries: Side, base: Side) -> bool:
    """Whether equal ids of both sides are the same items."""
    if queries.entry is not None and base.entry is not None:
        return queries.items == base.items
    return queries.embeddings.path.absolute() == base.embeddings.path.absolute()


def _numbered(
    connection: duckdb.DuckDBPyConnection, sides: tuple[Side, Side], used: list[Whole], *, same: bool
) -> tuple[list[Whole], list[Whole]]:
    """The ids of both sides, ascending, and their numbers from 0, which items of one text or one file share."""
    ids = [distinct(each) for each in used]
    if same:
        ids = [np.union1d(*ids)] * 2
    keys = []
    for side, own in zip(sides, ids, strict=True):
        listed, key = _keys(connection, side)
        place = np.minimum(np.searchsorted(listed, own), max(len(listed) - 1, 0))
        known = listed[place] == own if len(listed) else np.zeros(len(own), np.bool_)
        keys.append((known, key[place[known]]))
    shared = distinct(np.concatenate([key for _, key in keys]))
    numbers, after = [], len(shared)
    for known, key in keys:
        number = np.empty(len(known), np.int64)
        number[known] = np.searchsorted(shared, key)
        alone = int((~known).sum())
        number[~known] = np.arange(after, after + alone)
        numbers.append(number)
        after += 0 if same else alone
    return ids, numbers


def _keys(connection: duckdb.DuckDBPyConnection, side: Side) -> tuple[Whole, NDArray[np.uint64]]:
    """The ids of items, ascending, with the keys of their texts or files; none for a file of embeddings."""
    entry = side.entry
    if entry is None:
        return np.empty(0, np.int64), np.empty(0, np.uint64)
    if entry.modality == "text":
        ids, keys, known = caption_keys(connection, entry.dataset, 0)
        ids, keys = ids[known], keys[known]
    else:
        parameters = {"dataset": entry.dataset, "modality": entry.modality}
        table = connection.sql(curation_sql("items"), params=parameters).to_arrow_table()
        ids, keys = table.column(0).to_numpy().astype(np.int64), table.column(1).to_numpy()
    order = np.argsort(ids, kind="stable")
    return ids[order], keys[order]
