"""The rows of a query by their numbers: a map-style data set of torch's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.checks import PathLike
from emm1.torch.rows import rows_of
from emm1.torch.shared import row_numbers

if TYPE_CHECKING:
    from emm1.store.store import Store


class QueryDataset:
    """The rows of a query as dictionaries, in a fixed order: by all columns, unless the query orders them.

    It can be given to ``torch.utils.data.DataLoader`` with any number of workers. The rows are written to the disk once, and
    mapped by every process.

    Args:
        store: an open store, or its path.
        sql: one query.
        exclude: flags such as ``duplicate``: rows that name an item with one of them are left out.
        available: leave out rows that name an item whose media file was not found well by ``emm1 media check``.
        cache: the folder in which rows are kept; by default ``STORE.rows``, beside the store.

    Raises:
        emm1.errors.StoreError: the query is none, or fails.
        emm1.errors.WriteError: the rows cannot be written.
        emm1.errors.Error: a value is of a type that cannot be kept.

    >>> import emm1, emm1.torch
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", embeddings=0)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"])
    >>> captions = emm1.torch.QueryDataset(store, "SELECT encord_text_id AS id, caption FROM e_mm1_100m.text")
    >>> len(captions), captions[-1]["id"], captions[0]["caption"]
    (6706, 8133, 'A woman in a blue coat laughs and claps near the harbour, then walks slowly past')
    """

    def __init__(
        self,
        store: Store | PathLike,
        sql: str,
        *,
        exclude: Sequence[str] = (),
        available: bool = False,
        cache: PathLike | None = None,
    ) -> None:
        self._rows = rows_of(store, sql, cache, exclude=exclude, available=available)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self._rows.names

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def __getitem__(self, number: SupportsIndex) -> dict[str, Any]:
        """The row with a number; negative ones count from the end."""
        (row,) = self.__getitems__([number])
        return row

    def __getitems__(self, numbers: Sequence[SupportsIndex]) -> list[dict[str, Any]]:
        """The rows with some numbers; torch asks for the rows of a batch so."""
        return self._rows.take(row_numbers(numbers, len(self)))

    def keys(self, numbers: NDArray[np.int64], columns: Sequence[str]) -> list[pa.Array]:
        """The values of some columns in some rows, for `UniqueBatchSampler`."""
        return [self._rows.column(name).take(pa.array(numbers)) for name in columns]
