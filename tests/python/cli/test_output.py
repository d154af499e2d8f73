"""--format and --output: every command writes its rows in every format, and never half of a file."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from docs.generate.cli import commands as known_commands
from system import command, emm1_cli, small_disk
from terminal import in_terminal
from typer.testing import CliRunner

import emm1
from emm1.cli import app

FORMATS = ["table", "csv", "json", "jsonl", "parquet", "arrow"]


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("output") / "emm1.duckdb"
    with emm1.build(tree, path) as built:
        for name in ("text", "image"):
            built.add_embeddings(name, tree / f"embeddings/{name}.npy", dataset="100m", modality=name, codes=False)
        for name in ("audio", "points"):
            file = tree / f"embeddings/eshot_{name}.npy"
            built.add_embeddings(f"eshot_{name}", file, dataset="eshot", modality=name, codes=False, model="made")
        built.add_flags({"dataset": ["1m"], "modality": ["image"], "id": [7]}, "favourite")
    return path


def commands(store: Path, tree: Path) -> dict[str, list[object]]:
    return {
        "sql": ["sql", store, "SELECT id, source_dataset, file_path FROM assets WHERE dataset = '1m' ORDER BY ALL"],
        "search": ["search", store, "image", "--id", 7],
        "info": ["info", store],
        "check": ["check", store, "--media-root", tree],
        "embeddings list": ["embeddings", "list", store],
        "eshot": ["eshot", store, *(f"--{m}={tree}/embeddings/eshot_{m}.npy" for m in ("audio", "points"))],
        "evaluate": ["evaluate", store, "--model", "made", "--resamples", 0],
        "flags list": ["flags", "list", store],
        "leakage": ["leakage", store],
        "licenses": ["licenses", store],
        "media check": ["media", "check", store, "--root", tree, "--split", "eshot"],
        "groups verify": ["groups", "verify", store, "--embeddings", "text=text,image=image"],
        "ratings": [
            "ratings",
            store,
            "--embeddings",
            f"audio={tree}/embeddings/1m/audio.npy,image={tree}/embeddings/1m/image.npy",
        ],
        "retrieval": ["retrieval", store, "text", "image", "--pairs", "groups", "--resamples", 0],
        "split": ["split", store, "--test", 5],
        "zero-shot": [
            "zero-shot",
            store,
            "image",
            "image",
            "--labels",
            "SELECT encord_image_id AS id, source_dataset AS label FROM e_mm1_100m.image",
        ],
    }


WRITING = [name for name, each in known_commands() if {"format", "output"} <= {one.name for one in each.params}]


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def read(path: Path) -> pl.DataFrame:
    """The rows of a file, by a library that has nothing to do with what wrote it."""
    match path.suffix:
        case ".csv":
            return pl.read_csv(path, infer_schema_length=None)
        case ".json":
            return pl.DataFrame(json.loads(path.read_text()), infer_schema_length=None)
        case ".jsonl":
            return pl.read_ndjson(path, infer_schema_length=None)
        case ".parquet":
            return pl.read_parquet(path)
        case ".arrow":
            return pl.read_ipc(path)
    return pl.read_csv(path, separator="\t", infer_schema_length=None, quote_char=None)


@pytest.mark.parametrize("name", WRITING)
def test_every_format_has_the_same_rows(name: str, store: Path, tree: Path, tmp_path: Path) -> None:
    arguments = commands(store, tree)[name]
    frames = {}
    for suffix in ("csv", "json", "jsonl", "parquet", "arrow"):
        output = tmp_path / f"rows.{suffix}"
        assert invoke(*arguments, "--output", output) == ""
        frames[suffix] = read(output)
        assert frames[suffix].columns == frames["csv"].columns
        assert len(frames[suffix]) == len(frames["csv"]) > 0
    assert (
        frames["parquet"]
        .cast({pl.Categorical: pl.String, pl.Enum: pl.String})
        .equals(frames["arrow"].cast({pl.Categorical: pl.String, pl.Enum: pl.String}))
    )
    number = frames["parquet"].select(pl.selectors.numeric()).columns
    for suffix in ("csv", "json", "jsonl"):
        for column in number:
            written, exact = frames[suffix][column].cast(pl.Float64), frames["parquet"][column]
            assert written.cast(exact.dtype).equals(exact), (suffix, column)
    if name not in {"info", "check", "split"}:  # whose tables are for people
        assert invoke(*arguments, "--format", "table").count("\n") == len(frames["csv"]) + 1


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_pipe_gets_is_what_a_file_gets(form: str, store: Path, tree: Path, tmp_path: Path) -> None:
    arguments = commands(store, tree)["embeddings list"]
    output = tmp_path / "rows"
    invoke(*arguments, "--format", form, "--output", output)
    done = subprocess.run(command(*arguments, "--format", form), capture_output=True, check=True)
    if form == "parquet":  # whose bytes are not determined
        assert pl.read_parquet(io.BytesIO(done.stdout)).equals(pl.read_parquet(output))
    else:
        assert done.stdout == output.read_bytes()


def test_a_pipe_gets_whole_scores_and_no_padding(store: Path) -> None:
    header, *lines = invoke("search", store, "image", "--id", 7, "-k", 590).splitlines()
    assert header == "rank\tid\tscore\tfile_path"
    with emm1.open(store, read_only=True) as opened:
        hits = opened.nearest("image", ids=7, k=590).fetchall()
    for line, (rank, item, score) in zip(lines, hits, strict=True):
        shown = line.split("\t")
        assert shown[:2] == [str(rank), str(item)]
        assert float(pl.Series([shown[2]]).cast(pl.Float32)[0]) == score
    assert invoke("sql", store, "SELECT 1234567 AS n, NULL AS x, '' AS y").splitlines() == [
        "n\tx\ty",
        "1234567\tNULL\t",
    ]


def test_the_suffix_decides(store: Path, tmp_path: Path) -> None:
    for name, magic in (
        ("a.csv", b"a\n1"),
        ("a.CSV", b"a\n1"),
        ("a.json", b"["),
        ("a.jsonl", b'{"a":1}'),
        ("a.ndjson", b'{"a":1}'),
        ("a.parquet", b"PAR1"),
        ("a.arrow", b"ARROW1"),
        ("a.feather", b"ARROW1"),
        ("a.ipc", b"ARROW1"),
        ("a.txt", b"a\n1"),
        ("a.tsv", b"a\n1"),
        ("a", b"a\n1"),
        ("a.csv.gz", b"\x1f\x8b"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd"),
    ):
        invoke("sql", store, "SELECT 1 AS a", "--output", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(magic), name
    invoke("sql", store, "SELECT 1 AS a", "--output", tmp_path / "a.dat", "--format", "arrow")
    assert (tmp_path / "a.dat").read_bytes().startswith(b"ARROW1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "csv", "--output", "x.parquet"], "x.parquet would be parquet, but --format says csv"),
        (["--format", "jsonl", "--output", "x.json"], "x.json would be json, but --format says jsonl"),
        (["--format", "parquet", "--output", "x.csv.gz"], "x.csv.gz would be csv, but --format says parquet"),
        (["--output", "x.xlsx"], "x.xlsx: give --format, or one of the suffixes .txt, .tsv, .csv"),
        (["--output", "x.parquet.gz"], "x.parquet.gz: give --format"),
        (["--format", "xlsx"], "xlsx"),
    ],
)
@pytest.mark.parametrize("name", ["sql", "search", "info", "check", "embeddings list"])
def test_contradictions_are_usage_errors_before_any_work(
    name: str,
    options: list[str],
    message: str,
    store: Path,
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["no.duckdb" if part == store else part for part in commands(store, tree)[name]]
    result = CliRunner().invoke(app, [*map(str, arguments), *options], env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_not_for_a_terminal(store: Path) -> None:
    for form in ("parquet", "arrow"):
        status, shown = in_terminal("info", store, "--format", form, columns=200)
        assert status == 2
        assert f"{form} is not for a terminal: name a file with --output" in shown
    status, shown = in_terminal("embeddings", "list", store, "--format", "csv")
    assert (status, shown.splitlines()[0]) == (0, "name,dataset,modality,model,rows,dims,dtype,metric,path")


@pytest.mark.parametrize("name", WRITING)
def test_no_command_writes_over_a_database(name: str, store: Path, tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    duckdb.connect(str(other)).close()
    link = tmp_path / "link"
    link.symlink_to(store)
    for target, message in (
        (store, "is the store itself"),
        (link, "is the store itself"),
        (other, "is a DuckDB database"),
    ):
        before = target.read_bytes()
        done = emm1_cli(*commands(store, tree)[name], "--format", "csv", "--output", target)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert message in done.stderr
        assert target.read_bytes() == before


def test_a_file_is_replaced_whole_or_not_at_all(store: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.csv"
    output.write_text("mine")
    output.chmod(0o640)
    failing = "SELECT range, CASE WHEN range = 900_000 THEN error('late')::INTEGER END FROM range(1_000_000)"
    for form in FORMATS:
        done = emm1_cli("sql", store, failing, "--format", form, "--output", tmp_path / "rows")
        assert (done.returncode, "late" in done.stderr) == (1, True), done.stderr
    assert emm1_cli("sql", store, failing, "--output", output).returncode == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("rows.csv", "mine")]
    link = tmp_path / "link.csv"
    link.symlink_to(output)
    invoke("sql", store, "SELECT 1 AS a", "--output", link)
    assert (output.read_text(), output.stat().st_mode & 0o777, link.is_symlink()) == ("a\n1\n", 0o640, True)


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk(form: str, store: Path, tmp_path: Path) -> None:
    query = "SELECT range AS a, md5(range::VARCHAR) AS b FROM range(500_000)"
    with small_disk(tmp_path / "disk", "300k") as disk:
        done = emm1_cli("sql", store, query, "--format", form, "--output", disk / "rows")
        message = f"emm1: {disk / 'rows'} cannot be written: No space left on device\n"
        assert (done.returncode, done.stderr) == (1, message)
        assert list(disk.iterdir()) == []


def test_devices_and_pipes_are_written_to_directly(store: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = subprocess.Popen(command("sql", store, "SELECT 1 AS a", "--format", "csv", "--output", pipe))
    assert pipe.read_text() == "a\n1\n"
    assert writing.wait() == 0
    assert emm1_cli("sql", store, "SELECT 1", "--format", "csv", "--output", "/dev/null").returncode == 0
    assert emm1_cli("sql", store, "SELECT 1 AS a", "--output", "/dev/stdout").stdout == "a\n1\n"


def test_a_large_result_is_not_collected_in_memory(store: Path, tmp_path: Path) -> None:
    script = """
import resource, sys
from emm1.cli import app
app(sys.argv[1:], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""

    def peak(form: str, rows: int) -> int:
        query = f"SET threads = 1; SELECT range AS a, range::VARCHAR || repeat('x', 200) AS b FROM range({rows})"
        arguments = ["sql", store, query, "--format", form, "--output", tmp_path / "rows"]
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=True
        )
        return int(done.stderr) // 1024

    for form in ("table", "csv", "jsonl", "arrow", "parquet"):
        assert peak(form, 1_000_000) - peak(form, 10_000) < 120, form  # of 200 MB


def test_arrow_keeps_enums_and_types(store: Path, tmp_path: Path) -> None:
    invoke("sql", store, "FROM assets ORDER BY ALL", "--output", tmp_path / "rows.arrow")
    with pa.memory_map(str(tmp_path / "rows.arrow")) as file:
        table = pa.ipc.open_file(file).read_all()
    assert pa.types.is_dictionary(table.schema.field("source_dataset").type)
    assert table.schema.field("id").type == pa.int32()
    invoke("sql", store, "FROM assets WHERE false", "--output", tmp_path / "none.arrow")
    assert pl.read_ipc(tmp_path / "none.arrow").columns == table.schema.names


def test_eshot_writes_the_report_to_a_folder_and_rows_to_a_file(store: Path, tree: Path, tmp_path: Path) -> None:
    arguments = commands(store, tree)["eshot"]
    text = invoke(*arguments)
    for folder in (tmp_path / "report", tmp_path / "report.v2"):
        assert invoke(*arguments, "--output", folder) == text
        assert (folder / "report.html").exists()
    published = read(tmp_path / "report/categories.csv")
    invoke(*arguments, "--output", tmp_path / "rows.csv")
    rows = read(tmp_path / "rows.csv")
    assert rows.equals(published.select(rows.columns))
    assert invoke(*arguments, "--format", "csv") == (tmp_path / "rows.csv").read_text()


def test_info_and_check_as_rows(store: Path, tmp_path: Path) -> None:
    info = json.loads(invoke("info", store, "--format", "json"))
    kinds = [row["kind"] for row in info]
    assert kinds == sorted(kinds, key=["store", "table", "source", "embeddings"].index)
    rows = {row["name"]: row["rows"] for row in info if row["kind"] == "table"}
    with emm1.open(store, read_only=True) as opened:
        assert rows["e_mm1_1m.triplets"] == opened.sql("SELECT count(*) FROM e_mm1_1m.triplets").fetchall()[0][0]
        sources = opened.sql("SELECT source, sha256 FROM provenance").fetchall()
    assert {(row["name"], row["sha256"]) for row in info if row["kind"] == "source"} == set(sources)
    check = json.loads(invoke("check", store, "--format", "json"))
    assert {row["kind"] for row in check} == {"ids", "source"}
    assert {row["missing"] for row in check if row["kind"] == "ids"} == {0}
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(store.read_bytes())
    with duckdb.connect(str(broken)) as connection:
        connection.execute("DELETE FROM e_mm1_100m.text WHERE encord_text_id = 7")
    done = emm1_cli("check", broken, "--format", "csv")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert pl.read_csv(done.stdout.encode())["missing"].sum() > 0


def test_check_counts_the_files_of_unknown_version_once(store: Path) -> None:
    shown = invoke("check", store)
    assert "0 of 32 source files are the published ones; 32 are of unknown version\n" in shown
    assert shown.count("unknown") == 1
