"""Other DuckDB clients, from the oldest that is promised, read in a store what the one that built it reads.

Each file here pins one; ``make test-clients`` installs them, each in a folder of its own in ``.clients``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import emm1
from emm1.extension import load_statement

HERE = Path(__file__).parent
CLIENTS = sorted(path.stem for path in HERE.glob("*.txt"))
INSTALLED = HERE.parents[1] / ".clients"
# What clients list.
CATALOG = [
    "SELECT schema_name, table_name, comment FROM duckdb_tables() ORDER BY ALL",
    "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
    "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal ORDER BY ALL",
    "SELECT type_name, unnest(labels) AS label FROM duckdb_types() WHERE NOT internal ORDER BY ALL",
    "SELECT function_name, comment FROM duckdb_functions() WHERE NOT internal AND database_name = current_database() ORDER BY ALL",
]
PAIR = "triplets_between(['points', 'audio'])"

Rows = list[list[Any]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    emm1.write_sample(folder / "sample", scale=0.0001, embeddings=8)
    with emm1.build(folder / "sample", folder / "emm1.duckdb") as built:
        for name in ("text", "image"):
            file = folder / "sample" / "embeddings" / f"{name}.npy"
            built.add_embeddings(name, file, dataset="100m", modality=name)
    return folder / "emm1.duckdb"


def contents(store: Path) -> list[str]:
    """For every table and view, and the table macro: how many rows, and some of them."""
    with emm1.open(store, read_only=True) as opened:
        names = opened.sql("""
            SELECT '"' || schema_name || '"."' || table_name || '"' FROM duckdb_tables()
            UNION ALL SELECT '"' || schema_name || '"."' || view_name || '"' FROM duckdb_views() WHERE NOT internal
        """).fetchall()
    some = "SELECT COLUMNS(*)::VARCHAR FROM {} ORDER BY ALL LIMIT 2"
    return [sql.format(name) for (name,) in [*names, (PAIR,)] for sql in ("SELECT count(*) FROM {}", some)]


def run(client: str, database: object, statements: list[str]) -> list[Rows]:
    """The rows of each statement that gives some."""
    folder = INSTALLED / client
    if not (folder / "installed").exists():
        pytest.fail(f"{client} is not installed: run `make test-clients`")
    if not any(folder.glob("duckdb*/")):
        pytest.skip(f"{client} has no wheel for this Python")
    if client.startswith("duckdb-cli"):
        return run_cli(folder / "duckdb_cli" / "duckdb", database, statements)
    version, results = run_python(database, statements, {**os.environ, "PYTHONPATH": str(folder)})
    assert client == f"duckdb-{version}"
    return results


def run_python(
    database: object, statements: list[str], environment: dict[str, str] | None = None
) -> tuple[str, list[Rows]]:
    """The version of DuckDB that this environment has, and its rows."""
    command = [sys.executable, str(HERE / "run_sql.py")]
    text = json.dumps([str(database), *statements])
    done = subprocess.run(command, input=text, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    version, results = json.loads(done.stdout)
    return version, [rows for rows in results if rows]


def run_cli(binary: Path, database: object, statements: list[str]) -> list[Rows]:
    read_only = [] if database == ":memory:" else ["-readonly"]
    command = [str(binary), "-init", os.devnull, "-bail", "-json", "-unsigned", *read_only, str(database)]
    done = subprocess.run(command, input=";\n".join(statements) + ";", stdout=subprocess.PIPE, text=True, check=True)
    results, text = [], done.stdout.strip()
    while text:  # an array of objects for each statement
        rows, end = json.JSONDecoder().raw_decode(text)
        results.append([[*row.values()] for row in rows])
        text = text[end:].lstrip()
    return [rows for rows in results if rows]


@pytest.mark.parametrize("client", CLIENTS)
def test_catalog_and_contents(client: str, store: Path) -> None:
    statements = [*CATALOG, *contents(store)]
    _, expected = run_python(store, statements)
    assert len(expected) > len(CATALOG) + 2 * 20
    assert run(client, store, statements) == expected


@pytest.mark.parametrize("client", CLIENTS)
def test_attached_under_another_name(client: str, store: Path) -> None:
    attach = f"ATTACH '{store}' AS other (READ_ONLY)"
    with emm1.open(store, read_only=True) as opened:
        views = opened.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL").fetchall()
    statements = [attach, *(f"SELECT count(*), '{view}' FROM other.\"{view}\"" for (view,) in views)]
    statements += ["USE other", f"SELECT count(*) FROM {PAIR}", "SELECT media_root()"]
    statements += ["SET VARIABLE emm1_root = '/data'", "SELECT media_path('shared', 'image', 'cat.jpg')"]
    _, expected = run_python(":memory:", statements)
    assert all(rows[0][0] for rows in expected)
    assert expected[-1] == [["/data/shared/image/cat.jpg"]]
    assert len(expected) == len(views) + 3
    assert run(client, ":memory:", statements) == expected


@pytest.mark.parametrize("client", CLIENTS)
def test_search_by_name(client: str, store: Path) -> None:
    if client.startswith("duckdb-1.2"):
        pytest.skip("the extension loads in DuckDB 1.3 and later")
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
    _, expected = run_python(store, statements)
    assert len(expected) == len(statements) - 1
    assert run(client, store, statements) == expected
