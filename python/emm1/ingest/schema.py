"""The schema of a new store: tables before the rows are loaded; ENUMs, macros and views afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
from sqlglot import exp

from emm1.dataset import MODALITIES, MODALITIES_OF, SCHEMAS
from emm1.ingest.enums import PUBLISHED, make_enums
from emm1.store.climbing import ClimbingNames, climbing_names
from emm1.store.database import SCHEMA_VERSION, STORAGE_VERSION, connect
from emm1.store.extension import load_extension

SQL = files("emm1") / "sql"
# Runs once for each split that has all modalities.
INFOS = "2_infos.sql"


def fresh(file: Path, folder: Path, settings: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """A new database with the tables of a store; the columns of `emm1.ingest.enums.ENUMS` are still text.

    Args:
        file: the file to create.
        folder: for DuckDB's temporary files.
        settings: DuckDB settings; half of the memory limit is left for rows in transit, the allocator and libraries.
    """
    connection = connect(
        file,
        called="the new store",
        storage_compatibility_version=STORAGE_VERSION,
        temp_directory=str(folder / "spill"),
        **settings,
    )
    (limit,) = connection.execute("SELECT current_setting('memory_limit')").fetchall()[0]
    size, unit = limit.split()
    connection.execute("SET memory_limit = ?", [f"{float(size) / 2} {unit}"])
    _make_tables(connection)
    connection.execute((SQL / "build" / "macros.sql").read_text(encoding="utf-8"))
    return connection


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    store_id = uuid4().hex
    connection.begin()  # one wait for the disk
    for file in _in_order("schema"):
        if file.name != INFOS:
            _run(connection, file, store_id)
            continue
        for split, schema in SCHEMAS.items():
            if MODALITIES_OF[split] == MODALITIES:
                connection.execute(
                    exp.Create(kind="SCHEMA", this=exp.Table(db=exp.to_identifier(schema))).sql("duckdb")
                )
                connection.execute("SET schema = ?", [schema])
                _run(connection, file, store_id)
        connection.execute("SET schema = 'main'")
    connection.commit()


def declared_columns(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], dict[str, str]]:
    """The type of each column of each table, by schema and table."""
    declared: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, kind in connection.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = current_database()"
    ).fetchall():
        declared.setdefault((schema, table), {})[column] = kind
    return declared


def add_columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str, names: Iterable[str]) -> None:
    """Add columns that emm1 does not know to a table, unless it has them."""
    of_table = exp.table_(table, db=schema)
    for name in names:
        identifier = exp.to_identifier(name, quoted=True)
        column = exp.ColumnDef(this=identifier, kind=exp.DataType.build("VARCHAR"), exists=True)
        connection.execute(exp.Alter(this=of_table, kind="TABLE", actions=[column]).sql("duckdb"))
        described = exp.column(identifier, table=table, db=schema)
        text = exp.Literal.string(PUBLISHED)
        connection.execute(exp.Comment(this=described, kind="COLUMN", expression=text).sql("duckdb"))


def finish(connection: duckdb.DuckDBPyConnection, media_root: str) -> list[ClimbingNames]:
    """Create everything that needs all the rows: the ENUMs that do not exist yet, macros and views.

    Returns:
        The file names that lead out of their folders.
    """
    load_extension(connection)  # the macros of search call its functions
    make_enums(connection)
    connection.execute(
        "INSERT INTO emm1_store VALUES (?, ?, ?, ?)",
        [SCHEMA_VERSION, version("emm1"), datetime.now(UTC).replace(tzinfo=None), media_root],
    )
    ((store_id,),) = connection.table("emm1_store").select("store_id").fetchall()
    connection.begin()
    for file in [*_in_order("macros"), *_in_order("views")]:
        _run(connection, file, store_id)
    connection.commit()
    climbing = climbing_names(connection)
    if climbing:
        connection.execute((SQL / "build" / "climbing_names.sql").read_text(encoding="utf-8"))
    connection.execute("CHECKPOINT")
    return climbing


def _in_order(folder: str) -> list[Traversable]:
    """The SQL files of a folder, sorted by name; names begin with a number if the order matters."""
    return sorted((file for file in (SQL / folder).iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)


def _run(connection: duckdb.DuckDBPyConnection, file: Traversable, store_id: str) -> None:
    """Run the statements of a file of the schema, for the store of this id."""
    connection.execute(_of_store(file.read_text(encoding="utf-8"), store_id))


def _of_store(statements: str, store_id: str) -> str:
    """Statements of the schema with the store's id as a literal: DuckDB folds only literals away."""
    return statements.replace("'STORE ID'", exp.Literal.string(store_id).sql("duckdb"))
