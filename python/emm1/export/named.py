"""The items that exported rows name, gathered as rows are read, and whom to name for them."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emm1.curation.licenses.run import attribution_of
from emm1.errors import StoreError
from emm1.store.kept import Named, named_items
from emm1.store.lookup import WIDEST_RANGE


class NamedItems:
    """The items that rows name: a byte for each id from 0 to the largest, whatever the number of rows.

    Args:
        connection: a connection to the store.
        query: the query.
        columns: the columns of its rows.

    Attributes:
        reason: why it is not known which items the rows name; None: it is.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, query: str, columns: list[str]) -> None:
        self._marks: dict[tuple[str, str], NDArray[np.bool_]] = {}
        self._columns: list[Named] = []
        self.reason: str | None = None
        try:
            self._columns = named_items(connection, query, columns)
        except StoreError as error:
            self.reason = str(error)

    @property
    def columns(self) -> list[str]:
        """The columns that say which items there are."""
        names = (name for named in self._columns for name in (named.key, named.kind, named.dataset) if name is not None)
        return [*dict.fromkeys(names)]

    def add(self, rows: pa.RecordBatch) -> None:
        """Note the items of some rows."""
        columns = {name.casefold(): column for name, column in zip(rows.schema.names, rows.columns, strict=True)}
        for named in self._columns:
            ids = columns[named.key.casefold()]
            if not pa.types.is_integer(ids.type):
                self._give_up(f"column {named.key} has no whole numbers")
                return
            for name, value in ((named.kind, named.modality), (named.dataset, named.split)):
                if name is not None:
                    ids = pc.if_else(pc.equal(columns[name.casefold()].cast(pa.string()), value), ids, None)
            numbers = ids.drop_null().to_numpy(zero_copy_only=False)
            if numbers.size and not self._mark((named.split, named.modality), numbers):
                self._give_up(f"the ids in column {named.key} are not between 0 and {WIDEST_RANGE:,}")
                return

    def _mark(self, kind: tuple[str, str], ids: NDArray[np.integer]) -> bool:
        largest = int(ids.max())
        if ids.min() < 0 or largest >= WIDEST_RANGE:
            return False
        marks = self._marks.get(kind, np.zeros(0, np.bool_))
        if largest >= len(marks):
            marks = np.concatenate([marks, np.zeros(max(largest + 1, 2 * len(marks)) - len(marks), np.bool_)])
            self._marks[kind] = marks
        marks[ids] = True
        return True

    def _give_up(self, reason: str) -> None:
        self.reason, self._columns, self._marks = reason, [], {}

    def attribution(self, connection: duckdb.DuckDBPyConnection) -> str | None:
        """The text of an ATTRIBUTION file for the items; None if it is not known which they are."""
        if self.reason is not None:
            return None
        items: Iterable[tuple[str, str, NDArray[np.int64]]] = (
            (dataset, modality, np.flatnonzero(marks)) for (dataset, modality), marks in self._marks.items()
        )
        return attribution_of(connection, items)
