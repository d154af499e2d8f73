"""A store through ADBC, with the driver that is part of duckdb: prints one JSON object for each step that works."""

import json
from importlib.metadata import version

import adbc_driver_duckdb
import adbc_driver_manager.dbapi

settings = {"path": "emm1.duckdb", "access_mode": "READ_ONLY", "allow_unsigned_extensions": "true"}
with adbc_driver_manager.dbapi.connect(
    driver=adbc_driver_duckdb.driver_path(), entrypoint="duckdb_adbc_init", db_kwargs=settings, autocommit=True
) as store:
    print(json.dumps({"version": version("adbc-driver-manager"), "duckdb": store.adbc_get_info()["vendor_version"]}))

    columns = [
        (schema["db_schema_name"], table["table_name"], column["column_name"])
        for catalog in store.adbc_get_objects(depth="columns", catalog_filter="emm1").read_all().to_pylist()
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
        for column in table["table_columns"]
    ]
    print(json.dumps({"columns": columns}))

    cursor = store.cursor()
    cursor.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal")
    for (view,) in cursor.fetchall():
        cursor.execute(f'SELECT * FROM "{view}" LIMIT 200')
        print(json.dumps({"view": view, "rows": cursor.fetchall()}))

    cursor.execute("LOAD './emm1.duckdb_extension'")
    cursor.execute("SELECT * FROM nearest('image', embedding('text', ?), k := 5)", [7])
    found = cursor.fetch_arrow_table()
    print(json.dumps({"nearest": [[*row.values()] for row in found.to_pylist()]}))
    cursor.close()
