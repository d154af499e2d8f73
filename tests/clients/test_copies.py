"""The tables of a store in DuckLake and SQLite, by the program that docs/guide/clients.md shows."""

import json
from pathlib import Path

import pytest
from clients import NotAvailableError, python

import emm1

COPIES = python("Copies", "copies", "use_copies.py")


def test_copies(folder: Path, store: emm1.Store, tmp_path: Path) -> None:
    try:
        COPIES.install()
    except NotAvailableError as error:
        pytest.skip(f"{COPIES.label}: not run: {error}")
    (tmp_path / "emm1.duckdb").symlink_to(folder / "emm1.duckdb")
    done = COPIES.run(*COPIES.program, where=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert "unsupported type ENUM" in printed[0]["refused"]  # otherwise the document need not say so any more
    tables = store.sql("SELECT schema_name, table_name, estimated_size FROM duckdb_tables()").fetchall()
    lake = [tuple(line["lake"]) for line in printed if "lake" in line]
    assert sorted(lake) == sorted((schema, table, rows, True) for schema, table, rows in tables)
    assert [line["lite"][2] for line in printed if "lite" in line] == [True, True]
