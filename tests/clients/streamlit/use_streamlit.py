"""A store in a Streamlit app, run by Streamlit's own test: prints one JSON object for each step that works."""

import json
from importlib.metadata import version
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest

APP = Path(__file__).with_name("use_app.py").read_text(encoding="utf-8")


def shown(app: AppTest) -> list[list[object]]:
    assert not app.exception, app.exception
    return app.dataframe[0].value.astype(object).to_numpy().tolist()


def ask(query: str) -> list[list[object]]:
    """The rows of a query, from an app with the same connection."""
    connected = APP[: APP.index("item = ")]
    asked = f"""
from sqlalchemy import text
with store.connect() as connection:
    st.json([[*row] for row in connection.execute(text({query!r}))])
"""
    app = AppTest.from_string(connected + asked).run(timeout=60)
    assert not app.exception, app.exception
    return json.loads(app.json[0].value)


print(json.dumps({"version": st.__version__, "duckdb": version("duckdb")}))

columns = ask("SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal")
print(json.dumps({"columns": columns}))

for [view] in ask("SELECT view_name FROM duckdb_views() WHERE NOT internal"):
    print(json.dumps({"view": view, "rows": ask(f'SELECT * FROM "{view}" LIMIT 200')}))

app = AppTest.from_string(APP).run(timeout=60)
before = shown(app)
app.number_input[0].set_value(3).run(timeout=60)
assert shown(app) != before
print(json.dumps({"nearest": before}))
