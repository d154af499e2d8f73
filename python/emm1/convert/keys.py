"""Maps the keys of rows to ids: integers are ids already, text is looked up in the info table of the items."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from emm1.convert.input_file import InputFile
from emm1.dataset import KEYS, SCHEMAS, Split, check_items
from emm1.errors import EmbeddingError
from emm1.interrupts import interruptible

TEXT_COLUMNS = ("file_name", "youtube_id")


@dataclass(frozen=True)
class Items:
    """The items that keys may name.

    Attributes:
        connection: a connection to a store; only temporary tables are created on it.
        dataset: the split of the items.
        modality: the modality of the items.
    """

    connection: duckdb.DuckDBPyConnection
    dataset: Split
    modality: str

    def __post_init__(self) -> None:
        """Refuse items that no store has.

        Raises:
            EmbeddingError: an unknown split or modality.
        """
        check_items(self.dataset, self.modality)

    @property
    def table(self) -> exp.Table:
        """The info table of the items."""
        return exp.table_(self.modality, db=SCHEMAS[self.dataset])

    @property
    def name(self) -> str:
        """The name of the info table, for messages."""
        return f"{SCHEMAS[self.dataset]}.{self.modality}"


@dataclass(frozen=True)
class RowIds:
    """The ids of the rows of an input file.

    Attributes:
        ids: int64, (rows,).
        known: bool, (rows,): whether the row's key names an item; if not, its id is 0.
        notes: notes for the user.
    """

    ids: NDArray[np.int64]
    known: NDArray[np.bool_]
    notes: list[str]


def ids_of(
    file: InputFile, column: str, items: Items | None, progress: Callable[[int], object] = lambda _keys: None
) -> RowIds:
    """The ids of the rows, from their keys.

    Args:
        file: the file that is converted.
        column: the column of keys.
        items: the items that text keys may name; None if the keys must be ids.
        progress: called from time to time with how many keys were read.

    Raises:
        EmbeddingError: a key names several items, two keys name the same item, or no key names any; or the keys are
            text and there are no items.
    """
    file.check_column(column)
    batches = _counted(file.keys(column), progress)
    first = next(batches, pa.array([], pa.int64()))
    if first.type == pa.int64():
        ids = np.concatenate([first.to_numpy(), *(batch.to_numpy() for batch in batches)])
        row_ids = RowIds(ids, np.ones(len(ids), np.bool_), [])
    elif items is None:
        raise EmbeddingError(
            f"{file.path}: column {column!r} holds text: to look up file names or youtube ids, name a store, "
            "a dataset and a modality"
        )
    else:
        with closing(interruptible(items.connection.cursor())) as connection:
            _store(connection, itertools.chain([first], batches))
            row_ids = _looked_up(file, column, items, connection)
    _refuse_repeats(file, column, row_ids)
    return row_ids


def _counted(batches: Iterator[pa.Array], progress: Callable[[int], object]) -> Iterator[pa.Array]:
    count = 0
    for batch in batches:
        yield batch
        count += len(batch)
        progress(count)


def _store(connection: duckdb.DuckDBPyConnection, batches: Iterable[pa.Array]) -> None:
    """Write the keys and their row numbers to a temporary table."""
    connection.execute("CREATE TEMP TABLE emm1_keys (row BIGINT, key VARCHAR)")
    row = 0
    for batch in batches:
        rows = pa.array(np.arange(row, row + len(batch)))
        connection.register("emm1_batch", pa.table({"row": rows, "key": batch}))
        connection.execute("INSERT INTO emm1_keys FROM emm1_batch")
        row += len(batch)


def _looked_up(file: InputFile, column: str, items: Items, connection: duckdb.DuckDBPyConnection) -> RowIds:
    """The ids of text keys, from the column of the info table that matches most of them."""
    columns = [name for name in TEXT_COLUMNS if name in connection.table(items.name).columns]
    if not columns:
        raise EmbeddingError(
            f"{file.path}: column {column!r} holds text, but {items.name} has neither file_name nor youtube_id: "
            "name a column of ids"
        )
    tables = {name: _matches(connection, items, name) for name in columns}
    name, rows = max(tables.items(), key=lambda table: len(table[1]) - table[1]["id"].null_count)
    known = rows["id"].is_valid().to_numpy()
    unknown = len(known) - int(np.count_nonzero(known))
    if not known.any():
        tried = " or ".join(columns)
        raise EmbeddingError(
            f"{file.path}: no key in {column!r} is a {tried} of {items.name} (the first is {_key(connection, 0)!r})"
        )
    several = np.flatnonzero(rows["items"].to_numpy() > 1)
    if several.size:
        row = int(several[0])
        least, most = rows["id"][row], rows["largest"][row]
        raise EmbeddingError(
            f"{file.path}: the keys of {several.size:,} rows each name several items of {items.name}: in row {row}, "
            f"{name} {_key(connection, row)!r} belongs to {rows['items'][row]} items, with ids from {least} to {most}. "
            "Name a column of ids as the key"
        )
    notes = []
    if unknown:
        row = int(np.argmin(known))
        notes.append(
            f"{unknown:,} of {len(known):,} rows were left out: their keys are no {name} of {items.name} "
            f"(the first is {_key(connection, row)!r}, row {row})"
        )
    return RowIds(rows["id"].fill_null(0).to_numpy(), known, notes)


def _matches(connection: duckdb.DuckDBPyConnection, items: Items, name: str) -> pa.Table:
    """For each row, the smallest and the largest id of the items that its key names, and their number.

    Texts are compared in Unicode's NFC, because macOS returns file names in decomposed form.
    """
    key = exp.column(KEYS[items.dataset, items.modality])
    named = (
        exp.select(
            exp.func("nfc_normalize", exp.column(name)).as_("key"),
            exp.Min(this=key).as_("id"),
            exp.Max(this=key).as_("largest"),
            exp.Count(this=exp.Star()).as_("items"),
        )
        .from_(items.table)
        .group_by(exp.func("nfc_normalize", exp.column(name)))
    )
    columns = (exp.cast(exp.column(column, table="i"), "BIGINT").as_(column) for column in ("id", "largest", "items"))
    wanted = exp.func("nfc_normalize", exp.column("key", table="k"))
    query = (
        exp.select(*columns)
        .from_(exp.table_("emm1_keys", alias="k"))
        .join(named.subquery("i"), on=exp.column("key", table="i").eq(wanted), join_type="left")
        .order_by(exp.column("row", table="k"))
    )
    return connection.sql(query.sql("duckdb")).to_arrow_table()


def _key(connection: duckdb.DuckDBPyConnection, row: int) -> str:
    return str(connection.execute("SELECT key FROM emm1_keys WHERE row = ?", [row]).fetchall()[0][0])


def _refuse_repeats(file: InputFile, column: str, row_ids: RowIds) -> None:
    rows = np.flatnonzero(row_ids.known)
    order = rows[np.argsort(row_ids.ids[rows], kind="stable")]
    ids = row_ids.ids[order]
    repeats = np.flatnonzero(ids[1:] == ids[:-1])
    if repeats.size:
        at = int(repeats[0])
        raise EmbeddingError(
            f"{file.path}: rows {order[at]} and {order[at + 1]} have the same key in {column!r}, for the id {ids[at]}: "
            "an item can have only one vector"
        )
