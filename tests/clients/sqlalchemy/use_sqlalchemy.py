"""A store in SQLAlchemy: prints one JSON object for each step that works."""

import json
from importlib.metadata import version
from typing import Any

import sqlalchemy
from sqlalchemy import text

engine = sqlalchemy.create_engine(
    "duckdb:///emm1.duckdb", connect_args={"read_only": True, "config": {"allow_unsigned_extensions": True}}
)


@sqlalchemy.event.listens_for(engine, "connect")  # before a transaction begins
def load_emm1(connection: Any, _: object) -> None:
    connection.execute("LOAD './emm1.duckdb_extension'")


with engine.connect() as connection:
    (duckdb,) = connection.execute(text("SELECT version()")).one()
    print(
        json.dumps({"version": f"{version('duckdb-engine')} (SQLAlchemy {sqlalchemy.__version__})", "duckdb": duckdb})
    )

    inspector = sqlalchemy.inspect(engine)
    columns = [
        (schema, table, column["name"])
        for schema in ("main", "e_mm1_100m", "e_mm1_1m", "eshot")
        for table in inspector.get_table_names(schema) + inspector.get_view_names(schema)
        for column in inspector.get_columns(table, schema)
    ]
    print(json.dumps({"columns": columns}))

    for view in inspector.get_view_names("main"):
        rows = connection.execute(text(f'SELECT * FROM "{view}" LIMIT 200'))
        print(json.dumps({"view": view, "rows": [list(row) for row in rows]}))

    query = text("SELECT * FROM nearest(:name, embedding('text', :id), k := 5)")
    found = connection.execute(query, {"name": "image", "id": 7}).all()
    print(json.dumps({"nearest": [list(row) for row in found]}))
