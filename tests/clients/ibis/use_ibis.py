"""A store in ibis: prints one JSON object for each step that works."""

import json

import ibis

store = ibis.duckdb.connect("emm1.duckdb", read_only=True, allow_unsigned_extensions=True)
print(json.dumps({"version": ibis.__version__, "duckdb": store.version}))

tables = [
    (schema, name, store.table(name, database=schema))
    for schema in ("main", "e_mm1_100m", "e_mm1_1m", "eshot")
    for name in store.list_tables(database=schema)
]
print(json.dumps({"columns": [(schema, name, column) for schema, name, table in tables for column in table.columns]}))

for view in ("groups", "group_captions", "triplets", "assets", "same_files", "eshot_categories"):
    rows = store.table(view).limit(200).to_pyarrow().to_pylist()
    print(json.dumps({"view": view, "rows": rows}))

store.raw_sql("LOAD './emm1.duckdb_extension'")
found = store.sql("SELECT * FROM nearest('image', embedding('text', 7), k := 5)")
print(json.dumps({"nearest": found.to_pyarrow().to_pylist()}))
