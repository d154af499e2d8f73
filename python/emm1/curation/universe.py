"""The texts and files of a store, and which of them each group and triplet brings together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from emm1.curation.captions import BATCH, caption_keys
from emm1.curation.numbering import Numbering
from emm1.dataset import FILE_MODALITIES, MODALITIES_OF, SPLITS, Split

# What is told while rows are read: how many of how many.
Told = Callable[[int, int], object]


@dataclass(frozen=True)
class Source:
    """A table whose rows bring captions and items together.

    Attributes:
        name: ``groups`` or ``triplets``; the query of this name gives its rows.
        dataset: the split that its ids are of.
        modalities: those of the columns after the caption.
    """

    name: str
    dataset: Split
    modalities: tuple[str, ...]


SOURCES = (Source("groups", "100m", FILE_MODALITIES), Source("triplets", "1m", FILE_MODALITIES * 2))


class Universe:
    """The texts and files of a store, as numbers from 0.

    Texts are in the order of their keys, which the seed decides. After them come captions without a text or an info row, each
    on its own. A row without a caption has the number `texts`, and a row without an item of some modality the number `files`,
    so arrays over them have one place more.

    Attributes:
        known: how many texts there are; numbers below it are texts.
        texts: how many there are with the captions that have none.
        files: how many files there are.
        rows: how many rows each source has, by its name.
        captions: the texts of the captions of each dataset.
        items: the files of the items of each dataset and modality.
        used: for each source by its name, whether a row of it has the text; bool, (known,).
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, seed: int, told: Told) -> None:
        self._connection = connection
        self._number_captions(seed)
        self._number_items()
        self.rows = {source.name: self._count(source) for source in SOURCES}
        self.used = {source.name: np.zeros(self.known, np.bool_) for source in SOURCES}
        self._survey(told)

    def _number_captions(self, seed: int) -> None:
        found = {source.dataset: caption_keys(self._connection, source.dataset, seed) for source in SOURCES}
        texts = np.unique(np.concatenate([keys[known] for _, keys, known in found.values()]))
        self.known = self.texts = len(texts)
        self.captions: dict[Split, Numbering] = {}
        for dataset, (ids, keys, known) in found.items():
            numbers = np.empty(len(ids), np.int32)
            numbers[known] = np.searchsorted(texts, keys[known])
            alone = len(ids) - np.count_nonzero(known)
            numbers[~known] = np.arange(self.texts, self.texts + alone)
            self.texts += int(alone)
            self.captions[dataset] = Numbering(ids, numbers)

    def _number_items(self) -> None:
        query = sql("items")
        found: dict[tuple[Split, str], tuple[NDArray[np.int64], NDArray[np.uint64]]] = {}
        for dataset in SPLITS:
            for modality in MODALITIES_OF[dataset]:
                if modality != "text":
                    rows = self._connection.sql(query, params={"dataset": dataset, "modality": modality})
                    table = rows.to_arrow_table()
                    ids, keys = (column.to_numpy() for column in table.columns)
                    found[dataset, modality] = ids.astype(np.int64), keys
        distinct, numbers = np.unique(np.concatenate([keys for _, keys in found.values()]), return_inverse=True)
        self.files = len(distinct)
        ends = np.cumsum([len(ids) for ids, _ in found.values()])
        parts = np.split(numbers.astype(np.int32), ends[:-1])
        self.items = {of: Numbering(ids, part) for (of, (ids, _)), part in zip(found.items(), parts, strict=True)}

    def _count(self, source: Source) -> int:
        return self._connection.sql(sql(source.name)).shape[0]

    def _survey(self, told: Told) -> None:
        """Find the texts that each source uses; ids without an info row get numbers of their own."""
        done = 0
        for source in SOURCES:
            others: dict[tuple[Split, str], list[NDArray[Any]]] = {}
            for batch in self._batches(source):
                for ids, modality in zip(batch, ("text", *source.modalities), strict=True):
                    given = ids[0][~ids[1]] if ids[1] is not None else ids[0]
                    numbers = self.numbering(source.dataset, modality).of(given)
                    unknown = numbers < 0
                    if unknown.any():
                        others.setdefault((source.dataset, modality), []).append(np.unique(given[unknown]))
                    if modality == "text":
                        self.used[source.name][numbers[~unknown & (numbers < self.known)]] = True
                done += len(batch[0][0])
                told(done, sum(self.rows.values()))
            for (dataset, modality), parts in others.items():
                self._add_others(dataset, modality, np.unique(np.concatenate(parts)).astype(np.int64))

    def numbering(self, dataset: Split, modality: str) -> Numbering:
        """The numbers of the captions or items of a dataset."""
        return self.captions[dataset] if modality == "text" else self.items[dataset, modality]

    def _add_others(self, dataset: Split, modality: str, ids: NDArray[np.int64]) -> None:
        if modality == "text":
            self.captions[dataset] = self.captions[dataset].with_others(ids, self.texts)
            self.texts += len(ids)
        else:
            self.items[dataset, modality] = self.items[dataset, modality].with_others(ids, self.files)
            self.files += len(ids)

    def _batches(self, source: Source) -> Iterator[list[tuple[NDArray[Any], NDArray[np.bool_] | None]]]:
        """The ids of a source, a batch at a time: for each column its values, and which of them are NULL."""
        for batch in self._connection.sql(sql(source.name)).arrow(BATCH):
            yield [_with_nulls(column) for column in batch.columns]

    def brought_together(self, source: Source) -> Iterator[tuple[NDArray[np.int32], list[NDArray[np.int32]]]]:
        """The rows of a source, a batch at a time: their texts, and for each column of items their files."""
        for batch in self._batches(source):
            columns = []
            for (ids, missing), modality in zip(batch, ("text", *source.modalities), strict=True):
                numbers = self.numbering(source.dataset, modality).of(ids)
                if missing is not None:
                    numbers[missing] = self.texts if modality == "text" else self.files
                columns.append(numbers)
            yield columns[0], columns[1:]


def _with_nulls(column: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    if not column.null_count:
        return column.to_numpy(), None
    return column.fill_null(0).to_numpy(), column.is_null().to_numpy(zero_copy_only=False)


def sql(name: str) -> str:
    """A query of sql/curation."""
    return (files("emm1") / "sql" / "curation" / f"{name}.sql").read_text(encoding="utf-8")
