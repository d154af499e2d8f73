"""Runs the blocks of a guide in DuckLake. Reads JSON: the blocks and statements. Writes a line of JSON for the rows of each statement."""

import json
import shutil
import sys
from pathlib import Path

import duckdb
import duckdb_extension_ducklake

asked = json.load(sys.stdin)
# INSTALL takes what is there already; without a network it cannot fetch it.
(file,) = Path(duckdb_extension_ducklake.__file__).parent.rglob("ducklake.duckdb_extension")
((platform,),) = duckdb.sql("PRAGMA platform").fetchall()
folder = Path.home() / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / platform
folder.mkdir(parents=True, exist_ok=True)
shutil.copy(file, folder)
names = {}
for _, text in asked["blocks"]:
    exec(text, names)  # noqa: S102 - the guide's own code
print(json.dumps({"version": duckdb.__version__}))
for statement in asked["statements"]:
    rows = names["lake"].sql(statement)
    print(json.dumps({"columns": rows.columns, "rows": rows.fetchall()}, default=str))
