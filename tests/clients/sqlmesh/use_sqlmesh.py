"""The views of a store in SQLMesh, as sources of models: prints one JSON object for each step that works."""

import json
import os
import shutil
from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path

os.environ["SQLMESH__DISABLE_ANONYMIZED_ANALYTICS"] = "true"
from sqlmesh import Context

project = Path("sqlmesh-project")
shutil.copytree(Path(__file__).with_name("project"), project, dirs_exist_ok=True)
with redirect_stdout(StringIO()):
    context = Context(paths=[project])
    context.plan(auto_apply=True, no_prompts=True)
adapter = context.engine_adapter
print(json.dumps({"version": version("sqlmesh"), "duckdb": version("duckdb")}))

schemas = ("main", "e_mm1_100m", "e_mm1_1m", "eshot")
columns = [
    (schema, found.name, column)
    for schema in schemas
    for found in adapter.get_data_objects(f"emm1.{schema}")
    for column in adapter.columns(f'emm1.{schema}."{found.name}"')
]
print(json.dumps({"columns": columns}))

for view in ("groups", "group_captions", "triplets", "assets", "same_files", "eshot_categories"):
    rows = adapter.fetchall(f"SELECT * FROM mesh.mesh.some_{view}")
    print(json.dumps({"view": view, "rows": rows}))
