"""A store in Python's duckdb, without emm1: prints one JSON object for each step that works."""

import json

import duckdb

connection = duckdb.connect("emm1.duckdb", read_only=True, config={"allow_unsigned_extensions": True})
print(json.dumps({"duckdb": duckdb.__version__}))

listed = connection.execute("SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal")
print(json.dumps({"columns": listed.fetchall()}))

for (view,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
    rows = connection.execute(f'SELECT * FROM "{view}" LIMIT 200').fetchall()
    print(json.dumps({"view": view, "rows": rows}))

connection.execute("LOAD './emm1.duckdb_extension'")
found = connection.execute("SELECT * FROM nearest('image', embedding('text', 7), k := 5)").fetchall()
print(json.dumps({"nearest": found}))
