"""A store as Superset asks SQLAlchemy for it: prints one JSON object for each step that works.

Superset makes an engine from a URI and the `engine_params` of its field *Extra*, without a pool, lists schemas, tables,
views and columns with an inspector, and puts a chart's query into a subquery.
"""

import json
from importlib.metadata import version
from pathlib import Path

import sqlalchemy
from sqlalchemy.pool import NullPool

extra = json.loads(Path(__file__).with_name("superset.json").read_text(encoding="utf-8"))
engine = sqlalchemy.create_engine("duckdb:///emm1.duckdb", poolclass=NullPool, **extra["engine_params"])


def ask(query: str) -> list[list[object]]:
    with engine.connect() as connection:
        return [list(row) for row in connection.execute(sqlalchemy.text(query))]


[[duckdb]] = ask("SELECT version()")
print(json.dumps({"version": f"duckdb-engine {version('duckdb-engine')}", "duckdb": duckdb}))

inspector = sqlalchemy.inspect(engine)
columns = [
    (schema.removeprefix("emm1."), table, column["name"])
    for schema in inspector.get_schema_names()
    if schema.startswith("emm1.")
    for table in inspector.get_table_names(schema) + inspector.get_view_names(schema)
    for column in inspector.get_columns(table, schema)
]
print(json.dumps({"columns": columns}))

for view in inspector.get_view_names("emm1.main"):
    print(json.dumps({"view": view, "rows": ask(f'SELECT * FROM (SELECT * FROM "{view}") AS virtual_table LIMIT 200')}))

query = "SELECT * FROM nearest('image', embedding('text', 7), k := 5)"
print(json.dumps({"nearest": ask(f"SELECT * FROM ({query}) AS virtual_table LIMIT 1000")}))
