"""The rated triplets of E-MM1:1M by their numbers: a map-style data set of torch's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, SupportsIndex

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emm1.checks import PathLike, listed, shown
from emm1.dataset import FILE_MODALITIES, KEYS, check_modalities
from emm1.errors import StoreError
from emm1.store.opening import open as open_store
from emm1.store.store import Store
from emm1.torch.items.by_id import sql
from emm1.torch.items.items import Asked, Items, Transform, check_part
from emm1.torch.rows import rows_of
from emm1.torch.shared import row_numbers

TEXT = KEYS["1m", "text"]
# The columns of ids and of modalities of the two items of a row.
ROLES = {"paired": ("encord_paired_id", "paired_modality"), "annotated": ("encord_annotated_id", "annotated_modality")}


class TripletDataset:
    """The rated triplets of E-MM1:1M as dictionaries: their ids, modalities, rating, caption, and of both items what is asked for.

    Rows are numbered by their columns; the published file repeats some. Beside the published columns and ``annotation_label`` and
    ``caption``, a row has for ``paired`` and ``annotated``, as R: ``R_modality_file_path``, if paths are asked for; ``R``, what ``transform``
    made of an item of its modality; ``R_embedding`` and ``R_negatives``; likewise ``text_embedding`` and ``text_negatives``. What is
    not given for the modality of an item is None. Where `transform` raises an OSError, or an item has no vector, stands a `Missing`.

    Args:
        store: an open store, or its path.
        split: only triplets of this part of the split: the caption is in it, and for training no item is in another.
        modalities: both items are of these.
        ratings: codes or labels, such as ``Good Match``; all by default.
        paths: add the paths of the files.
        root: the folder of the media, for paths, which it adds; by default the store's.
        transform: as in `GroupDataset`, like the next three, by the modality of an item.
        embeddings: by modality, the name of embeddings in the store, of items of E-MM1:1M.
        negatives: by modality, a Parquet file of hard negatives for its items.
        num_negatives: how many of them at most; all by default.
        exclude: flags such as ``duplicate``: rows that name an item with one of them are left out.
        available: leave out rows that name an item whose media file was not found well by ``emm1 media check``.
        cache: the folder in which rows are kept; by default ``STORE.rows``, beside the store.

    Raises:
        emm1.errors.StoreError: a modality, a rating or a part of the split is not there.
        emm1.errors.WriteError: the rows cannot be written.
        emm1.errors.Error: a file or a name is not what it should be.

    >>> import emm1, emm1.torch
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", embeddings=0)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"])
    >>> triplets = emm1.torch.TripletDataset(store, modalities=["image", "audio"], ratings=["Good Match"])
    >>> len(triplets), triplets[0]["paired_modality"], triplets[0]["annotation_label"]
    (147, 'image', 'Good Match')
    """

    def __init__(
        self,
        store: Store | PathLike,
        split: str | None = None,
        modalities: Sequence[str] = FILE_MODALITIES,
        ratings: Sequence[int | str] | None = None,
        *,
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
        wanted = None if ratings is None else [str(rating) for rating in listed(ratings, "ratings")]
        parameters = {"part": split, "ratings": wanted, "modalities": list(modalities)}
        asked = Asked(paths, root, transform or {}, embeddings or {}, negatives or {}, num_negatives)
        with nullcontext(store) if isinstance(store, Store) else open_store(store, read_only=True) as opened:
            with opened.cursor() as connection:
                check_part(connection, "1m", split)
                _check_ratings(connection, wanted)
            self._rows = rows_of(opened, sql("triplets"), cache, parameters, exclude=exclude, available=available)
            self._items = Items(opened, "1m", list(modalities), asked, cache)

    @property
    def id_columns(self) -> list[str]:
        """The columns of ids: of the caption, and of both items."""
        return [TEXT, *(key for key, _ in ROLES.values())]

    def __len__(self) -> int:
        """How many triplets there are."""
        return len(self._rows)

    def __getitem__(self, number: SupportsIndex) -> dict[str, Any]:
        """The triplet with a number; negative ones count from the end."""
        (row,) = self.__getitems__([number])
        return row

    def __getitems__(self, numbers: Sequence[SupportsIndex]) -> list[dict[str, Any]]:
        """The triplets with some numbers; torch asks for the rows of a batch so."""
        places = pa.array(row_numbers(numbers, len(self)))
        taken = {name: self._rows.column(name).take(places) for name in self._rows.names}
        columns = {name: each.to_pylist() for name, each in taken.items()}
        columns |= self._items.columns("text", "text", taken[TEXT])
        for role, (key, kind) in ROLES.items():
            columns |= self._of_role(role, taken[key], np.array(columns[kind], dtype=object))
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def _of_role(self, role: str, ids: pa.Array, modalities: NDArray[Any]) -> dict[str, list[Any]]:
        """The columns of the items of a role, whose modalities differ from row to row."""
        columns: dict[str, list[Any]] = {}
        for modality in self._items.modalities:
            rows = np.flatnonzero(modalities == modality)
            for name, values in self._items.columns(role, modality, ids.take(pa.array(rows))).items():
                column = columns.setdefault(name, [None] * len(ids))
                for row, value in zip(rows.tolist(), values, strict=True):
                    column[row] = value
        return columns

    def keys(self, numbers: NDArray[np.int64], columns: Sequence[str]) -> list[pa.Array]:
        """What tells the items of some columns in some rows apart, for `UniqueBatchSampler`: ids, with the modality where it differs."""
        places, kinds = pa.array(numbers), dict(ROLES.values())
        found = []
        for name in columns:
            values = self._rows.column(name).take(places)
            if name in kinds:
                modality = self._rows.column(kinds[name]).take(places).indices
                # An id has 32 bits.
                values = pc.add(pc.shift_left(modality.cast(pa.int64()), 32), values.cast(pa.int64()))
            found.append(values)
        return found


def _check_ratings(connection: duckdb.DuckDBPyConnection, ratings: list[str] | None) -> None:
    rows = connection.execute(sql("ratings")).fetchall()
    for rating in ratings or []:
        if not any(rating in row for row in rows):
            raise StoreError(f"no rating is {shown(rating)}: {', '.join(' '.join(row) for row in rows)}")
