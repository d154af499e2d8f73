"""A store in Polars, through a connection of duckdb: prints one JSON object for each step that works."""

import json

import duckdb
import polars as pl

store = duckdb.connect("emm1.duckdb", read_only=True, config={"allow_unsigned_extensions": True})
store.execute("LOAD './emm1.duckdb_extension'")
print(json.dumps({"version": pl.__version__, "duckdb": duckdb.__version__}))

listed = pl.read_database("SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal", store)
print(json.dumps({"columns": listed.rows()}))

for view in pl.read_database("SELECT view_name FROM duckdb_views() WHERE NOT internal", store)["view_name"]:
    rows = pl.read_database(f'SELECT * FROM "{view}" LIMIT 200', store)
    print(json.dumps({"view": view, "rows": rows.rows()}))

query = "SELECT * FROM nearest('image', embedding('text', ?), k := 5)"
found = pl.read_database(query, store, execute_options={"parameters": [7]})
print(json.dumps({"nearest": found.rows()}))
