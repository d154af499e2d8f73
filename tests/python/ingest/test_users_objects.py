"""Objects that users made in a store survive a build, an upgrade and --force; a message names those that cannot."""

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from store_content import content
from system import emm1_cli

import emm1
from emm1.ingest.run import build_store
from emm1.store.database import SCHEMA_VERSION

# Objects in an order other than that of their names; each depends on earlier ones.
MADE = """
CREATE SCHEMA "my things";
CREATE SCHEMA lab;
CREATE TYPE lab.mood AS ENUM ('good', 'it''s bad');
CREATE TYPE pair AS STRUCT(a INTEGER, b VARCHAR);
CREATE SEQUENCE lab.numbers START 5;
CREATE TABLE zebra(x INTEGER UNIQUE, "odd ""name; --" VARCHAR DEFAULT 'x;y');
CREATE TABLE lab.notes(
    i INTEGER DEFAULT nextval('lab.numbers') PRIMARY KEY,
    twice INTEGER GENERATED ALWAYS AS (i * 2),
    mood lab.mood,
    pair pair,
    source source_dataset,
    seen DATE DEFAULT DATE '2026-01-02',
    wide HUGEINT,
    many DECIMAL(9, 3)[],
    CHECK (i > 0)
);
CREATE TABLE asks(x INTEGER NOT NULL REFERENCES zebra(x));
CREATE TABLE "my things"."groups" AS SELECT encord_text_id AS id, caption FROM e_mm1_100m.text ORDER BY hash(caption);
INSERT INTO zebra VALUES (2, NULL), (1, '');
INSERT INTO asks VALUES (1), (2), (1);
INSERT INTO lab.notes(mood, pair, source, wide, many)
    SELECT 'good', {a: id, b: caption}, (SELECT min(source_dataset) FROM e_mm1_100m.text), id::HUGEINT * 2::HUGEINT ** 90, [id, NULL]
    FROM "my things"."groups" LIMIT 3;
CREATE INDEX by_name ON zebra("odd ""name; --");
CREATE INDEX files ON e_mm1_100m.image(file_name);
CREATE VIEW later AS SELECT x AS y FROM zebra;
CREATE VIEW early AS SELECT y FROM later;
CREATE VIEW lab.own_groups AS SELECT caption, image_file_path FROM main."groups" WHERE nn_index = 1;
CREATE VIEW by_database AS SELECT count(*) AS n FROM emm1.e_mm1_100m.text;
CREATE VIEW found AS SELECT id FROM nearest('text', embedding('text', 7), k := 2);
CREATE MACRO zz(a, b := 5) AS a + b;
CREATE MACRO add_up(a, b := '; )') AS zz(a) || b, (a, b, c) AS a + b + c;
CREATE MACRO lab."of text"(a, z := [1, 2]) AS TABLE SELECT a AS x, z FROM main.early;
COMMENT ON TABLE zebra IS 'it''s mine';
COMMENT ON COLUMN zebra.x IS 'the key';
COMMENT ON VIEW early IS 'first';
COMMENT ON COLUMN early.y IS 'second';
COMMENT ON MACRO zz IS 'a sum';
COMMENT ON MACRO TABLE lab."of text" IS 'a table';
COMMENT ON TYPE lab.mood IS 'how it is';
COMMENT ON SEQUENCE lab.numbers IS 'from five on';
COMMENT ON INDEX by_name IS 'names';
"""
ASKED = (
    "FROM zebra ORDER BY rowid",
    "FROM asks ORDER BY rowid",
    "FROM lab.notes ORDER BY rowid",
    'FROM "my things"."groups" ORDER BY rowid',
    "FROM early",
    "FROM lab.own_groups ORDER BY ALL",
    "FROM by_database",
    "FROM found",
    "SELECT zz(1), zz(1, 1), add_up(1), add_up(1, 2, 3)",
    "FROM lab.\"of text\"('x')",
    "SELECT index_name, sql, comment FROM duckdb_indexes() ORDER BY ALL",
    "SELECT sequence_name, comment FROM duckdb_sequences()",
    "SELECT type_name, comment FROM duckdb_types() WHERE database_name = current_database() AND NOT internal ORDER BY ALL",
)


@pytest.fixture
def store(tree: Path, store_path: Path, tmp_path: Path) -> Path:
    path = Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))
    with emm1.open(path) as opened:
        opened.add_embeddings("text", tree / "embeddings/text.npy", dataset="100m", modality="text")
        for statement in opened.connection.extract_statements(MADE):
            opened.connection.execute(statement)
    return path


def answers(path: Path) -> list[Any]:
    with emm1.open(path, read_only=True) as opened:
        found = [opened.connection.execute(query).fetchall() for query in ASKED]
    return [content(path), *found]


def execute(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def make_older(path: Path) -> None:
    execute(path, f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION - 1}")


@pytest.mark.parametrize("way", ["update", "force", "upgrade"])
def test_what_users_made_is_carried_over(way: str, tree: Path, store: Path) -> None:
    before = answers(store)
    if way == "upgrade":
        make_older(store)
        done = emm1_cli("upgrade", store)
        assert done.returncode == 0, done.stderr
        assert "carried over what you had made: " in done.stdout
    elif way == "force":
        report = build_store(tree, store, force=True)
        (note,) = (note for note in report.notes if note.startswith("carried over"))
        assert "schema lab, schema my things" in note or "schema my things, schema lab" in note
    else:
        build_store(tree, store, ranks=[1, 2])
        build_store(tree, store)
    assert answers(store) == before
    shown = emm1_cli("info", store)
    assert ("my things.groups" in shown.stdout, shown.returncode) == (True, 0), shown.stderr
    execute(store, "INSERT INTO lab.notes(mood) VALUES ('good')")  # the sequence continues
    with duckdb.connect(str(store)) as connection:
        assert connection.execute("SELECT max(i), max(twice) FROM lab.notes").fetchall() == [(8, 16)]
        for wrong in (
            "INSERT INTO asks VALUES (77)",
            "INSERT INTO lab.notes(i) VALUES (-1)",
            "INSERT INTO zebra(x) VALUES (1)",
        ):
            with pytest.raises(duckdb.ConstraintException):
                connection.execute(wrong)


LOST = {
    "a column": ("ALTER TABLE e_mm1_100m.image ADD COLUMN tag VARCHAR", "column tag of e_mm1_100m.image"),
    "a column of the register": ("ALTER TABLE embeddings ADD COLUMN tag VARCHAR", "column tag of main.embeddings"),
    "a view in place of emm1's": ("CREATE OR REPLACE VIEW same_files AS SELECT 1 AS a", "your view same_files"),
    "a macro in place of emm1's": ("CREATE OR REPLACE MACRO media_folder(a) AS a", "your macro media_folder"),
    "a view of a table that is gone": (
        "CREATE TABLE gone(a INTEGER); CREATE VIEW broken AS FROM gone; DROP TABLE gone",
        "your view broken",
    ),
    "a view of a column": (
        "ALTER TABLE e_mm1_100m.image ADD COLUMN tag VARCHAR; CREATE VIEW tags AS SELECT tag FROM e_mm1_100m.image",
        "your view tags",
    ),
}


@pytest.mark.parametrize("case", LOST)
@pytest.mark.parametrize("way", ["update", "upgrade"])
def test_what_cannot_be_carried_over_stops_the_build(way: str, case: str, tree: Path, store: Path) -> None:
    statements, name = LOST[case]
    execute(store, *statements.split("; "))
    if way == "upgrade":
        make_older(store)
    command = ["upgrade", store] if way == "upgrade" else ["build", tree, store, "--ranks", "1"]
    before = store.read_bytes()
    done = emm1_cli(*command)
    assert done.returncode == 1, done.stdout
    assert f"\n  {name}: " in done.stderr
    assert "--drop-own" in done.stderr
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.iterdir()] == ["emm1.duckdb"]
    done = emm1_cli(*command, "--drop-own")
    assert (done.returncode, f"dropped: {name}" in done.stdout.replace("\n", " ")) == (0, True), done
    with emm1.open(store) as opened:
        assert opened.sql("FROM asks").fetchall() == [(1,), (2,), (1,)]
        assert opened.sql("SELECT zz(1)").fetchall() == [(6,)]
        assert opened.sql("SELECT name FROM embeddings").fetchall() == [("text",)]


def test_python_stops_too(tree: Path, store: Path) -> None:
    execute(store, "ALTER TABLE e_mm1_100m.image ADD COLUMN tag VARCHAR")
    with pytest.raises(emm1.StoreError, match="column tag of"):
        emm1.build(tree, store, ranks=[1])
    emm1.build(tree, store, ranks=[1], drop_own=True).close()


def test_tables_that_refer_to_the_register_are_carried_over(tree: Path, store: Path) -> None:
    execute(
        store,
        "CREATE TABLE runs(name VARCHAR REFERENCES embeddings(name))",
        "INSERT INTO runs VALUES ('text')",
    )
    emm1.build(tree, store, force=True).close()
    with emm1.open(store) as opened:
        assert opened.sql("FROM runs").fetchall() == [("text",)]
        with pytest.raises(duckdb.ConstraintException):
            opened.connection.execute("INSERT INTO runs VALUES ('other')")


def test_tables_that_refer_to_themselves_are_carried_over(tree: Path, store: Path) -> None:
    execute(
        store,
        'CREATE TABLE lab."the tree"(id INTEGER PRIMARY KEY, up INTEGER REFERENCES lab."the tree"(id), x INTEGER AS (id * 2))',
        'INSERT INTO lab."the tree" VALUES (2, NULL)',
        'INSERT INTO lab."the tree" VALUES (1, 2), (3, 2)',
    )
    emm1.build(tree, store, force=True).close()
    with emm1.open(store) as opened:
        assert opened.sql('FROM lab."the tree"').fetchall() == [(2, None, 4), (1, 2, 2), (3, 2, 6)]


def test_macros_are_carried_over_beside_what_names_its_database(tree: Path, store: Path) -> None:
    execute(store, "CREATE TABLE named(i INTEGER DEFAULT nextval('emm1.lab.numbers'))")
    emm1.build(tree, store, force=True).close()
    with emm1.open(store) as opened:
        assert opened.sql("SELECT zz(1)").fetchall() == [(6,)]
        assert opened.sql("INSERT INTO named VALUES (DEFAULT) RETURNING i").fetchall() == [(8,)]


def test_comments_of_another_emm1_are_no_users_objects(tree: Path, store: Path) -> None:
    """Two versions of emm1 may have different comments on the same view."""
    execute(store, "COMMENT ON VIEW assets IS 'in other words'", "UPDATE emm1_store SET emm1_version = '0.0.1'")
    before = answers(store)
    build_store(tree, store, force=True)
    assert answers(store)[1:] == before[1:]


def test_an_up_to_date_store_is_left_as_it_is(tree: Path, store: Path) -> None:
    execute(store, "ALTER TABLE e_mm1_100m.image ADD COLUMN tag VARCHAR")
    before = store.read_bytes()
    assert build_store(tree, store).up_to_date
    assert store.read_bytes() == before


def test_types_made_of_types_are_carried_over(tree: Path, store: Path) -> None:
    """DuckDB cannot copy such a database; macros, whose defaults only a copy shows, are then named."""
    execute(store, "CREATE TYPE deep AS STRUCT(a lab.mood)", "CREATE TABLE deeper AS SELECT {a: 'good'}::deep AS a")
    try:
        build_store(tree, store, ranks=[1])
    except emm1.StoreError as error:
        named = [line for line in str(error).splitlines() if line.startswith("  ")]
        assert all(line.startswith("  your macro ") for line in named)
        build_store(tree, store, ranks=[1], drop_own=True)
    with emm1.open(store) as opened:
        assert opened.sql("SELECT a.a FROM deeper").fetchall() == [("good",)]
