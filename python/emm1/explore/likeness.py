"""More like this: the exact nearest items of an item, in any registered embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import duckdb

from emm1.errors import StoreError
from emm1.explore.items import Item, items

if TYPE_CHECKING:
    from emm1.store import Store
    from emm1.store.registered import Registered


@dataclass(frozen=True)
class Narrowed:
    """Which items are searched; None stands for any.

    Attributes:
        source_dataset: where they come from.
        dataset_license: their licence.
        split: what `emm1 split` put them into: train, validation, test or purged.
    """

    source_dataset: str | None = None
    dataset_license: str | None = None
    split: str | None = None

    def check(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Refuse a part of a store that has none, where nothing would be found.

        Raises:
            emm1.errors.StoreError: says what makes them.
        """
        if self.split is not None and not connection.table("splits").limit(1).fetchall():
            raise StoreError("the store is not split yet: `emm1 split` makes train, validation and test")

    def condition(self, entry: Registered) -> str | None:
        """An SQL condition on info rows, as `Store.nearest` takes it; values are quoted, whatever they are."""
        if self == Narrowed():
            return None
        from sqlglot import exp  # noqa: PLC0415 - takes longer to import than a search

        tests: list[exp.Expression] = [
            exp.column(column).eq(exp.Literal.string(value))
            for column, value in (("source_dataset", self.source_dataset), ("dataset_license", self.dataset_license))
            if value is not None
        ]
        if self.split is not None:
            wanted = {"dataset": entry.dataset, "modality": entry.modality, "split": self.split}
            same = (exp.column(name, table="s").eq(exp.Literal.string(value)) for name, value in wanted.items())
            ids = exp.select(exp.column("id", table="s")).from_(exp.table_("splits", db="main", alias="s")).where(*same)
            tests.append(exp.column(entry.key).isin(query=ids))
        return exp.and_(*tests).sql("duckdb")


@dataclass(frozen=True)
class Alike:
    """The items most like an item.

    Attributes:
        hits: rank from 1, item and score, the best first.
        metric: what the score is: cosine and dot are best if high, l2 if low.
        seconds: how long the search took, without looking up what the hits are.
    """

    hits: list[tuple[int, Item, float]]
    metric: str
    seconds: float


def alike(store: Store, number: int, by: str, base: str, k: int, narrowed: Narrowed) -> Alike:
    """The k items most like an item, which itself is left out.

    Args:
        store: the store.
        number: the id of the item.
        by: the registered embeddings that have the vector of the item.
        base: the registered embeddings that are searched; of the same model if they are others.
        k: how many.
        narrowed: which items are searched.

    Raises:
        emm1.errors.EmbeddingError: a name that is not registered, an item without a vector, other dimensions.
        emm1.errors.StoreError: items that have no source or licence, as those of EShot, narrowed by it.
    """
    entry, searched = store.registry[by], store.registry[base]
    with store.cursor() as cursor:
        narrowed.check(cursor)
    condition = narrowed.condition(searched)
    start = perf_counter()
    if by == base:
        found = store.nearest(base, ids=number, k=k, where=condition, exclude_self=True)
    else:
        (vector,) = entry.open().vectors([number])
        found = store.nearest(base, vector, k=k, where=condition)
    rows = found.fetchall()
    return shown_hits(store, searched, rows, perf_counter() - start)


def shown_hits(store: Store, searched: Registered, rows: list[tuple[int, int, float]], seconds: float) -> Alike:
    """What the hits of a search are: rows of rank, id and score."""
    with store.cursor() as cursor:
        known = items(cursor, searched.dataset, searched.modality, (hit for _, hit, _ in rows))
    return Alike([(rank, known[hit], score) for rank, hit, score in rows], searched.metric, seconds)
