"""A store in a marimo notebook, run as a script: prints one JSON object for each step that works."""

import marimo

app = marimo.App()


@app.cell
def _():
    import duckdb
    import marimo as mo

    store = duckdb.connect("emm1.duckdb", read_only=True, config={"allow_unsigned_extensions": True})
    store.execute("LOAD './emm1.duckdb_extension'")
    return duckdb, mo, store


@app.cell
def _(duckdb, mo):
    import json

    print(json.dumps({"version": mo.__version__, "duckdb": duckdb.__version__}))
    return (json,)


@app.cell
def _(json, store):
    # The content of the panel of data sources.
    from marimo._sql.engines.duckdb import DuckDBEngine

    engine = DuckDBEngine(store, "store")
    databases = engine.get_databases(include_schemas=True, include_tables=True, include_table_details=True)
    columns = [
        (schema.name, table.name, column.name)
        for database in databases
        for schema in database.schemas
        for table in schema.tables
        for column in table.columns
    ]
    print(json.dumps({"columns": columns}))


@app.cell
def _(json, mo, store):
    for view in ("groups", "group_captions", "triplets", "assets", "same_files", "eshot_categories"):
        rows = mo.sql(f'SELECT * FROM "{view}" LIMIT 200', engine=store, output=False)
        print(json.dumps({"view": view, "rows": rows.to_dicts()}))


@app.cell
def _(mo, store):
    found = mo.sql("SELECT * FROM nearest('image', embedding('text', 7), k := 5)", engine=store)
    return (found,)


@app.cell
def _(found, json):
    print(json.dumps({"nearest": found.to_dicts()}))


if __name__ == "__main__":
    app.run()
