"""Finds the licences of the items and groups of a store, and writes the table licenses and the flags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import polars as pl
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from numpy.typing import NDArray

from emm1.checks import check_text, shown
from emm1.curation.flags import CHANGED
from emm1.curation.licenses.report import (
    LICENSE_COLUMNS,
    GroupLicenseReport,
    LicenseReport,
    license_frame,
)
from emm1.curation.licenses.rows import Licensed
from emm1.curation.universe import sql
from emm1.errors import EmbeddingError, StoreError
from emm1.store.connections import sql_seeing
from emm1.store.kept import is_among
from emm1.store.transactions import all_or_nothing
from emm1.tables import frame_of, integers

if TYPE_CHECKING:
    from emm1.store.store import Store

SOURCE = "licenses"
ITEM = ("dataset", "modality", "id")


def licenses_of(store: Store, where: str | None, *, flag: bool) -> LicenseReport:
    """The licences of items; `emm1.Store.licenses` says what the arguments mean."""
    with store.cursor() as connection:
        if flag:
            _write(connection, None)
        every = connection.view("assets")
        rows = _counted(connection, _fulfilling(every, where, "assets"), where)
        flagged = None
        if flag:
            flagged = _write(connection, license_frame(rows if where is None else _counted(connection, every, None)))
    return LicenseReport(rows, where, flagged)


def group_licenses_of(store: Store, where: str | None) -> GroupLicenseReport:
    """The licences of groups; `emm1.Store.group_licenses` says what the arguments mean."""
    with store.cursor() as connection:
        groups = _fulfilling(connection.view("group_captions"), where, "group_captions")
        frame = license_frame(_counted(connection, connection.view("assets"), None))
        connection.register("emm1_licenses", frame.to_arrow())
        try:
            found = sql_seeing(connection, sql("licenses/groups"), None, ({"emm1_groups": groups}, {})).fetchall()
        except duckdb.Error as error:
            raise _failure(where, "group_captions", error) from error
        finally:
            connection.unregister("emm1_licenses")
    return GroupLicenseReport(found, where)


def attribution(store: Store, items: Any = None) -> str:
    """The text of an ATTRIBUTION file for items of a store: by source dataset and licence, with links. Plain text.

    Args:
        store: the store.
        items: a frame of any library with the columns dataset, modality and id; repeats count once. None: all items.

    Raises:
        emm1.errors.Error: there is no such column, or no such item.

    >>> import emm1
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
    >>> text = attribution(store, {"dataset": ["100m"], "modality": ["image"], "id": [7]})
    >>> text.splitlines()[0], "Items: 1 (image)" in text
    ('ATTRIBUTION', True)
    """
    with store.cursor() as connection:
        if items is None:
            return LicenseReport(_counted(connection, connection.view("assets"), None)).attribution()
        connection.register("emm1_listed", _listed(items).to_arrow())
        try:
            for row, dataset, modality, number, unknown in connection.execute(sql("licenses/unknown")).fetchall():
                more = f", and {unknown - 1:,} others" if unknown > 1 else ""
                raise StoreError(f"the store has no {modality} {number} of {dataset} (row {row} of the items){more}")
            rows = _counted(connection, connection.sql(sql("licenses/items")), None)
        finally:
            connection.unregister("emm1_listed")
    return LicenseReport(rows).attribution()


def attribution_of(connection: duckdb.DuckDBPyConnection, items: Iterable[tuple[str, str, NDArray[np.int64]]]) -> str:
    """The same text for many items: dataset, modality and the ids that they have, which ascend. Ids without an item do not count."""
    id_, dataset, modality = Column("id"), Column("dataset").cast("VARCHAR"), Column("modality").cast("VARCHAR")
    any_of = Constant(False)
    for split, kind, ids in items:
        any_of |= (dataset == Constant(split)) & (modality == Constant(kind)) & is_among(id_, ids)
    return LicenseReport(_counted(connection, connection.view("assets").filter(any_of), None)).attribution()


def _listed(items: Any) -> pl.DataFrame:
    what = "the items"
    frame = frame_of(items, what, ITEM)
    for column in ITEM:
        if column not in frame.columns:
            raise EmbeddingError(f"{what}: no column {column}; the columns are {', '.join(frame.columns) or 'none'}")
    dataset, modality = (frame[column].cast(pl.String, strict=False) for column in ITEM[:2])
    rows = {"row": range(1, len(frame) + 1), "dataset": dataset, "modality": modality}
    return pl.DataFrame(rows | {"id": integers(frame["id"], what)}, schema_overrides={"row": pl.Int64})


def _fulfilling(rows: duckdb.DuckDBPyRelation, where: str | None, view: str) -> duckdb.DuckDBPyRelation:
    if where is None:
        return rows
    if not isinstance(where, str) or not where.strip():
        raise StoreError(f"where must be a condition of SQL, such as modality = 'image', not {shown(where)}")
    check_text(where, StoreError)
    try:
        return rows.filter(where)
    except duckdb.Error as error:
        raise _failure(where, view, error) from error


def _failure(where: str | None, view: str, error: duckdb.Error) -> StoreError:
    reason = str(error).splitlines()[0]
    return StoreError(f"the condition {where!r} does not fit {view}: {reason}" if where else reason)


def _counted(
    connection: duckdb.DuckDBPyConnection, items: duckdb.DuckDBPyRelation, where: str | None
) -> list[Licensed]:
    try:
        rows = sql_seeing(connection, sql("licenses/counts"), None, ({"emm1_items": items}, {})).fetchall()
    except duckdb.Error as error:
        raise _failure(where, "assets", error) from error
    return [Licensed(*row) for row in rows]


def _write(connection: duckdb.DuckDBPyConnection, licenses: pl.DataFrame | None) -> int:
    """Write the table and the flags; None writes nothing, so that a store for reading is refused before the work.

    Returns:
        How many items are flagged.
    """
    with all_or_nothing(connection, purpose="note its licences", changed=CHANGED):
        connection.execute("DELETE FROM flags WHERE false")
        columns = [name for (name,) in connection.execute(sql("licenses/objects")).fetchall()]
        if columns and columns != list(LICENSE_COLUMNS):
            raise StoreError("the store has a table or view licenses that emm1 did not make: rename it first")
        if licenses is None:
            return 0
        connection.register("emm1_licenses", licenses.to_arrow())
        connection.execute(sql("licenses/table"))
        connection.execute(sql("forget_flags"), {"source": SOURCE})
        ((flagged,),) = connection.execute(sql("licenses/flags"), {"source": SOURCE}).fetchall()
        connection.unregister("emm1_licenses")
        return int(flagged)
