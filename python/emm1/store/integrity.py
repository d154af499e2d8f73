"""Finds repeated ids, and references to ids that do not exist, with one pass over a column instead of a join."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
from sqlglot import exp

from emm1.dataset import FILE_MODALITIES, MODALITIES

# One bit or byte for every id between the smallest and the largest: at most 100 MB. Wider ranges are joined.
WIDEST_BITS = 100_000_000
# Rows per batch.
BATCH = 1_000_000


@dataclass(frozen=True)
class Reference:
    """A column whose values are ids of another table.

    Attributes:
        table: the table that refers, with its schema.
        column: its column.
        target: the table referred to, with its schema.
        key: its id column.
        modality_column: the column with the modality that a row refers to, if there is one.
        modality: count only the rows of this modality.
    """

    table: str
    column: str
    target: str
    key: str
    modality_column: str | None = None
    modality: str | None = None

    def __str__(self) -> str:
        rows = f" ({self.modality})" if self.modality else ""
        return f"{self.table}.{self.column}{rows}"


@dataclass(frozen=True)
class Orphans:
    """How many rows refer to an id that no row of the target has.

    Attributes:
        reference: the column.
        checked: the number of rows that have an id.
        missing: how many of them have an id that does not exist.
    """

    reference: Reference
    checked: int
    missing: int


def references() -> Iterator[Reference]:
    """Every column of the store that refers to ids of another table."""
    for modality in MODALITIES:
        key = f"encord_{modality}_id"
        yield Reference("e_mm1_100m.groups", key, f"e_mm1_100m.{modality}", key)
    yield Reference("e_mm1_1m.triplets", "encord_text_id", "e_mm1_1m.text", "encord_text_id")
    for role in ("paired", "annotated"):
        for modality in FILE_MODALITIES:
            yield Reference(
                "e_mm1_1m.triplets",
                f"encord_{role}_id",
                f"e_mm1_1m.{modality}",
                f"encord_{modality}_id",
                f"{role}_modality",
                modality,
            )
    yield Reference("eshot.categories", "eshot_id", "eshot.audio", "eshot_audio_id", "modality", "audio")
    yield Reference("eshot.categories", "eshot_id", "eshot.points", "eshot_point_id", "modality", "points")


def orphans(
    connection: duckdb.DuckDBPyConnection, progress: Callable[[int, int], object] = lambda _rows, _all: None
) -> list[Orphans]:
    """Count the orphans of each column; columns without rows are left out.

    Args:
        connection: a connection to the store.
        progress: called with how many rows were examined, and how many there are in all columns.
    """
    listed = list(references())
    rows = {table: _rows(connection, table) for table in {reference.table for reference in listed}}
    total = sum(rows[reference.table] for reference in listed)
    found, done = [], 0
    for reference in listed:
        progress(done, total)
        found.append(_orphans(connection, reference))
        done += rows[reference.table]
    progress(done, total)
    return [result for result in found if result.checked]


def duplicates(connection: duckdb.DuckDBPyConnection, table: str, key: str, rank: int | None = None) -> int:
    """How many rows of a table repeat an id; for the groups, of one rank."""
    low, high, count = _range(connection, table, key, rank)
    if count == 0:
        return 0
    column = exp.column(key)
    if high - low < WIDEST_BITS:
        bits = exp.func("bitstring_agg", column, exp.Literal.number(low), exp.Literal.number(high))
        distinct: exp.Expr = exp.func("bit_count", bits)
    else:
        distinct = exp.Count(this=exp.Distinct(expressions=[column]))
    query = exp.select(distinct).from_(table)
    return count - _value(connection, _of_rank(query, rank))


def _orphans(connection: duckdb.DuckDBPyConnection, reference: Reference) -> Orphans:
    column = exp.column(reference.column, table="r")
    rows = exp.select(exp.Count(this=column)).from_(exp.alias_(exp.to_table(reference.table), "r", table=True))
    if reference.modality_column:
        rows = rows.where(exp.column(reference.modality_column, table="r").eq(exp.Literal.string(reference.modality)))
    checked = _value(connection, rows)
    if not checked:
        return Orphans(reference, 0, 0)
    low, high, count = _range(connection, reference.target, reference.key)
    if count == 0:
        return Orphans(reference, checked, checked)
    bounds = exp.Between(this=column, low=exp.Literal.number(low), high=exp.Literal.number(high))
    if count == high - low + 1:  # no gaps: every id in the range exists, because ids are unique
        return Orphans(reference, checked, _value(connection, rows.where(exp.not_(bounds))))
    if high - low < WIDEST_BITS:
        ids = exp.select(reference.key).from_(reference.target)
        in_range = rows.where(bounds).select(column, append=False)
        return Orphans(reference, checked, checked - _present(connection, ids, in_range, low, high))
    target = exp.select("1").from_(exp.alias_(exp.to_table(reference.target), "t", table=True))
    matching = target.where(exp.column(reference.key, table="t").eq(column))
    return Orphans(reference, checked, _value(connection, rows.where(exp.not_(exp.Exists(this=matching)))))


def _present(
    connection: duckdb.DuckDBPyConnection, ids: exp.Select, references: exp.Select, low: int, high: int
) -> int:
    """How many references have one of the ids; all references are between low and high."""
    known = np.sort(connection.sql(ids.sql("duckdb")).to_arrow_table().column(0).to_numpy())
    exists = np.zeros(high - low + 1, bool)
    exists[known - low] = True
    present = 0
    for batch in connection.sql(references.sql("duckdb")).arrow(BATCH):
        referenced = batch.column(0).to_numpy()
        # Groups list the captions in order: comparing with the known ids is faster than looking up each one.
        begin = int(np.searchsorted(known, referenced[0])) if len(referenced) else 0
        in_order = np.array_equal(known[begin : begin + len(referenced)], referenced)
        present += len(referenced) if in_order else int(np.count_nonzero(exists[referenced - low]))
    return present


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return _value(connection, exp.select(exp.Count(this=exp.Star())).from_(table))


def _range(
    connection: duckdb.DuckDBPyConnection, table: str, key: str, rank: int | None = None
) -> tuple[int, int, int]:
    """The smallest and the largest id, and the number of rows that have an id."""
    column = exp.column(key)
    query = exp.select(exp.Min(this=column), exp.Max(this=column), exp.Count(this=column)).from_(table)
    low, high, count = connection.execute(_of_rank(query, rank).sql("duckdb")).fetchall()[0]
    return low or 0, high or 0, count


def _of_rank(query: exp.Select, rank: int | None) -> exp.Select:
    return query if rank is None else query.where(exp.column("nn_index").eq(rank))


def _value(connection: duckdb.DuckDBPyConnection, query: exp.Expression) -> int:
    return int(connection.execute(query.sql("duckdb")).fetchall()[0][0])
