"""The whole content of a store, to compare stores."""

from pathlib import Path
from typing import Any

import duckdb

# Each build makes a new store id, which appears in tables and macros.
CATALOG = {
    "tables": "SELECT schema_name, table_name, comment, replace(sql, (SELECT store_id FROM emm1_store), 'STORE ID') "
    "FROM duckdb_tables() ORDER BY ALL",
    "columns": "SELECT schema_name, table_name, column_name, column_index, data_type, is_nullable, comment "
    "FROM duckdb_columns() WHERE NOT internal ORDER BY ALL",
    "views": "SELECT schema_name, view_name, comment, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
    "macros": "SELECT schema_name, function_name, comment, parameters, "
    "replace(macro_definition, (SELECT store_id FROM emm1_store), 'STORE ID') FROM duckdb_functions() "
    "WHERE function_type LIKE '%macro' AND NOT internal ORDER BY ALL",
    "enums": "SELECT schema_name, type_name, labels FROM duckdb_types() WHERE NOT internal ORDER BY ALL",
    "provenance": "SELECT * EXCLUDE (read_at) FROM provenance",
    "store": "SELECT * EXCLUDE (built_at, store_id) FROM emm1_store",
}


def content(store: Path) -> dict[str, Any]:
    """Everything in a store except the times: its catalog, and all rows in order."""
    with duckdb.connect(str(store), read_only=True) as connection:
        catalog: dict[str, Any] = {name: connection.execute(sql).fetchall() for name, sql in CATALOG.items()}
    return catalog | rows_of(store)


def rows_of(store: Path) -> dict[str, Any]:
    """All rows of the tables outside `main`, in order, by ``schema.table``; and the types of their columns."""
    with duckdb.connect(str(store), read_only=True) as connection:
        columns = connection.execute(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE NOT internal AND schema_name <> 'main' ORDER BY schema_name, table_name, column_index"
        ).fetchall()
        rows: dict[str, Any] = {"types": columns}
        for schema, table in {(schema, table) for schema, table, *_ in columns}:
            rows[f"{schema}.{table}"] = connection.execute(f'FROM "{schema}"."{table}"').fetchall()
    return rows
