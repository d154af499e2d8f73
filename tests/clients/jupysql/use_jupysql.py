"""A store in JupySQL, with IPython as a notebook runs it: prints one JSON object for each step that works."""

import json
from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()


def run(cell: str) -> object:
    with redirect_stdout(StringIO()):
        done = shell.run_cell(cell)
    done.raise_error()
    return done.result


def ask(query: str) -> list[list[object]]:
    return [list(row) for row in run(f"%%sql\n{query}")]


for cell in Path(__file__).with_name("notebook.ipy").read_text(encoding="utf-8").split("# %%\n")[1:]:
    run(cell)
print(json.dumps({"version": version("jupysql"), "duckdb": version("duckdb")}))

columns = ask("SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal")
print(json.dumps({"columns": columns}))

for [view] in ask("SELECT view_name FROM duckdb_views() WHERE NOT internal"):
    print(json.dumps({"view": view, "rows": ask(f'SELECT * FROM "{view}" LIMIT 200')}))

print(json.dumps({"nearest": [list(row) for row in run("found")]}))
run("%sql --close emm1")  # otherwise JupySQL prints a line at the end
