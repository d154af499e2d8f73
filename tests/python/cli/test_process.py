"""emm1 as a process: streams that cannot be written, control characters in the output, and Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from system import command, emm1_cli, small_disk
from terminal import in_terminal, read_all

import emm1

ESCAPE = "\x1b[31m\x9b2J\rred\x07"
SHOWN = r"\x1b[31m\x9b2J\rred\x07"
NEVER_ENDS = "SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000_000) b"


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with embeddings."""
    path = tmp_path_factory.mktemp("process") / "emm1.duckdb"
    with emm1.build(tree, path) as built:
        for name in ("text", "image"):
            built.add_embeddings(name, tree / f"embeddings/{name}.npy", dataset="100m", modality=name)
    return path


def commands(store: Path, tree: Path) -> dict[str, list[object]]:
    return {
        "info": ["info", store],
        "check": ["check", store],
        "list": ["embeddings", "list", store],
        "verify": ["embeddings", "verify", store],
        "search": ["search", store, "text", "--id", emm1.Embeddings(tree / "embeddings/text.npy").ids[0], "-k", 60],
        "eshot": ["eshot", store, *(f"--{m}={tree}/embeddings/eshot_{m}.npy" for m in ("audio", "points"))],
        "table": ["sql", store, "FROM groups LIMIT 1000"],
        "csv": ["sql", store, "FROM groups", "--format", "csv"],
        "extension": ["extension"],
        "help": ["--help"],
    }


COMMANDS = ["info", "check", "list", "verify", "search", "eshot", "table", "csv", "extension", "help"]


def run(arguments: list[object], **options: Any) -> subprocess.CompletedProcess[Any]:
    environment = {**os.environ, "COLUMNS": "200", **options.pop("env", {})}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.run(command(*arguments), check=False, env=environment, **options)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_behind_the_output(name: str, store: Path, tree: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(commands(store, tree)[name], stdout=full)
    assert (done.returncode, done.stderr) == (1, "emm1: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_reader_that_goes(name: str, store: Path, tree: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(commands(store, tree)[name], stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("name", "encoding"), [*((name, "ascii") for name in COMMANDS), ("search", "latin1")])
def test_an_output_that_cannot_encode(name: str, encoding: str, store: Path, tree: Path) -> None:
    arguments = commands(store, tree)[name]
    done = run(arguments, env={"PYTHONIOENCODING": encoding}, text=False)
    utf8 = run(arguments, env={"PYTHONIOENCODING": "utf-8"}, text=False)
    assert (done.returncode, done.stderr) == (0, b"")
    if name == "csv":  # data, which does not depend on the encoding of text
        assert done.stdout == utf8.stdout
    else:
        assert len(done.stdout.decode(encoding).split("\n")) == len(utf8.stdout.decode().split("\n"))


def test_what_stands_in_for_a_character(store: Path) -> None:
    query = ["sql", store, "SELECT 'Übergröße ×' AS a, 'b' AS b"]
    assert run(query, env={"PYTHONIOENCODING": "ascii"}).stdout == "a\tb\n\\xdcbergr\\xf6\\xdfe x\tb\n"
    expected = """\
a                     b
varchar               varchar
--------------------  -------
\\xdcbergr\\xf6\\xdfe x  b
1 row
"""
    assert in_terminal(*query, PYTHONIOENCODING="ascii") == (0, expected)


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_the_locale_c(locale: str, store: Path) -> None:
    environment = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run(["embeddings", "verify", store], env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "x 16 float32" in done.stdout


def closing(first: int, last: int) -> Callable[[], None]:
    return lambda: os.closerange(first, last + 1)


def test_streams_that_are_closed(store: Path) -> None:
    done = run(["info", store], stdout=None, preexec_fn=closing(1, 1))
    assert (done.returncode, done.stderr) == (
        1,
        "emm1: standard output is closed: send it to a file, or to /dev/null\n",
    )
    before = store.read_bytes()
    done = run(["info", store], stderr=None, preexec_fn=closing(2, 2))
    assert (done.returncode, done.stdout.startswith(str(store))) == (0, True)
    done = run(["info", store.with_name("no.duckdb")], stderr=None, preexec_fn=closing(2, 2))
    assert (done.returncode, done.stdout) == (1, "")
    assert run(["info", store], stdout=None, stderr=None, preexec_fn=closing(0, 2)).returncode == 1
    assert store.read_bytes() == before


def test_outputs_that_cannot_be_written(store: Path, tree: Path, tmp_path: Path) -> None:
    file, missing = tmp_path / "file", tmp_path / "no" / "rows"
    file.write_text("mine")
    report = commands(store, tree)["eshot"]
    for arguments, message in (
        ([*report, "--output", file], f"{file} is a file: name a folder for the report"),
        (["sql", store, "SELECT 1", "--output", tmp_path], f"{tmp_path} cannot be written: Is a directory"),
        (["sql", store, "SELECT 1", "--output", missing], f"{missing} cannot be written: No such file or directory"),
        (["sql", store, "SELECT 1", "--output", "/dev/full"], "/dev/full cannot be written: No space left on device"),
        (["sql", store, "SELECT 1", "--output", "/dev/full", "--format", "csv"], "No space left on device"),
        (["knn", store, "image", "image", "--output", file / "rows.parquet"], "Not a directory"),
        (["sample", file], f"{file} is a file: name a new or empty folder for the sample"),
        (["sample", file / "sample"], "Not a directory"),
    ):
        done = run([*arguments])
        assert (done.returncode, done.stderr.count("\n"), "Traceback" in done.stderr) == (1, 1, False), done.stderr
        assert message in done.stderr
    assert file.read_text() == "mine"


def test_a_sample_that_does_not_fit_goes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "300k") as disk:
        (disk / "there").mkdir()
        for folder in (disk / "new", disk / "there"):
            done = emm1_cli("sample", folder)
            assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
            assert f"the sample cannot be written to {folder}: " in done.stderr
            with pytest.raises(emm1.Error, match="cannot be written"):
                emm1.write_sample(folder)
        assert [path.name for path in disk.rglob("*")] == ["there"]


@pytest.fixture
def odd_store(own_tree: Path, tmp_path: Path) -> Path:
    """A store with control characters everywhere they are possible, and embeddings with odd names."""
    for name, column in (("text", "caption"), ("image", "file_name")):
        path = own_tree / f"e-mm1_100m/infos/{name}.csv"
        infos = pl.read_csv(path, infer_schema=False)
        infos.with_columns(pl.lit(f"{ESCAPE}\n").add(pl.col(column)).alias(column)).write_csv(path)
    for path in own_tree.glob("eshot/*.json"):
        listed = json.loads(path.read_text())
        path.write_text(json.dumps({f"{ESCAPE}{name}": ids for name, ids in listed.items()}))
    store = tmp_path / f"odd{ESCAPE}.duckdb"
    folder = own_tree / "embeddings"
    (tmp_path / ESCAPE).mkdir()
    with emm1.build(own_tree, store, media_root=tmp_path / ESCAPE) as built:
        for name in ("text", "image"):
            file = (folder / f"{name}.npy").rename(folder / f"{ESCAPE}{name}.npy")
            ids = folder / f"{name}.ids.npy" if name == "text" else None
            built.add_embeddings(f"{ESCAPE}{name}", file, dataset="100m", modality=name, ids=ids)
    return store


def test_control_characters_are_made_visible(odd_store: Path, own_tree: Path, tmp_path: Path) -> None:
    text, image = f"{ESCAPE}text", f"{ESCAPE}image"
    item = np.load(own_tree / "embeddings/text.ids.npy")[0]
    shown = {
        "search captions": ["search", odd_store, text, "--id", item],
        "search files": ["search", odd_store, image, "--id", 0],
        "info": ["info", odd_store],
        "list": ["embeddings", "list", odd_store],
        "verify": ["embeddings", "verify", odd_store],
        "eshot": ["eshot", odd_store, *(f"--{m}={own_tree}/embeddings/eshot_{m}.npy" for m in ("audio", "points"))],
        "table": ["sql", odd_store, "FROM e_mm1_100m.text LIMIT 3"],
        "sample": ["sample", tmp_path / f"sample{ESCAPE}", "--embeddings", 0],
        "build": ["build", own_tree, tmp_path / f"other{ESCAPE}.duckdb", "--splits", "eshot"],
        "upgrade": ["upgrade", odd_store],
        "knn": ["knn", odd_store, image, image, "--output", tmp_path / f"{ESCAPE}.parquet"],
        "unknown name": ["search", odd_store, f"{ESCAPE}none", "--id", 0],
        "no such store": ["info", f"{ESCAPE}.duckdb"],
        "wrong SQL": ["sql", odd_store, f"SELECT '{ESCAPE}'::INTEGER"],
        "wrong option": ["sql", odd_store, "SELECT 1", "--format", ESCAPE],
        "wrong folder": ["check", odd_store, "--media-root", ESCAPE],
        "remove": ["embeddings", "remove", odd_store, text],
    }
    # Tabs between the columns of these tables.
    tabs = {
        "search captions": {3},
        "search files": {3},
        "list": {8},
        "table": {3},
        "info": {0, 1, 4, 7},
        "build": {0, 1},
    }
    lines = {}
    for name, arguments in shown.items():
        done = run(arguments)
        lines[name] = done.stdout.count("\n")
        printed = done.stdout + done.stderr
        assert {line.count("\t") for line in done.stdout.splitlines()} <= tabs.get(name, {0}), name
        assert not re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", printed.replace("\t", "")), name
        assert "red" in printed, name
        if name not in {"table", "wrong option", "wrong folder"}:
            assert SHOWN in printed, (name, printed)
    # One line per row, whatever the row contains.
    assert lines["search captions"] == lines["search files"] == 11
    # Data formats are written unchanged.
    data = run(["sql", odd_store, "SELECT caption FROM e_mm1_100m.text LIMIT 1", "--format", "json"], text=False)
    assert json.loads(data.stdout)[0]["caption"].startswith(ESCAPE)


def test_control_characters_on_a_terminal(odd_store: Path) -> None:
    status, printed = in_terminal("search", odd_store, f"{ESCAPE}image", "--id", 0, columns=600)
    assert status == 0
    assert "\x1b[31m" not in printed
    assert SHOWN in printed


QUERIES = [
    [NEVER_ENDS],
    [f"{NEVER_ENDS}; SELECT 1"],
    ["FROM range(10_000_000) a, range(10_000_000) b ORDER BY a.range * b.range % 1_000_003"],
    ["FROM range(10_000_000) a, range(10_000_000) b", "--format", "csv"],
    ["WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t", "--format", "jsonl"],
    [f"SET threads = 1; {NEVER_ENDS}", "--write"],
    # A function that ignores the interrupt: the process exits anyway.
    ["SELECT sum(length(regexp_replace(repeat('a', 100_000_000), '(a*)*b', ''))) FROM range(1000)"],
]


def working(process: subprocess.Popen[Any]) -> bool:
    """Whether a process has used so much processor time that it must be running its query."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 1.5


@pytest.mark.skipif(sys.platform != "linux", reason="the time a process used is read from /proc")
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_ctrl_c_ends_a_query(query: list[str], terminal: bool, store: Path, tmp_path: Path) -> None:
    reading, writing = pty.openpty() if terminal else os.pipe()
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        command("sql", store, *query),
        stdin=writing if terminal else subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        env=environment,
        start_new_session=True,
    )
    os.close(writing)
    while not working(process):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    printed = read_all(reading)
    assert (process.wait(), printed.strip()) == (130, "emm1: interrupted")
    assert not list(tmp_path.iterdir())


def test_ctrl_c_while_modules_are_imported(store: Path) -> None:
    process = subprocess.Popen(command("info", store), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "Threads:\t1\n" in Path(f"/proc/{process.pid}/status").read_text():
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", "emm1: interrupted\n")
    assert process.returncode == 130


def test_ctrl_c_is_ignored_where_the_shell_says_so(store: Path) -> None:
    script = (
        f"trap '' INT; echo ready; exec {shlex.join(command('sql', store, 'SELECT count(*) FROM range(100_000_000)'))}"
    )
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert b"100000000" in process.communicate()[0]
    assert process.returncode == 0
