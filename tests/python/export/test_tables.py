"""Exported tables have the rows of the query, whoever reads them; an export that fails leaves nothing."""

import csv
import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import emm1
from emm1.cli import app

FORMATS = ["parquet", "arrow", "csv", "jsonl"]
HARD = """
    SELECT * FROM (VALUES
        (1::SMALLINT, 'a, "quoted"
line', ['x', NULL], {'k': 'ä', 'n': 1.5::DOUBLE}, DATE '2024-02-29', true),
        (2, '', [], {'k': NULL, 'n': 'nan'::DOUBLE}, NULL, NULL),
        (3, NULL, NULL, NULL, DATE '0001-01-01', false),
        (4, '雪 🎧 '' \\ ;\t', [''], {'k': '"', 'n': -0.0}, NULL, NULL)
    ) t(number, caption, words, nested, day, yes) ORDER BY number
"""


@pytest.fixture
def store(store_path: Path) -> Iterator[emm1.Store]:
    with emm1.open(store_path, read_only=True) as opened:
        yield opened


def data(folder: Path) -> list[str]:
    return sorted(map(str, (folder / "data").rglob("part-*")))


def read(to: str, folder: Path) -> list[tuple[Any, ...]]:
    """The rows by DuckDB, or by pyarrow for Arrow."""
    files = data(folder)
    if to == "arrow":
        table = pa.concat_tables(pa.ipc.open_file(file).read_all() for file in files)
        return [tuple(row.values()) for row in table.to_pylist()]
    reader = {"parquet": duckdb.read_parquet, "csv": duckdb.read_csv, "jsonl": duckdb.read_json}[to]
    return reader(files).fetchall()


@pytest.mark.parametrize("to", FORMATS)
def test_the_rows_are_those_of_the_query(store: emm1.Store, tmp_path: Path, to: Any) -> None:
    report = store.export("groups", to, tmp_path / "out", shard_size=2_500)
    rows = store.sql("SELECT * REPLACE (nn_index::BIGINT AS nn_index) FROM groups").fetchall()
    assert Counter(read(to, tmp_path / "out")) == Counter(rows)
    assert [file.rows for file in report.files] == [2_500] * (len(rows) // 2_500) + [len(rows) % 2_500]
    assert report.rows == len(rows)


@pytest.mark.parametrize("to", ["parquet", "arrow"])
def test_typed_formats_keep_every_value(store: emm1.Store, tmp_path: Path, to: Any) -> None:
    store.export(HARD, to, tmp_path / "out", shard_size=3)
    table = ds.dataset(data(tmp_path / "out"), format="parquet" if to == "parquet" else "ipc").to_table()
    assert str(table.to_pylist()) == str(store.sql(HARD).to_arrow_table().to_pylist())
    assert len(data(tmp_path / "out")) == 2


def test_texts_of_csv_and_json_lines(store: emm1.Store, tmp_path: Path) -> None:
    store.export(HARD, "csv", tmp_path / "csv")
    store.export(HARD, "jsonl", tmp_path / "jsonl")
    captions = [row[0] for row in store.sql(HARD).select("caption").fetchall()]
    with Path(data(tmp_path / "csv")[0]).open(newline="", encoding="utf-8") as file:
        assert [row["caption"] for row in csv.DictReader(file)] == [caption or "" for caption in captions]
    assert pl.read_csv(data(tmp_path / "csv")[0])["caption"].to_list() == captions  # an empty text is not NULL
    lines = Path(data(tmp_path / "jsonl")[0]).read_text(encoding="utf-8").split("\n")
    objects = [json.loads(line) for line in lines[:-1]]
    assert [each["caption"] for each in objects] == captions
    assert objects[0]["nested"] == {"k": "ä", "n": 1.5}
    assert [each["words"] for each in objects] == [["x", None], [], None, [""]]


@pytest.mark.parametrize("to", FORMATS)
def test_no_rows_make_a_file_with_the_columns(store: emm1.Store, tmp_path: Path, to: Any) -> None:
    report = store.export(
        "SELECT * FROM group_captions WHERE nn_index > 16", to, tmp_path / "out", partition_by="nn_index"
    )
    (file,) = data(tmp_path / "out")
    assert (report.rows, len(report.files)) == (0, 1)
    if to in ("parquet", "csv"):
        columns = (duckdb.read_parquet if to == "parquet" else duckdb.read_csv)(file).columns
        assert columns == store.sql("FROM group_captions").columns


def test_partitions_are_read_by_others(store: emm1.Store, tmp_path: Path) -> None:
    query = """SELECT * FROM (VALUES ('a/b', 1), (NULL, 2), ('..', 3), ('', 4), ('NULL', 5), ('x=y %?', 6), ('ä', 7), ('..', 8))
        t("key of", v)"""
    report = store.export(query, "parquet", tmp_path / "out", partition_by="KEY OF")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "data",
        "README.md",
        "croissant.json",
        "manifest.json",
    }
    assert all(Path(file.path).parent.parent == Path("data") for file in report.files)
    expected = sorted(store.sql(query).fetchall(), key=str)
    found = ds.dataset(tmp_path / "out/data", partitioning="hive").to_table().to_pylist()
    assert sorted(((row["key of"], row["v"]) for row in found), key=str) == expected
    by_duckdb = duckdb.read_parquet(str(tmp_path / "out/data/*/*"), hive_partitioning=True).select('"key of"', "v")
    assert sorted(by_duckdb.fetchall(), key=str) == expected


def test_partitions_have_sized_files_in_order(store: emm1.Store, tmp_path: Path) -> None:
    report = store.export("e_mm1_100m.groups", "parquet", tmp_path / "out", partition_by="nn_index", shard_size=500)
    (each,) = store.sql("SELECT DISTINCT count(*) FROM e_mm1_100m.groups GROUP BY nn_index").fetchall()
    assert sum(file.rows == 500 for file in report.files) == 16 * (each[0] // 500)
    again = duckdb.read_parquet(str(tmp_path / "out/data/*/*"), hive_partitioning=True)
    expected = store.sql("SELECT encord_text_id, nn_index FROM e_mm1_100m.groups")
    assert Counter(again.select("encord_text_id", "nn_index").fetchall()) == Counter(expected.fetchall())


@pytest.mark.parametrize(
    ("query", "arguments", "message"),
    [
        ("SELECT 1; SELECT 2", {}, "one query is wanted, not 2"),
        ("DROP TABLE splits", {}, "one query is wanted, which begins with SELECT"),
        ("no_such_view", {}, "no_such_view"),
        ("", {}, "a query or the name of a table or view is wanted"),
        ("SELECT error('of mine')", {}, "of mine"),
        ("SELECT 1 AS a, 2 AS A", {}, "two columns of the query are called"),
        ("SELECT INTERVAL 1 DAY AS i", {}, "column 'i' is of the type"),
        ("groups", {"to": "xml"}, "unknown format 'xml'"),
        ("groups", {"shard_size": 0}, "shard_size must be a whole number of at least 1"),
        ("groups", {"shard_size": -5}, "shard_size must be a whole number of at least 1"),
        ("groups", {"partition_by": "rank"}, "no column 'rank' to partition by"),
        ("SELECT 1.5 AS a, 1 AS b", {"partition_by": "a"}, "partition by whole numbers"),
        ('SELECT 1 AS "../a", 2 AS b', {"partition_by": "../a"}, "no name of a folder"),
        ("SELECT 1 AS a", {"partition_by": "a"}, "nothing would be left"),
        ("SELECT range AS a, 1 AS b FROM range(300)", {"partition_by": "a"}, "more than 256 different values"),
        ("SELECT repeat('x', 300) AS a, 1 AS b", {"partition_by": "a"}, "too long for the name of a folder"),
        ("SELECT '__HIVE_DEFAULT_PARTITION__' AS a, 1 AS b", {"partition_by": "a"}, "name for NULL"),
    ],
)
def test_what_is_wrong_is_said_and_leaves_nothing(
    store: emm1.Store, tmp_path: Path, query: str, arguments: Any, message: str
) -> None:
    with pytest.raises(emm1.Error, match=message):
        store.export(query, **{"to": "parquet", "output": tmp_path / "out", **arguments})
    assert list(tmp_path.iterdir()) == []


def test_a_huge_size_is_one_file(store: emm1.Store, tmp_path: Path) -> None:
    assert len(store.export("e_mm1_100m.groups", "parquet", tmp_path / "out", shard_size=10**30).files) == 1


def test_an_empty_folder_is_filled_and_another_refused(store: emm1.Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    store.export("SELECT 1 AS a", "csv", tmp_path / "out")
    with pytest.raises(emm1.Error, match="out exists"):
        store.export("SELECT 1 AS a", "csv", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_the_manifest_has_the_files(store: emm1.Store, tmp_path: Path) -> None:
    store.export("e_mm1_100m.text", "csv", tmp_path / "out", shard_size=400)
    manifest = json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))
    for file in manifest["files"]:
        content = (tmp_path / "out" / file["path"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert [column["name"] for column in manifest["columns"]][:1] == ["encord_text_id"]


def test_the_same_query_gives_the_same_bytes(store: emm1.Store, tmp_path: Path) -> None:
    first = store.export("groups", "parquet", tmp_path / "a", shard_size=9_999)
    assert store.export("groups", "parquet", tmp_path / "b", shard_size=9_999).files == first.files


def test_a_folder_that_may_not_be_written(store: emm1.Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(emm1.Error, match="cannot be written"):
        store.export("SELECT 1 AS a", "csv", tmp_path / "file" / "out")


def test_a_full_disk(store_path: Path, tmp_path: Path) -> None:
    """A limit on the size of files fails as a full disk does: by an error of the system's."""
    program = f"""
import resource, signal, emm1
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
with emm1.open({str(store_path)!r}, read_only=True) as store:
    for to in ("parquet", "arrow", "csv", "jsonl"):
        try:
            store.export("groups", to, {str(tmp_path / "out")!r})
        except emm1.Error as error:
            print(to, type(error).__name__, "cannot be written" in str(error))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{to} WriteError True" for to in FORMATS]
    assert list(tmp_path.iterdir()) == []


def test_the_command(store_path: Path, tmp_path: Path) -> None:
    arguments = ["export", str(store_path), "SELECT 1 AS a", "--to", "jsonl", "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'out'}: 1 row in 1 file (jsonl)\n")
    assert (tmp_path / "out/data/part-00000.jsonl").read_text() == '{"a":1}\n'
    wrong = CliRunner().invoke(app, [*arguments, "--shard-size", "0"])
    assert wrong.exit_code == 2


def test_integers_of_parquet_take_few_bits(store: emm1.Store, tmp_path: Path) -> None:
    query = """
        SELECT i, i::UBIGINT - 1 + (1::UBIGINT << 63) AS u, (i % 7)::TINYINT AS t, [i] AS l, {'b': 'text'} AS a, -i AS "a.b",
            'text' AS s, CASE WHEN i % 2 = 0 THEN -i END AS n
        FROM range(1, 100001) r(i)
    """
    store.export(query, "parquet", tmp_path / "out")
    (file,) = data(tmp_path / "out")
    assert duckdb.read_parquet(file).fetchall() == store.sql(query).fetchall()
    assert pl.read_parquet(file)["u"].to_list() == [2**63 + i for i in range(100_000)]
    group = pq.read_metadata(file).row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    packed = {each.path_in_schema for each in columns if "DELTA_BINARY_PACKED" in each.encodings}
    assert packed == {"i", "u", "t", "n"}
    repeated = {each.path_in_schema for each in columns if each.has_dictionary_page}
    assert repeated >= {"s", "l.list.element"}
