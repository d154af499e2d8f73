"""Flags items of a store: what people found out about them, so that it can be queried."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from emm1.checks import PathLike, check_text, shown
from emm1.curation.universe import sql
from emm1.dataset import MODALITIES_OF
from emm1.errors import EmbeddingError, StoreError
from emm1.store.excluded import flags
from emm1.store.transactions import all_or_nothing
from emm1.tables import first, frame_of, integers, read

if TYPE_CHECKING:
    import duckdb

    from emm1.store.store import Store

COLUMNS = ("dataset", "modality", "id")
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
SOURCE = "basket"
LONGEST = 1000
CHANGED = "flags were changed by another connection meanwhile: flag the items again"


def add(store: Store, items: PathLike | Any, flag: str, detail: str | None, source: str) -> int:
    """Flag items; `emm1.Store.add_flags` says what the arguments mean."""
    for name, what in ((flag, "flag"), (source, "source")):
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise StoreError(
                f"the {what} {shown(name)} is no name of one: up to 40 of a-z, 0-9, _ and -, with a letter first"
            )
    if detail is not None:
        _check_detail(detail)
    rows = _rows(items)
    if rows.is_empty():
        raise StoreError("there are no items to flag")
    noted = rows.with_columns(flag=pl.lit(flag), detail=pl.lit(detail, pl.String))
    with store.cursor() as connection, all_or_nothing(connection, purpose="flag items", changed=CHANGED):
        connection.register("emm1_flagged", noted.to_arrow())
        unknown = connection.execute(sql("unknown_flagged")).fetchall()
        if unknown:
            some = ", ".join(
                f"{modality} {number} of {dataset} (row {row})" for row, dataset, modality, number, _ in unknown
            )
            raise StoreError(
                f"the store has no {some}{' …' if unknown[0][-1] > len(unknown) else ''}: no item was flagged"
            )
        connection.execute(sql("replace_flags"), {"flag": flag, "source": source})
        return _insert(connection, source)


def remove(store: Store, flag: str, source: str | None) -> int:
    """Take a flag away; `emm1.Store.remove_flags` says what the arguments mean."""
    with store.cursor() as connection, all_or_nothing(connection, purpose="remove flags", changed=CHANGED):
        ((removed,),) = connection.execute(sql("remove_flags"), {"flag": flag, "source": source}).fetchall()
        if not removed:
            by = f" of the source {shown(source)}" if source is not None else ""
            known = sorted({f"{name} ({of})" for name, of, *_ in flags(connection).fetchall()})
            there = f"the flags are {', '.join(known)}" if known else "no item has any"
            raise StoreError(f"no item has the flag {shown(flag)}{by}: {there}")
    return int(removed)


def record(store: Store, rows: pl.DataFrame | None, source: str) -> int:
    """Note what a command found out about items of the store, in place of everything that it noted before.

    Args:
        store: open for writing.
        rows: dataset, modality, id, flag and detail; None leaves everything as it is, so that a store for reading is refused
            before the work.
        source: the command, with what it was asked if other questions keep their own flags.

    Returns:
        How many flags were written.

    Raises:
        emm1.errors.StoreError: the store is open for reading only.
    """
    with store.cursor() as connection, all_or_nothing(connection, purpose="flag items", changed=CHANGED):
        if rows is None:
            connection.execute("DELETE FROM flags WHERE false")
            return 0
        connection.execute(sql("forget_flags"), {"source": source})
        connection.register("emm1_flagged", rows.to_arrow())
        return _insert(connection, source)


def _insert(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    ((added,),) = connection.execute(sql("add_flags"), {"source": source}).fetchall()
    connection.unregister("emm1_flagged")
    return int(added)


def _check_detail(detail: Any) -> None:
    if not isinstance(detail, str) or len(detail) > LONGEST or "\0" in detail:
        raise StoreError(f"detail must be a text of at most {LONGEST:,} characters, not {shown(detail)}")
    check_text(detail, StoreError)


def _rows(items: PathLike | Any) -> pl.DataFrame:
    """The items with the number of their row, from 1.

    Raises:
        emm1.errors.Error: a column is missing, or a row names no kind of item.
    """
    what = "the items"
    if isinstance(items, str | os.PathLike):
        what = os.fspath(items)
        rows = read(Path(items), "items")
    else:
        rows = frame_of(items, what, COLUMNS)
    missing = [column for column in COLUMNS if column not in rows.columns]
    if missing:
        raise EmbeddingError(f"{what}: no column {missing[0]}; the columns are {', '.join(rows.columns) or 'none'}")
    dataset, modality = (rows[column].cast(pl.String, strict=False) for column in COLUMNS[:2])
    kinds = pl.DataFrame({"dataset": dataset, "modality": modality}).rows()
    known = pl.Series([m in MODALITIES_OF.get(d, ()) for d, m in kinds], dtype=pl.Boolean)
    if (row := first(~known)) is not None:
        raise EmbeddingError(
            f"{what}: row {row + 1} is of the dataset {dataset[row]!r} and the modality {modality[row]!r}, which there is not"
        )
    return pl.DataFrame(
        {"row": range(1, len(rows) + 1), "dataset": dataset, "modality": modality, "id": integers(rows["id"], what)},
        schema_overrides={"row": pl.Int64},
    )
