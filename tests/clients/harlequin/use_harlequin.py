"""A store in Harlequin, through its command line and catalogue: prints one JSON object for each step that works."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from harlequin_duckdb import DuckDbAdapter

HSQL = Path(sys.executable).with_name("hsql")
SCRIPT = Path(__file__).with_name("load_emm1.sql")
OPTIONS = ["--read-only", "--allow-unsigned-extensions", "--init-path", SCRIPT, "--no-write-history", "--json"]


def ask(query: str) -> list[dict[str, object]]:
    return json.loads(subprocess.check_output([HSQL, *OPTIONS, "emm1.duckdb", "--command", query]))


[row] = ask("SELECT version() AS duckdb")
print(json.dumps({"version": version("harlequin"), **row}))

[database] = DuckDbAdapter(["emm1.duckdb"], read_only=True, no_init=True).connect().get_catalog().items
columns = [
    (schema.label, table.label, column.label)
    for schema in database.fetch_children()
    for table in schema.fetch_children()
    for column in table.fetch_children()
]
print(json.dumps({"columns": columns}))

for view in ("groups", "group_captions", "triplets", "assets", "same_files", "eshot_categories"):
    print(json.dumps({"view": view, "rows": ask(f'SELECT * FROM "{view}" LIMIT 200')}))

print(json.dumps({"nearest": ask("SELECT * FROM nearest('image', embedding('text', 7), k := 5)")}))
