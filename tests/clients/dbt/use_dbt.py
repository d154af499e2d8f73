"""A store as the sources of a dbt project: prints one JSON object for each step that works."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import duckdb

shutil.copytree(Path(__file__).with_name("project"), ".", dirs_exist_ok=True)


def dbt(*arguments: str) -> None:
    subprocess.run([Path(sys.executable).with_name("dbt"), "--quiet", *arguments], check=True)


dbt("docs", "generate", "--no-compile")
print(json.dumps({"version": version("dbt-duckdb"), "duckdb": duckdb.__version__}))

sources = json.loads(Path("target/catalog.json").read_text(encoding="utf-8"))["sources"].values()
tables = [(source["metadata"]["schema"], source["metadata"]["name"], source["columns"]) for source in sources]
print(json.dumps({"columns": [(schema, table, column) for schema, table, columns in tables for column in columns]}))

dbt("build")
with duckdb.connect("dbt.duckdb", read_only=True) as made:
    for view in ("groups", "group_captions", "triplets", "assets", "same_files", "eshot_categories"):
        print(json.dumps({"view": view, "rows": made.table(f"some_{view}").fetchall()}))
    print(json.dumps({"nearest": made.table("nearest_images").order("rank").fetchall()}))
