"""EShot as the page shows it: its categories, and the samples of each."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant

from emm1.dataset import MODALITIES_OF
from emm1.explore.items import Item, items, sql

MODALITIES = MODALITIES_OF["eshot"]


@dataclass(frozen=True)
class Samples:
    """The samples of a category that have a modality: how many there are, and the first of them in the published order."""

    count: int
    items: list[Item]


def classes(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int]]:
    """The categories in code-point order, with how many audio clips and point clouds each has."""
    return connection.execute(sql("eshot_classes")).fetchall()


def samples(connection: duckdb.DuckDBPyConnection, category: str, limit: int) -> dict[str, Samples]:
    """The samples of a category by modality, at most so many of each; none if there is no such category."""
    table = connection.table("eshot.categories").filter(Column("category") == Constant(category))
    found = {}
    for modality in MODALITIES:
        rows = table.filter(Column("modality") == Constant(modality))
        ids = [number for (number,) in rows.order("rowid").select(Column("eshot_id")).fetchall()]
        known = items(connection, "eshot", modality, ids[:limit])
        found[modality] = Samples(len(ids), [known[number] for number in ids[:limit]])
    return found if any(each.count for each in found.values()) else {}
