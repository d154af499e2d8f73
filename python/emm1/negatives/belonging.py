"""What belongs to each query, and so is never a negative of it: by pairs, by ratings, and under other ids."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.curation.captions import caption_keys
from emm1.curation.universe import sql as curation_sql
from emm1.evaluation.retrieval.task import Side, Task

Whole = NDArray[np.int64]


class Belonging:
    """Which items belong to which queries.

    Items of one text, or of one file, have one number. A candidate belongs to a query if any items of their numbers are known to
    belong together, or if both have the same number.

    Args:
        connection: a connection to the store.
        task: the queries, the gallery and the right answers.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, task: Task) -> None:
        together = task.pairs.frame.filter(pl.col("grade") > 0).select("query_id", "id")
        sides = (task.queries, task.base)
        entries = [side.entry for side in sides]
        if all(entry is not None and entry.dataset == "1m" for entry in entries):
            parameters = dict(zip(("queries", "base"), (entry.modality for entry in entries if entry), strict=True))
            query = (files("emm1") / "sql" / "negatives" / "good.sql").read_text(encoding="utf-8")
            rated = pl.DataFrame(connection.sql(query, params=parameters).to_arrow_table())
            together = pl.concat([together, rated.cast(pl.Int64)])
        used = [
            np.concatenate([side.embeddings.ids, together[c].to_numpy()])
            for side, c in zip(sides, ("query_id", "id"), strict=True)
        ]
        self._ids, self._numbers = _numbered(connection, sides, used, same=_same_items(*sides))
        self._count = max(int(numbers.max(initial=0)) for numbers in self._numbers) + 1
        known = self._pair(together["query_id"].to_numpy(), together["id"].to_numpy())
        self._known = np.unique(known)

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
        digest = hashlib.sha256(self._known.tobytes())
        for arrays in (self._ids, self._numbers):
            for array in arrays:
                digest.update(array.tobytes())
        return digest.hexdigest()

    def _pair(self, queries: Whole, ids: Whole) -> Whole:
        """A number for each query and item."""
        one, other = (
            numbers[np.searchsorted(known, asked)]
            for known, numbers, asked in zip(self._ids, self._numbers, (queries, ids), strict=True)
        )
        pairs: Whole = one * self._count + other
        return pairs


def _same_items(queries: Side, base: Side) -> bool:
    """Whether equal ids of both sides are the same items."""
    if queries.entry is not None and base.entry is not None:
        return queries.items == base.items
    return queries.embeddings.path.absolute() == base.embeddings.path.absolute()


def _numbered(
    connection: duckdb.DuckDBPyConnection, sides: tuple[Side, Side], used: list[Whole], *, same: bool
) -> tuple[list[Whole], list[Whole]]:
    """The ids of both sides, ascending, and their numbers from 0, which items of one text or one file share."""
    ids = [np.unique(each) for each in used]
    if same:
        ids = [np.union1d(*ids)] * 2
    keys = []
    for side, own in zip(sides, ids, strict=True):
        listed, key = _keys(connection, side)
        place = np.minimum(np.searchsorted(listed, own), max(len(listed) - 1, 0))
        known = listed[place] == own if len(listed) else np.zeros(len(own), np.bool_)
        keys.append((known, key[place[known]]))
    distinct = np.unique(np.concatenate([key for _, key in keys]))
    numbers, after = [], len(distinct)
    for known, key in keys:
        number = np.empty(len(known), np.int64)
        number[known] = np.searchsorted(distinct, key)
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
