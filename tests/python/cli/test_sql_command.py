"""The command `emm1 sql`: what may run without --write, and how rows are written. And how SQL is composed in the package."""

import ast
import json
import shutil
from pathlib import Path

import duckdb
import pytest
from system import emm1_cli
from typer.testing import CliRunner

import emm1
from emm1.cli import app

READING = [
    "SELECT 1",
    "FROM emm1_store",
    "SHOW TABLES",
    "SUMMARIZE e_mm1_1m.triplets",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "EXPLAIN SELECT 1",
    "PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)",
    "COPY (SELECT 1 AS a) TO '{folder}/rows.csv'",
    "EXPORT DATABASE '{folder}/all'",
    "CREATE TEMP TABLE t AS SELECT 1; INSERT INTO t VALUES (2); FROM t",
    "CREATE TEMP MACRO twice(x) AS 2 * x; SELECT twice(2)",
    "SET threads = 1; RESET threads",
    "SET VARIABLE emm1_root = '/data'; SELECT media_root()",
    "BEGIN; SELECT 1; COMMIT",
    "PREPARE ask AS SELECT ?; EXECUTE ask(1)",
    "ATTACH ':memory:' AS other (READ_WRITE); CREATE TABLE other.t AS SELECT 1; DETACH other",
    "ATTACH '{folder}/other.duckdb' AS other (READ_WRITE); CREATE TABLE other.t AS SELECT 1",
    "CHECKPOINT",
    "",
]
CHANGING = {
    "INSERT INTO provenance FROM provenance": "INSERT",
    "UPDATE emm1_store SET media_root = '/'": "UPDATE",
    "DELETE FROM provenance": "DELETE",
    "TRUNCATE provenance": "DELETE",
    "MERGE INTO provenance USING (SELECT 1 AS a) ON a = 1 WHEN MATCHED THEN DELETE": "MERGE INTO",
    "CREATE TABLE mine AS SELECT 1": "CREATE",
    "CREATE MACRO twice(x) AS 2 * x": "CREATE",
    "ALTER TABLE provenance ADD COLUMN more INTEGER": "ALTER",
    "COMMENT ON TABLE provenance IS 'mine'": "ALTER",
    "DROP TABLE provenance": "DROP",
    "COPY provenance FROM '{folder}/rows.csv'": "COPY",
    "PREPARE change AS DELETE FROM provenance; EXECUTE change": "EXECUTE",
    "SELECT 1; WITH w AS (SELECT 1) DELETE FROM provenance": "DELETE",
}


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(store_path, tmp_path))


@pytest.mark.parametrize("text", READING)
def test_what_only_reads_is_let_through(text: str, store: Path, tmp_path: Path) -> None:
    before = store.read_bytes()
    assert refusal("sql", store, text.format(folder=tmp_path)) is None
    assert store.read_bytes() == before


@pytest.mark.parametrize("text", CHANGING)
def test_what_would_change_the_store_is_refused_without_write(text: str, store: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b,1,c,1,2025-01-01 00:00:00,0,current,\n")
    before = store.read_bytes()
    expected = f"{CHANGING[text]} would change the store, which is open for reading only: add --write if that is meant"
    assert refusal("sql", store, text.format(folder=tmp_path)) == expected
    assert store.read_bytes() == before
    assert refusal("sql", "--write", store, text.format(folder=tmp_path)) is None


def refusal(*arguments: object) -> str | None:
    """The message of a command that fails; None if it succeeds."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, emm1.StoreError), result.exception
    return None if result.exception is None else str(result.exception)


OVERWRITING = [
    "SET log_query_path = 'emm1.duckdb'",
    "PRAGMA log_query_path='hard.duckdb'",
    "SET log_query_path = concat('emm1', '.duckdb')",
    "SET log_query_path = lower('EMM1.duckdb')",
    "SET log_query_path = $$emm1.duckdb$$",
    "SET GLOBAL log_query_path TO 'file:emm1.duckdb'",
    "SET profiling_output = 'emm1.duckdb'; SET enable_profiling = 'json'",
    "PRAGMA profile_output = 'emm1.duckdb'; PRAGMA enable_profiling = 'json'",
    "CALL enable_logging(storage = 'file', storage_config = {'path': 'emm1.duckdb'})",
    "FROM enable_logging(storage = 'file', storage_config = {'path': 'emm1.duckdb'})",
    "PREPARE p AS COPY (SELECT 1) TO 'emm1.duckdb'; EXECUTE p",
    "PREPARE p AS COPY (SELECT 1) TO $1; EXECUTE p('emm1.duckdb')",
    "COPY (SELECT 1) TO ('emm1' || '.duckdb')",
    "COPY (SELECT 1) TO lower('EMM1.duckdb')",
    "COPY (SELECT 'to ''x''' AS a /* to 'x' */) TO ('emm1' || '.duckdb') (FORMAT csv)",
    "PREPARE p AS COPY (SELECT 1) TO ($1 || '.duckdb'); EXECUTE p('emm1')",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'hard.duckdb'",
    "COPY -- it's a comment\n (SELECT 1) TO 'emm1.duckdb'",
    "COPY (SELECT 1 AS a) TO '.' (FORMAT csv, PER_THREAD_OUTPUT, OVERWRITE true)",
    "COPY (SELECT 1 AS a, 2 AS b) TO '../{folder.name}' (FORMAT csv, PARTITION_BY (a), OVERWRITE true)",
    "ATTACH 'hard.duckdb' AS x (READ_WRITE); CREATE TABLE x.t (i INTEGER)",
]


@pytest.mark.parametrize("text", OVERWRITING)
def test_nothing_is_written_over_the_store(
    text: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hard.duckdb").hardlink_to(store)
    before = store.read_bytes()
    assert refusal("sql", store, f"{text.replace('{folder.name}', tmp_path.name)}; SELECT 1")
    assert store.read_bytes() == before


def test_files_that_are_not_the_store_may_be_written(store: Path, tmp_path: Path) -> None:
    assert refusal("sql", store, f"SET log_query_path = '{tmp_path}/queries.log'; SELECT 1") is None
    assert (tmp_path / "queries.log").read_text(encoding="utf-8")
    options = ["", " (FORMAT csv, HEADER)", " WITH (FORMAT csv)", " (FORMAT csv, DELIMITER ';') -- to be read"]
    for i, option in enumerate(options):
        assert refusal("sql", store, f"COPY (SELECT 1 AS to_, 'it''s' AS b) TO '{tmp_path}/{i}.csv'{option}") is None
    copied = f"ATTACH '{tmp_path}/copied.duckdb' AS copied (READ_WRITE); COPY FROM DATABASE emm1 TO copied (SCHEMA)"
    assert "in quotes" not in str(refusal("sql", store, copied))
    folder = tmp_path / "out"
    folder.mkdir()
    assert (
        refusal("sql", store, f"COPY (SELECT 1 AS a) TO '{folder}' (FORMAT csv, PER_THREAD_OUTPUT, OVERWRITE true)")
        is None
    )
    assert [*folder.iterdir()]


def test_rows_are_those_of_the_statement_whatever_tables_there_are(store: Path) -> None:
    table = "CREATE TEMP TABLE emm1_rows_to_write AS SELECT 42 AS a"
    assert emm1_cli("sql", store, f"{table}; SELECT 1 AS b").stdout == "b\n1\n"


def test_settings_by_which_no_rows_can_be_written_are_named(store: Path) -> None:
    message = refusal("sql", store, "SET enable_external_access = false; SELECT 1")
    assert message
    assert "enable_external_access" in message


def test_exit_status_and_message(store: Path) -> None:
    done = emm1_cli("sql", store, "DROP TABLE provenance")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("emm1: DROP would change the store")


def test_candidates_are_indented(store: Path) -> None:
    """DuckDB lists what a macro takes after a tab."""
    done = emm1_cli("sql", store, "FROM groups_of()")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Candidate macros:\n    groups_of(captions)" in done.stderr


def test_ways_around_are_closed(store: Path, tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    before = store.read_bytes()
    again = f"ATTACH '{tmp_path}/other.duckdb' AS other; USE other; DETACH emm1; ATTACH '{store}' AS s (READ_WRITE); DROP TABLE s.provenance"
    for arguments, message in (
        ([again], "nothing is left to ask after DETACH"),
        ([f"ATTACH '{store}' AS s (READ_WRITE)"], "already attached"),
        ([f"COPY (SELECT 1) TO '{store}'"], "is the store itself"),
        (
            [f"SELECT 1; COPY emm1_store TO '{tmp_path}/../{tmp_path.name}/emm1.duckdb' (FORMAT parquet)"],
            "is the store itself",
        ),
        (["SELECT 1", "--format", "csv", "--output", store], "is the store itself"),
        (["--write", f"COPY (SELECT 1) TO '{store}'"], "is the store itself"),
        ([f"COPY (SELECT 1) TO '{tmp_path}/other.duckdb'"], "is a DuckDB database"),
        (["SELECT 1", "--format", "csv", "--output", tmp_path / "other.duckdb"], "is a DuckDB database"),
        (
            [f"ATTACH '{tmp_path}/other.duckdb' AS other; CREATE TABLE other.t AS SELECT 1"],
            "change the database 'other'",
        ),
        (["ATTACH ':memory:' AS other"], "attach it with (READ_WRITE)"),
        (["UPDATE EXTENSIONS"], "cannot run this statement: UPDATE EXTENSIONS"),
        (["SELECT error('the first'); SELECT 1"], "the first"),
        (["SELECT ("], "syntax error"),
        (["SELECT $a"], "Values were not provided"),
    ):
        assert message in str(refusal("sql", store, *arguments)), arguments
    assert store.read_bytes() == before


def test_rows_of_statements_that_are_no_queries(store: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    for text, expected in (
        ("PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)", "1\n2\n"),
        ("SHOW TABLES FROM eshot", "name\naudio\ncategories\npoints\n"),
        ("SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal", "view_name\n"),
    ):
        assert refusal("sql", store, text, "--format", "csv", "--output", output) is None
        assert output.read_text() == expected


def test_rows_are_written_in_every_form(store: Path, tmp_path: Path) -> None:
    text = "CREATE TEMP TABLE rows AS SELECT 'not these'; SELECT 1 AS a, 'x,y' AS b UNION ALL SELECT 2, NULL ORDER BY a"
    rows = [{"a": 1, "b": "x,y"}, {"a": 2, "b": None}]
    output = tmp_path / "output"

    def written(form: str) -> str:
        assert refusal("sql", store, text, "--format", form, "--output", output) is None
        if form != "parquet":
            assert emm1_cli("sql", store, text, "--format", form).stdout == output.read_text()
        return output.read_text(errors="replace")

    assert written("csv") == 'a,b\n1,"x,y"\n2,\n'
    assert json.loads(written("json")) == rows
    assert [json.loads(line) for line in written("jsonl").splitlines()] == rows
    assert "x,y" in written("table")
    written("parquet")
    assert duckdb.read_parquet(str(output)).fetchall() == [(1, "x,y"), (2, None)]


def test_no_sql_is_pasted_together() -> None:
    """All SQL is constant or composed with sqlglot; it is never text with inserted values."""
    found = []
    for path in Path(emm1.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr | ast.BinOp) and looks_like_sql(node):
                found.append(f"{path.name}:{node.lineno}")
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in (
                "execute",
                "executemany",
                "sql",
                "query",
            ):
                pasted = [a for a in node.args if isinstance(a, ast.JoinedStr | ast.BinOp) or is_format(a)]
                found += [f"{path.name}:{a.lineno}" for a in pasted]
    assert found == []


def looks_like_sql(node: ast.AST) -> bool:
    texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return bool(texts) and texts[0].startswith(
        ("SELECT ", "INSERT ", "ATTACH ", "DETACH ", "COPY ", "SET ", "CREATE ", "LOAD ")
    )


def is_format(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("format", "join", "replace")
