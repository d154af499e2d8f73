"""The tables of a store, copied to DuckLake and SQLite: prints what was copied, and what is refused.

The extensions of DuckDB come from Python packages here; elsewhere `INSTALL ducklake` fetches them.
"""

import json
from importlib.resources import files

import duckdb

connection = duckdb.connect()
for name in ("ducklake", "sqlite_scanner"):
    package = files(f"duckdb_extension_{name}")
    connection.execute(f"LOAD '{package / 'extensions' / f'v{duckdb.__version__}' / f'{name}.duckdb_extension'}'")

connection.execute("ATTACH 'emm1.duckdb' AS emm1 (READ_ONLY)")
connection.execute("ATTACH 'ducklake:lake.ducklake' AS lake (DATA_PATH 'lake.files/')")
try:
    connection.execute("CREATE TABLE lake.triplets AS FROM emm1.e_mm1_1m.triplets")
except duckdb.Error as error:
    print(json.dumps({"refused": str(error).splitlines()[0]}))
connection.execute("""
    CREATE TABLE lake.triplets AS
    SELECT * REPLACE (paired_modality::VARCHAR AS paired_modality, annotated_modality::VARCHAR AS annotated_modality)
    FROM emm1.e_mm1_1m.triplets
""")

tables = connection.execute("""
    SELECT schema_name, table_name,
        string_agg(format('"{}"{}', column_name, if(starts_with(data_type, 'ENUM'), '::VARCHAR', '')), ', ' ORDER BY column_index)
    FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (database_name, schema_name, table_name)
    WHERE database_name = 'emm1' GROUP BY ALL
""").fetchall()
for schema, table, columns in tables:
    connection.execute(f'CREATE SCHEMA IF NOT EXISTS lake."{schema}"')
    connection.execute(f'CREATE TABLE lake."{schema}"."{table}" AS SELECT {columns} FROM emm1."{schema}"."{table}"')

for schema, table, _ in tables:
    copied = connection.execute(f'SELECT COLUMNS(*)::VARCHAR FROM lake."{schema}"."{table}" ORDER BY ALL').fetchall()
    original = connection.execute(f'SELECT COLUMNS(*)::VARCHAR FROM emm1."{schema}"."{table}" ORDER BY ALL').fetchall()
    print(json.dumps({"lake": [schema, table, len(copied), copied == original]}))

connection.execute("ATTACH 'store.sqlite' AS lite (TYPE sqlite)")
connection.execute("CREATE TABLE lite.image AS FROM emm1.e_mm1_100m.image")
connection.execute("CREATE TABLE lite.triplets AS FROM emm1.triplets")
for table, source in (("image", "e_mm1_100m.image"), ("triplets", "triplets")):
    copied = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM lite.{table} ORDER BY ALL").fetchall()
    original = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM emm1.{source} ORDER BY ALL").fetchall()
    print(json.dumps({"lite": [table, len(copied), copied == original]}))
