"""Other versions of DuckDB, from the oldest that is supported, read the same from a store as the version that built it."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from clients import CLI, PYTHONS, SOURCES, Client, NotAvailableError

import emm1
from emm1.store.extension import load_statement

# The parts of the catalog that clients list.
CATALOG = [
    "SELECT schema_name, table_name, comment FROM duckdb_tables() ORDER BY ALL",
    "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
    "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal ORDER BY ALL",
    "SELECT type_name, unnest(labels) AS label FROM duckdb_types() WHERE NOT internal ORDER BY ALL",
    "SELECT function_name, comment FROM duckdb_functions() WHERE NOT internal AND database_name = current_database() ORDER BY ALL",
]
TABLE_MACROS = ("triplets_between(['points', 'audio'])", "groups_of([7, 5])")
STORE = "emm1.duckdb"
VERSIONS = [*PYTHONS, CLI]

Rows = list[list[Any]]


def contents(store: emm1.Store) -> list[str]:
    """Statements for the number of rows, and some rows, of every table, view and table macro."""
    names = store.sql("""
        SELECT '"' || schema_name || '"."' || table_name || '"' FROM duckdb_tables()
        UNION ALL SELECT '"' || schema_name || '"."' || view_name || '"' FROM duckdb_views() WHERE NOT internal
    """).fetchall()
    some = "SELECT COLUMNS(*)::VARCHAR FROM {} ORDER BY ALL LIMIT 2"
    return [
        sql.format(name)
        for name in [*(name for (name,) in names), *TABLE_MACROS]
        for sql in ("SELECT count(*) FROM {}", some)
    ]


def run(client: Client, folder: Path, database: str, statements: list[str]) -> list[Rows]:
    """The rows of each statement that returns any."""
    try:
        client.install()
    except NotAvailableError as error:
        pytest.skip(f"{client.label}: not run: {error}")
    if client is CLI:
        return run_cli(folder, database, statements)
    text = json.dumps([database, *statements])
    done = client.run("HERE/env/bin/python", "HERE/run_sql.py", where=folder, text=text)
    return some(json.loads(done.stdout))


@cache
def reference(folder: Path, database: str, *statements: str) -> list[Rows]:
    """The rows from the version of DuckDB that built the store, in a process without emm1."""
    command = [sys.executable, str(SOURCES / "python" / "run_sql.py")]
    text = json.dumps([database, *statements])
    done = subprocess.run(command, cwd=folder, input=text, stdout=subprocess.PIPE, text=True, check=True)
    return some(json.loads(done.stdout))


def run_cli(folder: Path, database: str, statements: list[str]) -> list[Rows]:
    read_only = [] if database == ":memory:" else ["-readonly"]
    command = ["duckdb", "-init", os.devnull, "-bail", "-json", "-unsigned", *read_only, database]
    done = CLI.run("env", *command, where=folder, text=";\n".join(statements) + ";")
    results, text = [], done.stdout.strip()
    while text:  # one array of objects per statement
        rows, end = json.JSONDecoder().raw_decode(text)
        results.append([[*row.values()] for row in rows])
        text = text[end:].lstrip()
    return some(results)


def some(results: list[Rows]) -> list[Rows]:
    return [rows for rows in results if rows]


@pytest.mark.parametrize("client", VERSIONS, ids=lambda client: client.label)
def test_catalog_and_contents(client: Client, folder: Path, store: emm1.Store) -> None:
    statements = [*CATALOG, *contents(store)]
    expected = reference(folder, STORE, *statements)
    assert len(expected) > len(CATALOG) + 2 * 20
    assert run(client, folder, STORE, statements) == expected


@pytest.mark.parametrize("client", VERSIONS, ids=lambda client: client.label)
def test_attached_under_another_name(client: Client, folder: Path, store: emm1.Store) -> None:
    attach = f"ATTACH '{STORE}' AS other (READ_ONLY)"
    views = store.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL").fetchall()
    statements = [attach, *(f"SELECT count(*), '{view}' FROM other.\"{view}\"" for (view,) in views)]
    statements += ["USE other", *(f"SELECT count(*) FROM {macro}" for macro in TABLE_MACROS), "SELECT media_root()"]
    statements += ["SET VARIABLE emm1_root = '/data'", "SELECT media_path('shared', 'image', 'cat.jpg')"]
    expected = reference(folder, ":memory:", *statements)
    assert all(rows[0][0] for rows in expected)
    assert expected[-1] == [["/data/shared/image/cat.jpg"]]
    assert len(expected) == len(views) + len(TABLE_MACROS) + 2
    assert run(client, folder, ":memory:", statements) == expected


@pytest.mark.parametrize(
    "client", VERSIONS[1:], ids=lambda client: client.label
)  # DuckDB 1.2 cannot load the extension
def test_search_by_name(client: Client, folder: Path) -> None:
    statements = [
        load_statement(),
        "SELECT * FROM nearest('image', embedding('text', 7), k := 5)",
        "SELECT count(*), sum(score) FROM knn('text', 'image', k := 3)",
        "SELECT * FROM within('image', embedding('image', 3), 0.5) ORDER BY ALL",
        """
            SELECT t.encord_text_id, n.id, similarity('text', t.encord_text_id, 'image', n.id)
            FROM e_mm1_100m.text t, LATERAL (FROM nearest('image', embedding('text', t.encord_text_id), k := 2)) n
            WHERE t.encord_text_id < 50 ORDER BY ALL
        """,
    ]
    expected = reference(folder, STORE, *statements)
    assert len(expected) == len(statements) - 1
    assert run(client, folder, STORE, statements) == expected
