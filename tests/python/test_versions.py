"""Stores of an older and a newer emm1: a clear message, and the way on."""

import shutil
from pathlib import Path

import duckdb
import pytest
from sqlglot import exp
from store_content import content
from system import emm1_cli

import emm1
from emm1.building.tables import PUBLISHED
from emm1.files import SCHEMA_VERSION


def execute(store: Path, *statements: str) -> None:
    with duckdb.connect(str(store)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def older(store_path: Path, tree: Path, tmp_path: Path) -> Path:
    """A store of the version before, whose views, macros, comments and types are not this version's."""
    store = Path(shutil.copy(store_path, tmp_path / "older.duckdb"))
    with emm1.open(store) as opened:
        opened.add_embeddings("text", tree / "embeddings/text.npy", dataset="100m", modality="text")
    execute(
        store,
        f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION - 1}",
        "DROP VIEW assets",
        "DROP MACRO TABLE nearest",
        "CREATE OR REPLACE VIEW triplets AS SELECT 1 AS another",
        "COMMENT ON VIEW triplets IS 'Another'",
        "CREATE MACRO rooted_path(a) AS a",
        "COMMENT ON TABLE e_mm1_100m.text IS 'Another'",
        "ALTER TABLE e_mm1_100m.image ALTER save_folder SET DATA TYPE VARCHAR",
    )
    return store


def test_an_older_store_is_refused_with_the_way_on(older: Path, tree: Path) -> None:
    before = older.read_bytes()
    for command in (["info", older], ["sql", older, "SELECT 1"], ["build", tree, older]):
        done = emm1_cli(*command)
        assert (done.returncode, f"emm1 upgrade {older}" in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr
    with pytest.raises(emm1.StoreError, match="older emm1"):
        emm1.open(older)
    assert older.read_bytes() == before


def test_upgrade(older: Path, store_path: Path, tmp_path: Path) -> None:
    expected = content(store_path)
    for text in (f"schema version {SCHEMA_VERSION - 1} became {SCHEMA_VERSION}", "is up to date"):
        done = emm1_cli("upgrade", older)
        assert (done.returncode, text in done.stdout) == (0, True), done
        assert content(older) == expected
    with emm1.open(older) as store:
        assert store.sql("SELECT id FROM nearest('text', embedding('text', 7), k := 1)").fetchall() == [(7,)]
    assert [path.name for path in tmp_path.iterdir()] == ["older.duckdb"]


def test_upgrade_keeps_columns_that_are_not_known(older: Path) -> None:
    execute(
        older,
        'ALTER TABLE e_mm1_1m.text ADD COLUMN "Some note" VARCHAR',
        'COMMENT ON COLUMN e_mm1_1m.text."Some note" IS ' + exp.Literal.string(PUBLISHED).sql("duckdb"),
        "UPDATE e_mm1_1m.text SET \"Some note\" = 'x'",
    )
    assert emm1_cli("upgrade", older).returncode == 0
    with emm1.open(older) as store:
        assert store.sql('SELECT DISTINCT "Some note" FROM e_mm1_1m.text').fetchall() == [("x",)]


def test_an_older_store_that_lacks_a_column_must_be_built_again(older: Path, store_path: Path, tree: Path) -> None:
    execute(older, "ALTER TABLE e_mm1_1m.text DROP COLUMN caption")
    before = older.read_bytes()
    done = emm1_cli("upgrade", older)
    assert done.returncode == 1
    assert "e_mm1_1m.text has no column caption" in done.stderr
    assert older.read_bytes() == before
    assert emm1_cli("build", tree, older, "--force").returncode == 0
    assert content(older) == content(store_path)


def test_a_newer_store_is_refused_and_left_alone(store_path: Path, tree: Path, tmp_path: Path) -> None:
    newer = Path(shutil.copy(store_path, tmp_path / "newer.duckdb"))
    execute(newer, f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION + 1}")
    before = newer.read_bytes()
    for command in (["info", newer], ["upgrade", newer], ["build", tree, newer], ["build", tree, newer, "--force"]):
        done = emm1_cli(*command)
        assert (done.returncode, "newer emm1" in done.stderr) == (1, True), done.stderr
        assert "update emm1" in done.stderr
    assert newer.read_bytes() == before


@pytest.mark.parametrize("name", ["none.duckdb", "text.duckdb", "other.duckdb"])
def test_what_is_no_store_is_not_upgraded(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("notes")
    execute(tmp_path / "other.duckdb", "CREATE TABLE mine AS SELECT 1 AS a")
    done = emm1_cli("upgrade", tmp_path / name)
    assert done.returncode == 1
    assert "does not exist" in done.stderr or "not an emm1 store" in done.stderr
