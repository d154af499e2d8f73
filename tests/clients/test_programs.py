"""Every client opens a store that has another reader, lists its tables and columns, reads its views and searches.

docs/guide/clients.md has the results of each client, and its code is taken from the programs in the folders here.
"""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients import CLI, CLIENTS, JAVA, JDBC, NODE, PYTHONS, SOURCES, Client, NotAvailableError
from matrix import BLOCK, DOCUMENT, Matrix

import emm1

NEAREST = "SELECT * FROM nearest('image', embedding('text', 7), k := 5)"
REMARKS = """
    SELECT schema_name, table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal
    UNION ALL SELECT schema_name, table_name, NULL, comment FROM duckdb_tables()
    UNION ALL SELECT schema_name, view_name, NULL, comment FROM duckdb_views() WHERE NOT internal
"""
LINK = re.compile(r"\((?:\.\./)+tests/clients/([^)]+)\)")


def install(client: Client, matrix: Matrix) -> None:
    try:
        client.install()
    except NotAvailableError as error:
        if matrix.write:
            matrix.agree(client, "", "", *["not run"] * 4)
        pytest.skip(f"{client.label}: not run: {error}")


def as_text(rows: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Rows, given as lists or objects, with their values as text."""
    values = [row.values() if isinstance(row, dict) else row for row in rows]
    return [tuple(None if value is None else str(value) for value in row) for row in values]


def check_neighbours(found: Iterable[Any], store: emm1.Store) -> None:
    """Check ranks, ids and scores, to the last bit: clients print a float with enough digits, or as a double."""
    rows = [(int(rank), int(item), np.float32(score)) for rank, item, score in as_text(found)]
    expected = store.sql(NEAREST).fetchall()
    assert len(expected) == 5
    assert rows == [(rank, item, np.float32(score)) for rank, item, score in expected]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.label)
def test_program(client: Client, folder: Path, store: emm1.Store, matrix: Matrix) -> None:
    install(client, matrix)
    seen, complaints = client.see(folder)
    if "columns" in seen:
        columns = "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal"
        assert Counter(as_text(seen["columns"])) == Counter(store.sql(columns).fetchall())
    if "remarks" in seen:
        assert Counter(as_text(seen["remarks"])) == Counter(store.sql(REMARKS).fetchall())
    if "views" in seen:
        names = store.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        assert {(name,) for name in seen["views"]} == {*names}
        for name, rows in seen["views"].items():
            everything = as_text(store.connection.table(name).fetchall())
            assert len(rows) == min(200, len(everything))
            assert not Counter(as_text(rows)) - Counter(everything)
    if "nearest" in seen:
        check_neighbours(seen["nearest"], store)
    can = ["yes" if step in seen else "no" for step in ("duckdb", "columns", "views", "nearest")]
    matrix.agree(client, seen.get("version", ""), seen.get("duckdb", "").removeprefix("v"), *can, complaints=complaints)


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("no-such-runtime", "install"), "there is no no-such-runtime"),
        ((sys.executable, "-c", "exit('no such package')"), "no such package"),
    ],
)
def test_a_client_that_is_not_available_is_named(command: tuple[str, ...], named: str) -> None:
    client = Client("absent", "absent", "cli", (command,), ())
    try:
        with pytest.raises(NotAvailableError, match=named):
            client.install()
    finally:
        shutil.rmtree(client.folder)


def test_the_matrix_names_every_client(matrix: Matrix) -> None:
    assert {*matrix.lines} == {client.label for client in CLIENTS}


def test_the_documented_code_is_what_runs() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = [*BLOCK.finditer(text)]
    for before, block in pairwise(blocks):
        *_, file = LINK.findall(text[before.end() : block.start()])
        lines = iter([line.strip() for line in (SOURCES / file).read_text(encoding="utf-8").splitlines()])
        for line in block[2].splitlines():
            assert line.strip() in lines, f"{file} has no such line, or not in this order: {line.strip()}"


@pytest.fixture(scope="module")
def printed() -> dict[str, list[str]]:
    """What `emm1 extension` prints for each client, by the first word of its paragraph."""
    command = [sys.executable, "-m", "emm1", "extension"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    parts = [part.splitlines() for part in done.stdout.split("\n\n")]
    return {title.split()[0]: [line.strip() for line in lines] for title, *lines in parts}


def test_printed_for_the_cli(printed: dict[str, list[str]], folder: Path, store: emm1.Store, matrix: Matrix) -> None:
    install(CLI, matrix)
    [line] = printed["DuckDB"]
    done = CLI.run("sh", "-c", f'{line} -json -c "{NEAREST}"', where=folder)
    check_neighbours(json.loads(done.stdout), store)


def test_printed_for_python(printed: dict[str, list[str]], folder: Path, store: emm1.Store, matrix: Matrix) -> None:
    install(PYTHONS[-1], matrix)
    lines = ["import duckdb, json", *printed["Python"], f'print(json.dumps(connection.sql("{NEAREST}").fetchall()))']
    done = PYTHONS[-1].run("HERE/env/bin/python", "-c", "\n".join(lines), where=folder)
    check_neighbours(json.loads(done.stdout), store)


def test_printed_for_jdbc(printed: dict[str, list[str]], folder: Path, store: emm1.Store, matrix: Matrix) -> None:
    install(JDBC, matrix)
    done = JDBC.run(*JAVA, "Run", *printed["JDBC"], NEAREST, where=folder)
    check_neighbours(json.loads(done.stdout)["rows"], store)


def test_printed_for_node(printed: dict[str, list[str]], folder: Path, store: emm1.Store, matrix: Matrix) -> None:
    install(NODE, matrix)
    script = NODE.folder / "printed.mjs"
    first = 'import { DuckDBInstance } from "@duckdb/node-api";'
    last = f'console.log(JSON.stringify((await connection.runAndReadAll("{NEAREST}")).getRowsJson()));'
    script.write_text("\n".join([first, *printed["Node.js"], last]), encoding="utf-8")
    done = NODE.run("node", str(script), where=folder)
    check_neighbours(json.loads(done.stdout), store)
