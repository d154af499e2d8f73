"""What commands record in a store (registered embeddings, splits, indexes) survives; a user's object of such a name is named."""

import lzma
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from system import emm1_cli

import emm1
from emm1.store.database import SCHEMA_VERSION

RECORDED = ("splits", "maps", "media_status", "flags")
DATA = Path(__file__).parents[2] / "data"


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def execute(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def recorded(tree: Path, store_path: Path, tmp_path: Path) -> Path:
    """A store in which commands recorded something in each table, and with embeddings of a model."""
    store = Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))
    with emm1.open(store) as opened:
        text = tree / "embeddings/text.npy"
        opened.add_embeddings("text", text, dataset="100m", modality="text", model="ours")
        opened.add_embeddings("again", text, dataset="100m", modality="text")
    execute(
        store,
        "INSERT INTO splits VALUES ('100m', 'text', 7, 'test'), ('1m', 'audio', 7, 'purged')",
        "INSERT INTO maps VALUES ('text', 7, 0.1, -1e30), ('text', -1, 0, 0)",
        "INSERT INTO media_status VALUES ('100m', 'image', 7, 'broken', NULL, '2026-01-02 03:04:05.678901')",
        "INSERT INTO flags VALUES ('1m', 'points', 7, 'leak', 'of \"7\"', 'us', '2026-01-02 03:04:05.678901')",
    )
    return store


def rows_of(store: Path) -> list[list[tuple[object, ...]]]:
    """What commands recorded."""
    recorded = [ask(store, f"FROM {table}") for table in RECORDED]
    return [*recorded, ask(store, "SELECT * EXCLUDE (store_id) FROM embeddings ORDER BY name")]


@pytest.mark.parametrize("way", ["update", "force", "upgrade"])
def test_rows_that_commands_wrote_are_carried_over(way: str, recorded: Path, tree: Path) -> None:
    expected = rows_of(recorded)
    if way == "upgrade":
        execute(recorded, f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION - 1}")
        done = emm1_cli("upgrade", recorded)
    else:
        done = emm1_cli("build", tree, recorded, "--ranks", "1,2", *(["--force"] if way == "force" else []))
    assert done.returncode == 0, done
    for note in ("run `emm1 split` again", *(f"the table {table} was carried over" for table in RECORDED)):
        assert (note in done.stdout) == (way != "upgrade"), done
    assert all(expected)
    assert rows_of(recorded) == expected
    with emm1.open(recorded, read_only=True) as opened:
        assert opened.registry.models == {"ours": {("100m", "text"): "text"}}


@pytest.fixture
def of_version_5(tmp_path: Path) -> Path:
    """A store that emm1 built before it had these names, with its tree beside it."""
    store = tmp_path / "emm1.duckdb"
    store.write_bytes(lzma.decompress((DATA / "schema-5/emm1.duckdb.xz").read_bytes()))
    with tarfile.open(DATA / "tree.tar.xz") as packed:
        packed.extractall(tmp_path)  # noqa: S202 - our own file, and not every Python 3.11 has filters
    return store


IN_THE_WAY = {
    "a table": (["CREATE TABLE splits(id INTEGER)"], "your table splits"),
    "a table in other letters": (["CREATE TABLE Splits(id INTEGER)"], "your table Splits"),
    "a table with our columns": (
        [
            "CREATE TABLE splits(dataset VARCHAR, modality modality, id INTEGER, split VARCHAR)",
            "INSERT INTO splits VALUES ('100m', 'text', 1, 'mine')",
            "COMMENT ON TABLE splits IS 'mine'",
        ],
        "your table splits",
    ),
    "a view": (["CREATE VIEW splits AS SELECT 1 AS a"], "your view splits"),
    **{
        f"a table with the name {name}": ([f"CREATE TABLE {name}(id INTEGER)"], f"your table {name}")
        for name in ("maps", "media_status", "flags")
    },
    "a table with a name of the index": (["CREATE TABLE caption_words(id INTEGER)"], "your table caption_words"),
    "a column": (
        ["ALTER TABLE embeddings ADD COLUMN model INTEGER", "UPDATE embeddings SET model = 3"],
        "column model of main.embeddings",
    ),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
@pytest.mark.parametrize("way", ["upgrade", "build --force"])
def test_an_object_of_a_user_with_a_name_of_ours_is_refused_by_name(case: str, way: str, of_version_5: Path) -> None:
    statements, name = IN_THE_WAY[case]
    execute(of_version_5, *statements)
    before = of_version_5.read_bytes()
    command = ["upgrade", of_version_5]
    if way != "upgrade":
        command = ["build", of_version_5.parent / "sample", of_version_5, "--force"]
    done = emm1_cli(*command)
    assert (done.returncode, f"\n  {name}: " in done.stderr, "--drop-own" in done.stderr) == (1, True, True), done
    assert done.stderr.count("\n  ") == 1
    assert of_version_5.read_bytes() == before
    done = emm1_cli(*command, "--drop-own")
    assert done.returncode == 0, done.stderr
    assert ask(of_version_5, "FROM splits") == []
    assert ask(of_version_5, "SELECT name, model FROM embeddings ORDER BY name") == [("image", None), ("text", None)]


def test_a_table_that_a_user_replaced_is_refused_by_name(recorded: Path, tree: Path) -> None:
    execute(recorded, "CREATE OR REPLACE TABLE splits AS SELECT 7 AS id")
    done = emm1_cli("build", tree, recorded, "--force")
    assert (done.returncode, "\n  your table splits: " in done.stderr) == (1, True), done


def test_a_table_that_a_user_dropped_is_made_anew(recorded: Path) -> None:
    execute(recorded, "DROP TABLE splits", f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION - 1}")
    done = emm1_cli("upgrade", recorded)
    assert done.returncode == 0, done.stderr
    assert ask(recorded, "FROM splits") == []


def index_of(store: Path) -> list[list[tuple[object, ...]]]:
    return [ask(store, f"FROM caption_{name}") for name in ("index", "words", "postings")]


def indexed(store: Path) -> list[list[tuple[object, ...]]]:
    with emm1.open(store) as opened:
        opened.index_captions()
    return index_of(store)


@pytest.mark.parametrize("way", ["update", "force", "upgrade"])
def test_an_index_of_the_same_captions_is_carried_over(way: str, recorded: Path, tree: Path) -> None:
    expected = indexed(recorded)
    if way == "upgrade":
        execute(recorded, f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION - 1}")
        # Under this number the names are a user's, unless they have emm1's comments, as they do here.
        done = emm1_cli("upgrade", recorded)
    else:
        done = emm1_cli("build", tree, recorded, "--ranks", "1,2", *(["--force"] if way == "force" else []))
    assert (done.returncode, "index of captions" in done.stdout + done.stderr) == (0, False), done
    assert index_of(recorded) == expected
    with emm1.open(recorded, read_only=True) as opened:
        assert opened.match_captions("dog", 1).fetchall()


def changed_caption(tree: Path, store: Path) -> None:
    del store
    file = tree / "e-mm1_1m/infos/text.csv"
    text = file.read_text(encoding="utf-8")
    assert "dog" in text
    file.write_text(text.replace("dog", "fox", 1), encoding="utf-8")


def removed_captions(tree: Path, store: Path) -> None:
    del store
    (tree / "e-mm1_1m/infos/text.csv").unlink()


def changed_in_the_store(tree: Path, store: Path) -> None:
    del tree
    execute(
        store,
        "UPDATE e_mm1_1m.text SET caption = 'fox' WHERE encord_text_id = (SELECT min(encord_text_id) FROM e_mm1_1m.text)",
    )


@pytest.mark.parametrize("change", [changed_caption, removed_captions, changed_in_the_store])
def test_an_index_of_other_captions_is_dropped_with_a_note(
    change: Callable[[Path, Path], None], own_tree: Path, recorded: Path
) -> None:
    emm1.build(own_tree, recorded).close()
    assert all(indexed(recorded))
    change(own_tree, recorded)
    if change is changed_in_the_store:  # the rows of the file are copied: they are no longer those of the index
        done = emm1_cli("build", own_tree, recorded, "--ranks", "1,2")
    else:
        done = emm1_cli("build", own_tree, recorded)
    assert (done.returncode, "run `emm1 index captions` again" in done.stdout) == (0, True), done
    assert index_of(recorded) == [[], [], []]
    with emm1.open(recorded) as opened, pytest.raises(emm1.StoreError, match="no index yet"):
        opened.match_captions("fox")


def test_an_index_without_one_of_its_tables_is_not_carried_over(recorded: Path) -> None:
    indexed(recorded)
    execute(recorded, "DROP TABLE caption_words", f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION - 1}")
    done = emm1_cli("upgrade", recorded)
    assert done.returncode == 0, done.stderr
    assert "the index of captions was dropped, because one of its tables is missing" in done.stdout
    assert index_of(recorded) == [[], [], []]
