"""A lake has the rows of the store in every table and view, whoever reads it; one that fails leaves nothing."""

from __future__ import annotations

import itertools
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import emm1
from emm1.cli import app

VIEWS = ("assets", "group_captions", "groups", "triplets", "eshot_categories", "same_files")
SETTING = re.compile(r"^SET emm1\.(\w+) = `(.*)`;$", re.MULTILINE)
LEFT_OUT = {"emm1_store", "embeddings", "caption_index", "caption_words", "caption_postings"}
# Every name that the store tells apart has a character of these kinds.
CHARACTERS = "./\\:aZ\0é"


@pytest.fixture(scope="module")
def store(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[emm1.Store]:
    """A copy of the sample's store in which every table has rows."""
    folder = tmp_path_factory.mktemp("lake")
    with emm1.open(shutil.copy(store_path, folder / "emm1.duckdb"), root="/data/it's") as opened:
        opened.split(50, 50)
        opened.add_flags({"dataset": ["100m"] * 2, "modality": ["video", "image"], "id": [7, 3]}, "seen")
        opened.sql("INSERT INTO maps SELECT 'text', i, i, -i FROM range(5, 0, -1) t(i)")
        opened.sql("INSERT INTO media_status SELECT '1m', 'audio', i, 'found', NULL, now() FROM range(3) t(i)")
        yield opened


@pytest.fixture(scope="module")
def lake(store: emm1.Store) -> Path:
    return store.lake(store.path.with_name("lake")).output


def tables(store: emm1.Store) -> list[tuple[str, str]]:
    found = store.sql("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
    return [table for table in found if table[1] not in LEFT_OUT]


def in_duckdb(lake: Path, **replaced: str) -> duckdb.DuckDBPyConnection:
    """The tables of a lake, and the views as Spark has them."""
    connection = duckdb.connect()
    for schema in ("e_mm1_100m", "e_mm1_1m", "eshot"):
        connection.sql(f"CREATE SCHEMA {schema}")
    for folder in sorted(each for each in lake.glob("*/*") if each.is_dir()):
        read = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true)"
        columns = replaced.get(f"{folder.parent.name}.{folder.name}", "*")
        connection.sql(f"CREATE VIEW {folder.parent.name}.{folder.name} AS SELECT {columns} FROM {read}")
    text = (lake / "views.spark.sql").read_text(encoding="utf-8")
    settings = {name: value.replace("``", "`") for name, value in SETTING.findall(text)}
    assert settings.keys() == {"lake", "media", "audio"}
    assert settings["lake"] == str(lake).replace("`", "``")
    for statement in text.split(";\n"):
        if "${emm1.lake}" not in statement and "CREATE OR REPLACE VIEW" in statement:
            for name in ("media", "audio"):
                value = settings[name].replace("\\'", "''").replace("\\\\", "\\")
                statement = statement.replace(f"${{emm1.{name}}}", value)  # noqa: PLW2901
            connection.sql(statement)
    return connection


def rows(relation: duckdb.DuckDBPyRelation) -> Counter[Any]:
    return Counter(relation.fetchall())


def test_every_table_has_its_rows(store: emm1.Store, lake: Path) -> None:
    found = tables(store)
    assert {path.relative_to(lake).parts[:2] for path in lake.rglob("*.parquet")} == {*found}
    connection = in_duckdb(lake)
    for schema, table in found:
        stored, read = store.connection.table(f"{schema}.{table}"), connection.sql(f"FROM {schema}.{table}")
        assert stored.limit(1).fetchall(), f"no rows of {table} to compare"
        assert read.columns == stored.columns
        assert rows(read) == rows(stored)
        frame = pl.scan_parquet(lake / schema / table / "**/*.parquet", hive_partitioning=True).collect()
        assert frame.columns == stored.columns
        assert Counter(frame.rows()) == rows(stored)


def test_types_are_those_of_the_store_and_enums_are_texts(store: emm1.Store, lake: Path) -> None:
    connection = in_duckdb(lake)
    for schema, table in tables(store):
        stored = store.connection.table(f"{schema}.{table}")
        read = connection.sql(f"FROM {schema}.{table}")
        for name, kind, found in zip(stored.columns, stored.types, read.types, strict=True):
            if name == "nn_index":
                assert str(found) == "BIGINT"  # from the names of folders
            else:
                assert str(found) == ("VARCHAR" if str(kind).startswith("ENUM") else str(kind))
    for file in lake.rglob("*.parquet"):
        for field in pq.read_schema(file):
            assert "dictionary" not in str(field.type)


def test_views_have_the_rows_of_the_store(store: emm1.Store, lake: Path) -> None:
    connection = in_duckdb(lake)
    for view in VIEWS:
        stored, read = store.connection.table(view), connection.table(view)
        assert read.columns == stored.columns
        assert stored.limit(1).fetchall()
        assert rows(read) == rows(stored)
    text = (files("emm1") / "sql" / "lake" / "views.sql").read_text(encoding="utf-8")
    assert {*re.findall(r"CREATE OR REPLACE VIEW (\w+) AS", text)} == {*VIEWS}
    every = {name for (name,) in store.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()}
    assert {*VIEWS} == every


def test_the_folder_of_the_media_is_the_one_that_is_set(store: emm1.Store, tmp_path: Path) -> None:
    store.sql("SET VARIABLE emm1_root = '/`x`/\\''s'")
    store.sql("SET VARIABLE emm1_audio_folder = 'video'")
    try:
        connection = in_duckdb(store.lake(tmp_path / "my `own` lake").output)
        assert rows(connection.table("assets")) == rows(store.connection.table("assets"))
    finally:
        store.sql("RESET VARIABLE emm1_root")
        store.sql("RESET VARIABLE emm1_audio_folder")


def test_names_that_lead_out_of_their_folder_have_no_path(store: emm1.Store, tmp_path: Path) -> None:
    """All short texts, as names of files and, by columns that are exchanged, of folders."""
    path = Path(shutil.copy(store.path, tmp_path / "emm1.duckdb"))
    names = ["".join(name) for length in range(5) for name in itertools.product(CHARACTERS, repeat=length)]
    with emm1.open(path) as own:
        own.connection.execute((files("emm1") / "sql/build/climbing_names.sql").read_text(encoding="utf-8"))
        added = pl.DataFrame({"encord_image_id": range(10**6, 10**6 + len(names)), "file_name": names})
        own.sql("INSERT INTO e_mm1_1m.image BY NAME SELECT *, 'shared' AS save_folder FROM added")
        lake = own.lake(tmp_path / "lake").output
        expected = rows(own.connection.table("assets"))
        connection = in_duckdb(lake)
        assert rows(connection.table("assets")) == expected
        assert added.height == len(names)
        climbing = own.sql("SELECT encord_image_id FROM e_mm1_1m.image WHERE climbs(file_name)").fetchall()
    exchanged = {"e_mm1_1m.image": "* REPLACE (file_name AS save_folder, save_folder AS file_name)"}
    connection = in_duckdb(lake, **exchanged)
    assets = connection.table("assets").filter("dataset = '1m' AND modality = 'image' AND id >= 1e6")
    assert {*climbing} == {*assets.filter("file_path IS NULL").project("id").fetchall()}
    assert 0 < len(climbing) < len(names)


def test_row_groups_are_sized_and_sorted(store_path: Path, tmp_path: Path) -> None:
    with emm1.open(shutil.copy(store_path, tmp_path / "emm1.duckdb")) as own:
        own.sql("DELETE FROM e_mm1_100m.groups WHERE nn_index = 2")
        own.sql("INSERT INTO e_mm1_100m.groups SELECT i * 7919 % 300007, i, i, i, i, 2 FROM range(300007) t(i)")
        lake = own.lake(tmp_path / "lake").output
    metadata = pq.read_metadata(lake / "e_mm1_100m/groups/nn_index=2/part-00000.parquet")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [122_880, 122_880, 300_007 - 2 * 122_880]
    ranges = [(group.column(0).statistics.min, group.column(0).statistics.max) for group in groups]
    assert ranges == [(0, 122_879), (122_880, 245_759), (245_760, 300_006)]
    assert groups[0].column(0).path_in_schema == "encord_text_id"
    assert groups[0].column(0).compression == "ZSTD"


def test_rows_are_in_order(lake: Path) -> None:
    orders = {
        "e_mm1_100m/text": ["encord_text_id"],
        "e_mm1_1m/points": ["encord_points_id"],
        "e_mm1_1m/triplets": ["paired_modality", "annotated_modality", "encord_text_id"],
        "main/flags": ["dataset", "modality", "id"],
        "main/maps": ["name", "id"],
    }
    for table, columns in orders.items():
        frame = pl.read_parquet(lake / table).select(columns)
        assert frame.rows() == sorted(frame.rows()), table


def test_files_are_those_of_the_report(store: emm1.Store, lake: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    report = store.lake(tmp_path / "again", progress=lambda *step: steps.append(step))
    paths = {file.path: file for table in report.tables.values() for file in table}
    assert {*paths} == {path.relative_to(report.output).as_posix() for path in report.output.rglob("*.parquet")}
    for path, file in paths.items():
        assert pq.read_metadata(report.output / path).num_rows == file.rows
        assert (report.output / path).stat().st_size == file.bytes
        assert (lake / path).read_bytes() == (report.output / path).read_bytes()  # the same store gives the same bytes
    assert steps == sorted(steps)
    assert steps[-1] == ("writing the tables", report.rows, report.rows)


def test_a_part_of_the_dataset_has_every_table(tree: Path, tmp_path: Path) -> None:
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["eshot"]) as own:
        lake = own.lake(tmp_path / "lake").output
        connection = in_duckdb(lake)
        for schema, table in tables(own):
            assert connection.sql(f"FROM {schema}.{table}").columns == own.connection.table(f"{schema}.{table}").columns
        for view in VIEWS:
            assert rows(connection.table(view)) == rows(own.connection.table(view))
        # Nothing reads ids as numbers of another kind where there are none.
        assert str(connection.sql("FROM e_mm1_100m.groups").types[0]) == "INTEGER"


def test_nothing_is_written_over_or_left(store: emm1.Store, tmp_path: Path) -> None:
    def stop(_what: str, done: int, _total: int) -> None:
        if done > 10_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.lake(tmp_path / "lake", progress=stop)
    assert [*tmp_path.iterdir()] == []
    (tmp_path / "lake").mkdir()
    store.lake(tmp_path / "lake")  # an empty folder is fine
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(emm1.Error, match="lake exists, and nothing is written over: name a new folder"):
        store.lake(tmp_path / "lake")
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


@pytest.mark.parametrize(
    ("output", "memory_limit", "says"),
    [("\udcff", "2GB", "not valid UTF-8"), ("new", "much", "much"), ("file/lake", "2GB", "cannot be written")],
)
def test_bad_arguments_are_named(store: emm1.Store, tmp_path: Path, output: str, memory_limit: str, says: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(emm1.Error, match=says):
        store.lake(tmp_path / output, memory_limit=memory_limit)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_command(store_path: Path, tmp_path: Path) -> None:
    arguments = ["lake", str(store_path), str(tmp_path / "lake"), "--root", "/media/emm1"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert re.fullmatch(r".*lake: [\d,]+ rows of 21 tables in \d+ files, and views.spark.sql\n", done.stdout)
    assert "SET emm1.media = `/media/emm1`;" in (tmp_path / "lake/views.spark.sql").read_text(encoding="utf-8")
    done = CliRunner().invoke(app, arguments)
    assert "nothing is written over" in str(done.exception)
