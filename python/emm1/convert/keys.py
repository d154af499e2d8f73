"""Maps the keys of rows to ids: numbers are ids already, text is looked up in the info table of the items."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlglot import exp

from emm1.convert.input_file import InputFile
from emm1.convert.kinds import Kind, kinds_of, make_macros
from emm1.dataset import KEYS, SCHEMAS, Split, check_items
from emm1.errors import EmbeddingError
from emm1.interrupts import interruptible
from emm1.store.registered import item_ids

PAIR = ("youtube_id", "start_time")  # two columns that together are a key


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

    @property
    def key(self) -> str:
        """The column of ids of the info table."""
        return KEYS[self.dataset, self.modality]

    def count(self) -> int:
        """How many items there are."""
        count: int = self.connection.table(self.name).count("*").fetchall()[0][0]
        return count


@dataclass(frozen=True)
class RowIds:
    """The ids of the rows of an input file.

    Attributes:
        ids: int64, (rows,).
        known: bool, (rows,): whether the row's key names an item; if not, its id is 0.
        notes: notes for the user.
        facts: what the keys were found to be, and how many items have a row.
    """

    ids: NDArray[np.int64]
    known: NDArray[np.bool_]
    notes: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)


def ids_of(
    file: InputFile, key: str, items: Items | None, progress: Callable[[int], object] = lambda _keys: None
) -> RowIds:
    """The ids of the rows, from their keys.

    Args:
        file: the file that is converted.
        key: the column of keys; or two, with a comma between: YouTube ids and the starts of clips.
        items: the items that keys may name; None if the keys must be ids.
        progress: called from time to time with how many keys were read.

    Raises:
        EmbeddingError: a key names several items, two keys name the same item, or no key names any; or the keys are
            text and there are no items.
    """
    batches = _counted(_keys(file, key), progress)
    first = next(batches, pa.array([], pa.int64()))
    if first.type == pa.int64():
        ids = np.concatenate([first.to_numpy(), *(batch.to_numpy() for batch in batches)])
        row_ids = RowIds(ids, np.ones(len(ids), np.bool_)) if items is None else _known(file, key, items, ids)
    elif items is None:
        raise EmbeddingError(
            f"{file.path}: column {key!r} holds text: to look up file names or youtube ids, name a store, "
            "a dataset and a modality"
        )
    else:
        with closing(interruptible(items.connection.cursor())) as connection:
            make_macros(connection)
            _store(connection, itertools.chain([first], batches))
            row_ids = _looked_up(file, key, items, connection)
    _refuse_repeats(file, key, row_ids)
    if items is not None:
        count = items.count()
        row_ids.facts.append(
            f"{np.count_nonzero(row_ids.known):,} of {count:,} {items.modality} items of {items.dataset} have a vector"
        )
    return row_ids


def _keys(file: InputFile, key: str) -> Iterator[pa.Array]:
    """The keys: of a column, or of two columns, joined by an underscore as in the names of clips' files."""
    with suppress(EmbeddingError):
        file.check_column(key)
        return file.keys(key)
    names = [name.strip() for name in key.split(",")]
    for name in names:
        file.check_column(name)
    if len(names) != len(PAIR):
        raise EmbeddingError(
            f"{file.path}: the key {key!r} names {len(names)} columns, but takes one, or {' and '.join(PAIR)}"
        )
    return _pairs(file, *names)


def _pairs(file: InputFile, clip: str, start: str) -> Iterator[pa.Array]:
    starts = Rechunked(file.keys(start))
    for clips in file.keys(clip):
        texts = (clips.cast(pa.large_string()), starts.next(len(clips)).cast(pa.large_string()))
        yield pc.binary_join_element_wise(*texts, pa.scalar("_", pa.large_string()))


class Rechunked:
    """Arrays, cut anew."""

    def __init__(self, arrays: Iterator[pa.Array]) -> None:
        self._arrays = arrays
        self._left: list[pa.Array] = []

    def next(self, count: int) -> pa.Array:
        """The next elements, as many as wanted."""
        while (have := sum(map(len, self._left))) < count:
            self._left.append(next(self._arrays))
        whole = pa.concat_arrays(self._left)
        self._left = [whole[count:]] if have > count else []
        return whole[:count]


def _counted(batches: Iterator[pa.Array], progress: Callable[[int], object]) -> Iterator[pa.Array]:
    count = 0
    for batch in batches:
        yield batch
        count += len(batch)
        progress(count)


def _known(file: InputFile, key: str, items: Items, ids: NDArray[np.int64]) -> RowIds:
    """Which ids are those of items."""
    known = np.isin(ids, item_ids(items.connection, items.dataset, items.modality))
    if len(ids) and not known.any():
        raise EmbeddingError(
            f"{file.path}: no key in {key!r} is an id of {items.name} (the first is {ids[0]}): are they of another split "
            "or modality?"
        )
    row_ids = RowIds(ids, known)
    _note_unknown(file, items.key, items, row_ids, lambda row: str(ids[row]))
    return row_ids


def _note_unknown(file: InputFile, kind: str, items: Items, row_ids: RowIds, key_of: Callable[[int], str]) -> None:
    unknown = len(row_ids.known) - int(np.count_nonzero(row_ids.known))
    if unknown:
        row = int(np.argmin(row_ids.known))
        row_ids.notes.append(
            f"{unknown:,} of {len(row_ids.known):,} rows were left out: their keys are no {kind} of {items.name} "
            f"(the first is {key_of(row)}, {_placed(file, row)})"
        )


def _placed(file: InputFile, row: int) -> str:
    """A row in words: with its file if there are several."""
    path, number = file.place(row)
    return f"row {number}" if path == file.path else f"row {number} of {path}"


def _store(connection: duckdb.DuckDBPyConnection, batches: Iterable[pa.Array]) -> None:
    """Write the keys and their row numbers to a temporary table."""
    connection.execute("CREATE TEMP TABLE emm1_keys (row BIGINT, key VARCHAR)")
    row = 0
    for batch in batches:
        rows = pa.array(np.arange(row, row + len(batch)))
        connection.register("emm1_batch", pa.table({"row": rows, "key": batch}))
        connection.execute("INSERT INTO emm1_keys FROM emm1_batch")
        row += len(batch)


def _looked_up(file: InputFile, key: str, items: Items, connection: duckdb.DuckDBPyConnection) -> RowIds:
    """The ids of text keys, read in the way in which most of them name items."""
    columns = connection.table(items.name).columns
    kind = _best_kind(connection, items, kinds_of(items.key, columns))
    if kind is None:
        named = [name for name in ("file_name", "youtube_id") if name in columns]
        lacks = f"an id, and {items.name} has neither file_name nor youtube_id"
        what = f"a {' or '.join(named)} of {items.name}, nor a path, a stem or an id" if named else lacks
        raise EmbeddingError(f"{file.path}: no key in {key!r} is {what} (the first is {_key(connection, 0)!r})")
    rows = _matches(connection, items, kind)
    several = np.flatnonzero(rows["items"].to_numpy() > 1)
    if several.size:
        row = int(several[0])
        least, most = rows["id"][row], rows["largest"][row]
        also = f", or the two columns {','.join(PAIR)}" if kind.name == PAIR[0] else ""
        raise EmbeddingError(
            f"{file.path}: the keys of {several.size:,} rows each name several items of {items.name}: in "
            f"{_placed(file, row)}, {kind.name} {_key(connection, row)!r} belongs to {rows['items'][row]} items, with ids "
            f"from {least} to {most}. Name a column of ids as the key{also}"
        )
    known = rows["id"].is_valid().to_numpy()
    row_ids = RowIds(rows["id"].fill_null(0).to_numpy(), known, facts=[f"keys taken as: {kind.name}"])
    _note_unknown(file, kind.name, items, row_ids, lambda row: repr(_key(connection, row)))
    return row_ids


def _best_kind(connection: duckdb.DuckDBPyConnection, items: Items, kinds: list[Kind]) -> Kind | None:
    """The way to read keys in which most name items, the first of equals; None if none does in any."""
    (total,) = connection.table("emm1_keys").count("*").fetchall()[0]
    best, most = None, 0
    for kind in kinds:
        own = exp.select(kind.item().as_("key")).from_(items.table)
        is_known = exp.In(this=kind.given(exp.column("key", table="emm1_keys")), query=own.subquery())
        query = exp.select(exp.Count(this=exp.Star())).from_("emm1_keys").where(is_known)
        (count,) = connection.execute(query.sql("duckdb")).fetchall()[0]
        if count > most:
            best, most = kind, count
        if most == total:
            break
    return best


def _matches(connection: duckdb.DuckDBPyConnection, items: Items, kind: Kind) -> pa.Table:
    """For each row, the smallest and the largest id of the items that its key names, and their number."""
    key = exp.column(items.key)
    named = (
        exp.select(
            kind.item().as_("key"),
            exp.Min(this=key).as_("id"),
            exp.Max(this=key).as_("largest"),
            exp.Count(this=exp.Star()).as_("items"),
        )
        .from_(items.table)
        .group_by(kind.item())
    )
    columns = (exp.cast(exp.column(column, table="i"), "BIGINT").as_(column) for column in ("id", "largest", "items"))
    query = (
        exp.select(*columns)
        .from_(exp.table_("emm1_keys", alias="k"))
        .join(
            named.subquery("i"),
            on=exp.column("key", table="i").eq(kind.given(exp.column("key", table="k"))),
            join_type="left",
        )
        .order_by(exp.column("row", table="k"))
    )
    return connection.sql(query.sql("duckdb")).to_arrow_table()


def _key(connection: duckdb.DuckDBPyConnection, row: int) -> str:
    return str(connection.execute("SELECT key FROM emm1_keys WHERE row = ?", [row]).fetchall()[0][0])


def _refuse_repeats(file: InputFile, key: str, row_ids: RowIds) -> None:
    rows = np.flatnonzero(row_ids.known)
    order = rows[np.argsort(row_ids.ids[rows], kind="stable")]
    ids = row_ids.ids[order]
    repeats = np.flatnonzero(ids[1:] == ids[:-1])
    if repeats.size:
        at = int(repeats[0])
        (one, first), (other, second) = file.place(int(order[at])), file.place(int(order[at + 1]))
        where = (
            f"{one}: rows {first} and {second}" if one == other else f"row {first} of {one} and row {second} of {other}"
        )
        raise EmbeddingError(
            f"{where} have the same key in {key!r}, for the id {ids[at]}: an item can have only one vector"
        )
