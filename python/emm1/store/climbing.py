"""File names that lead out of their folder: dangerous, because someone will serve or delete the files that paths name."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
from sqlglot import exp

from emm1.checks import shown
from emm1.dataset import FILE_MODALITIES, KEYS, SCHEMAS

# Rows of each table that are shown.
SHOWN = 3
CLIMBING_FOLDERS = (
    "SELECT folder FROM (SELECT unnest(enum_range(NULL::save_folder))::VARCHAR AS folder) WHERE climbs(folder)"
)


@dataclass(frozen=True)
class ClimbingNames:
    """The rows of a table whose file name or save folder climbs out of its folder, is absolute, or names no file.

    Attributes:
        table: the table, with its schema.
        count: how many such rows there are.
        first: id, save folder and file name of the first.
    """

    table: str
    count: int
    first: list[tuple[int, str, str]]

    def __str__(self) -> str:
        """For people."""
        rows = ", ".join(f"{item}: {shown(folder)} {shown(name)}" for item, folder, name in self.first)
        return (
            f"{self.count:,} of the file names in {self.table} lead out of their folder, are absolute, contain NUL or name no "
            f"file: views and macros give no path for them (id, save_folder and file_name of the first: {rows})"
        )


def climbing_names(connection: duckdb.DuckDBPyConnection) -> list[ClimbingNames]:
    """The tables of a store that have such rows, with the first of them."""
    folders = [folder for (folder,) in connection.execute(CLIMBING_FOLDERS).fetchall()]
    tables = [
        (f"{schema}.{modality}", KEYS[split, modality])
        for split, schema in SCHEMAS.items()
        for modality in FILE_MODALITIES
        if (split, modality) in KEYS
    ]
    found = (_of_table(connection, table, key, folders) for table, key in tables)
    return [names for names in found if names.count]


def _of_table(connection: duckdb.DuckDBPyConnection, table: str, key: str, folders: list[str]) -> ClimbingNames:
    climbing: exp.Expr = exp.func("climbs", exp.column("file_name"))
    if folders:
        climbing = climbing.or_(exp.column("save_folder").isin(*folders))
    rows = exp.select().from_(table).where(climbing)
    ((count,),) = connection.execute(rows.select(exp.Count(this=exp.Star())).sql("duckdb")).fetchall()
    first = rows.select(key, "save_folder", "file_name").order_by("rowid").limit(SHOWN) if count else None
    return ClimbingNames(table, count, connection.execute(first.sql("duckdb")).fetchall() if first else [])
