"""A store in pandas, through SQLAlchemy: prints one JSON object for each step that works."""

import json
from importlib.metadata import version
from typing import Any

import pandas as pd
import sqlalchemy
from sqlalchemy import text

engine = sqlalchemy.create_engine(
    "duckdb:///emm1.duckdb",
    connect_args={
        "read_only": True,
        "config": {"allow_unsigned_extensions": True},
        "preload_extensions": ["'./emm1.duckdb_extension'"],
    },
)


def ask(query: str, **parameters: Any) -> list[list[Any]]:
    frame = pd.read_sql(text(query), engine, params=parameters, dtype_backend="pyarrow")
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


print(json.dumps({"version": pd.__version__, "duckdb": version("duckdb")}))

columns = ask("SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal")
print(json.dumps({"columns": columns}))

for (view,) in ask("SELECT view_name FROM duckdb_views() WHERE NOT internal"):
    print(json.dumps({"view": view, "rows": ask(f'SELECT * FROM "{view}" LIMIT 200')}))

query = text("SELECT * FROM nearest(:name, embedding('text', :id), k := 5)")
found = pd.read_sql(query, engine, params={"name": "image", "id": 7}, dtype_backend="pyarrow")
print(json.dumps({"nearest": found.to_numpy().tolist()}))
