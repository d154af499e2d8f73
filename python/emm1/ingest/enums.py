"""The ENUMs whose values come from the published files; each serves all columns of its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
from sqlglot import exp

# Each ENUM is named like its columns. First those of the tables of items, then all.
ITEM_ENUMS = ("source_dataset", "dataset_license", "save_folder")
ENUMS = (*ITEM_ENUMS, "annotation_label")
# The comment of a column that a published file has and emm1 does not know; it distinguishes it from one that a user added.
PUBLISHED = "As published; the dataset's documents do not describe it"


def make_enums(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Sequence[str]] | None = None) -> None:
    """Make ENUMs, and give them to their columns, which are VARCHAR until then.

    An ENUM is never made in place of another type: since 2.0.1 DuckDB refuses to drop a type that a column has. Where the
    tables are still empty, altering them costs nothing.

    Args:
        connection: of the new store.
        values: the sorted values of each ENUM to make; by default those in the tables, for every ENUM that is missing.
    """
    connection.begin()
    made = {
        name for (name,) in connection.execute("SELECT type_name FROM duckdb_types() WHERE NOT internal").fetchall()
    }
    for name in values or [name for name in ENUMS if name not in made]:
        tables = _tables_with(connection, name)
        # DuckDB refuses an ENUM without values.
        found = values[name] if values else _values(connection, tables, name)
        literals = [exp.Literal.string(value) for value in found]
        enum = exp.DataType(this=exp.DataType.Type.ENUM, expressions=literals or [exp.Literal.string("")])
        connection.execute(exp.Create(kind="TYPE", this=exp.to_table(name), expression=enum).sql("duckdb"))
        for table in tables:
            become = exp.AlterColumn(this=exp.column(name), dtype=exp.to_identifier(name))
            connection.execute(exp.Alter(this=table, kind="TABLE", actions=[become]).sql("duckdb"))
    connection.commit()


def _tables_with(connection: duckdb.DuckDBPyConnection, column: str) -> list[exp.Table]:
    """The tables that have a column that emm1 knows."""
    rows = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_columns() WHERE database_name = current_database() "
        "AND NOT internal AND column_name = $column AND comment IS DISTINCT FROM $published ORDER BY ALL",
        {"column": column, "published": PUBLISHED},
    ).fetchall()
    return [exp.table_(table, db=schema) for schema, table in rows]


def _values(connection: duckdb.DuckDBPyConnection, tables: list[exp.Table], column: str) -> list[str]:
    """The values of a column in all of its tables, sorted."""
    found: set[str | None] = set()
    for table in tables:
        rows = connection.execute(exp.select(column).distinct().from_(table).sql("duckdb")).fetchall()
        found.update(value for (value,) in rows)
    return sorted(value for value in found if value is not None)
