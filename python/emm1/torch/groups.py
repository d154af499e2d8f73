"""The groups of E-MM1:100M by their numbers, or one of each caption in an epoch: a map-style data set of torch's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, SupportsIndex

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.checks import PathLike
from emm1.dataset import FILE_MODALITIES, KEYS, check_modalities, ranks_of
from emm1.store.opening import open as open_store
from emm1.store.store import Store
from emm1.torch.items.by_id import sql
from emm1.torch.items.items import Asked, Items, Transform, check_part
from emm1.torch.ranks import ranks_in
from emm1.torch.rows import rows_of
from emm1.torch.shared import Shared, integer, row_numbers

TEXT = KEYS["100m", "text"]


class GroupDataset:
    """The groups of E-MM1:100M as dictionaries: their ids, captions, and of each modality what is asked for.

    It can be given to ``torch.utils.data.DataLoader`` with any number of workers. Groups are numbered by caption and rank. Their ids
    are written to the disk once, captions and paths once for each item, and all are mapped by every process.

    A row has ``encord_text_id``, ``nn_index``, the id of each modality, ``caption``, and with M for a modality: ``M_file_path``, if paths
    are asked for; ``M``, what ``transform`` made; ``M_embedding``, a tensor of float32 (without torch an array); ``M_negatives``, a list of
    ids. Where `transform` raises an OSError, or an item has no vector, stands a `Missing`.

    Args:
        store: an open store, or its path.
        split: only groups of this part of the split, such as ``train``: the caption is in it, and for training no item is in another.
        modalities: the modalities of a row, beside its caption.
        nn_index: ``all`` ranks, one, several, or ``one_per_epoch``: a row for each caption, with another of its ranks each epoch
            (`set_epoch`), until it had all.
        seed: decides about the order of the ranks.
        paths: add the paths of the files.
        root: the folder of the media, for paths, which it adds; by default the store's.
        transform: by modality, a function that is called with the path of a file (for ``text`` with the caption), and whose result
            is the column of that name.
        embeddings: by modality, the name of embeddings in the store.
        negatives: by modality, a Parquet file of hard negatives for its items, with columns query_id, negative_id and rank.
        num_negatives: how many of them at most; all by default.
        exclude: flags such as ``duplicate``: rows that name an item with one of them are left out.
        available: leave out rows that name an item whose media file was not found well by ``emm1 media check``.
        cache: the folder in which rows are kept; by default ``STORE.rows``, beside the store.

    Raises:
        emm1.errors.StoreError: a modality, a rank or a part of the split is not there.
        emm1.errors.WriteError: the rows cannot be written.
        emm1.errors.Error: a file or a name is not what it should be.

    >>> import emm1, emm1.torch
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", embeddings=0)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"])
    >>> groups = emm1.torch.GroupDataset(store, modalities=["image"], nn_index="one_per_epoch", root="/media")
    >>> len(groups), list(groups[0])
    (6706, ['encord_text_id', 'nn_index', 'encord_image_id', 'caption', 'image_file_path'])
    >>> groups[0]["nn_index"], groups.set_epoch(1), groups[0]["nn_index"]
    (1, None, 2)
    """

    def __init__(
        self,
        store: Store | PathLike,
        split: str | None = None,
        modalities: Sequence[str] = FILE_MODALITIES,
        nn_index: str | int | Iterable[int] = "all",
        *,
        seed: int = 0,
        paths: bool = False,
        root: PathLike | None = None,
        transform: Transform | None = None,
        embeddings: Mapping[str, str] | None = None,
        negatives: Mapping[str, PathLike] | None = None,
        num_negatives: int | None = None,
        exclude: Sequence[str] = (),
        available: bool = False,
        cache: PathLike | None = None,
    ) -> None:
        check_modalities(modalities)
        one = isinstance(nn_index, str) and nn_index == "one_per_epoch"
        ranks = None if one or nn_index == "all" else ranks_of(nn_index)  # type: ignore[arg-type]
        parameters = {"part": split, "ranks": ranks, "modalities": list(modalities)}
        asked = Asked(paths, root, transform or {}, embeddings or {}, negatives or {}, num_negatives)
        self._modalities, self._seed = list(modalities), integer(seed, "seed")
        with nullcontext(store) if isinstance(store, Store) else open_store(store, read_only=True) as opened:
            with opened.cursor() as connection:
                check_part(connection, "100m", split)
            self._rows = rows_of(opened, sql("groups"), cache, parameters, exclude=exclude, available=available)
            self._items = Items(opened, "100m", self._modalities, asked, cache)
        self._starts = _starts(self._rows.column(TEXT).to_numpy()) if one else None
        self._shared = Shared()

    @property
    def id_columns(self) -> list[str]:
        """The columns of ids: of the caption, then of each modality."""
        return [TEXT, *(KEYS["100m", modality] for modality in self._modalities)]

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, in this process and in all workers: it decides which rank of a caption is given."""
        self._shared.epoch = integer(epoch, "epoch")

    def __len__(self) -> int:
        """How many rows there are: groups, or captions if one of each is given."""
        return len(self._rows) if self._starts is None else len(self._starts) - 1

    def __getitem__(self, number: SupportsIndex) -> dict[str, Any]:
        """The row with a number; negative ones count from the end."""
        (row,) = self.__getitems__([number])
        return row

    def __getitems__(self, numbers: Sequence[SupportsIndex]) -> list[dict[str, Any]]:
        """The rows with some numbers; torch asks for the rows of a batch so."""
        wanted = row_numbers(numbers, len(self))
        text, ranks, *ids = self.keys(wanted, [TEXT, "nn_index", *self.id_columns[1:]])
        columns = {TEXT: text.to_pylist(), "nn_index": ranks.to_pylist()}
        columns |= {name: each.to_pylist() for name, each in zip(self.id_columns[1:], ids, strict=True)}
        for modality, each in zip(("text", *self._modalities), (text, *ids), strict=True):
            columns |= self._items.columns(modality, modality, each)
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def keys(self, numbers: NDArray[np.int64], columns: Sequence[str]) -> list[pa.Array]:
        """The values of some columns in some rows, for `UniqueBatchSampler`."""
        if self._starts is not None:
            numbers = self._groups(self._starts, numbers)
        places = pa.array(numbers)
        return [self._rows.column(name).take(places) for name in columns]

    def _groups(self, starts: NDArray[np.int64], captions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The group of each caption in this epoch; captions are given by their numbers."""
        first = starts[captions]
        ids = self._rows.column(TEXT).to_numpy()[first].astype(np.int64)
        return first + ranks_in(self._shared.epoch, self._seed, ids, starts[captions + 1] - first)


def _starts(captions: NDArray[np.int32]) -> NDArray[np.int64]:
    """Where the rows of each caption begin, and where the last ones end.

    >>> _starts(np.array([3, 3, 5], np.int32)).tolist()
    [0, 2, 3]
    """
    changes = np.flatnonzero(captions[1:] != captions[:-1]) + 1
    return np.concatenate([[0] if len(captions) else [], changes, [len(captions)]]).astype(np.int64)
