"""The guide to lakes in the engines that it is for: its blocks run, and every table and view has the rows of the store.

Each engine is installed in its own folder in ``.clients``, like the clients, and skipped by name where it cannot be had.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import published
import pytest
from clients import TOP, UV, Client, NotAvailableError, python

import emm1

DOCUMENT = TOP / "docs/guide/lake.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# PyPI has Spark as sources only, which nothing compiles.
PIP = ("--quiet", "--python", "env/bin/python", "--require-hashes", "--only-binary", ":all:", "--no-binary", "pyspark")
SPARK = python("Spark", "spark", "use_spark.py", source="../engines/spark")
SPARK = replace(
    SPARK, fetch=(("java", "-version"), SPARK.fetch[0], (UV, "pip", "install", *PIP, "-r", "requirements.txt"))
)
DUCKLAKE = python("DuckLake", "ducklake", "use_ducklake.py", source="../engines/ducklake")
VIEWS = ("assets", "group_captions", "groups", "triplets", "eshot_categories", "same_files")
TABLES = ("flags", "maps", "media_status", "provenance", "splits")
# What the views look at in a name, beside names that they leave alone.
NAMES = (
    "../up",
    "a/../b",
    "..",
    "",
    ".",
    "/abs",
    "\\abs",
    "C:\\x",
    "z:x",
    "é:x",
    "a..b",
    "..c",
    "a\\..\\b",
    "n\0l",
    "it's",
    "a/b",
    "雪",
)
OTHER = "it's another `lake`"
# A category, and its accuracies in both directions, as the third script prints them.
CATEGORY = re.compile(r"^Category: (.*)$", re.MULTILINE)
COUNTS = re.compile(r"^  Top-\d Accuracy: [\d.]+ \((\d+)/(\d+) correct\)$", re.MULTILINE)


def section(title: str) -> list[tuple[str, str]]:
    """The blocks of a section for its engine, as kind and text."""
    text = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = [(kind, block) for kind, block in BLOCK.findall(text) if kind in ("py", "sql")]
    assert blocks
    return blocks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands of the guide have run, on a store that has rows in all tables."""
    folder = tmp_path_factory.mktemp("lake")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("ROOT_DATA_PATH", None)
    build, *commands = (text for kind, text in BLOCK.findall(DOCUMENT.read_text(encoding="utf-8")) if kind == "sh")
    for text in (build, *commands):
        subprocess.run(["sh", "-e", "-c", text], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        if text is build:
            fill(folder / "emm1.duckdb")
    return folder


def fill(path: Path) -> None:
    """Give the tables of emm1's own rows."""
    with emm1.open(path) as store:
        store.split(50, 50)
        store.add_flags({"dataset": ["100m"] * 2, "modality": ["video", "image"], "id": [7, 3]}, "seen")
        store.sql("INSERT INTO maps SELECT 'text', i, i / 3, -i FROM range(5, 0, -1) t(i)")
        store.sql("INSERT INTO media_status SELECT '1m', 'audio', i, 'found', NULL, now() FROM range(3) t(i)")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[emm1.Store]:
    with emm1.open(folder / "emm1.duckdb", read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def other(folder: Path) -> Iterator[emm1.Store]:
    """A store of names that lead out of their folders, whose lake is in a folder with an odd name, too."""
    with emm1.build(folder / "sample", folder / "other.duckdb", splits=["1m"]) as store:
        store.connection.execute((files("emm1") / "sql/build/climbing_names.sql").read_text(encoding="utf-8"))
        for number, name in enumerate(NAMES):
            row = {"id": 10**6 + number, "name": name}
            store.connection.execute(
                "INSERT INTO e_mm1_1m.audio BY NAME "
                "SELECT $id AS encord_audio_id, $name AS file_name, 'shared' AS save_folder",
                row,
            )
        store.sql("SET VARIABLE emm1_root = '/it''s \\ a `root`'")
        store.sql("SET VARIABLE emm1_audio_folder = 'video'")
        store.lake(folder / OTHER)
        yield store


def tables(store: emm1.Store) -> list[str]:
    schemas = "('e_mm1_100m', 'e_mm1_1m', 'eshot')"
    query = f"SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name IN {schemas} ORDER BY ALL"
    return [*(name for (name,) in store.sql(query).fetchall()), *TABLES, *VIEWS]


def run(engine: Client, folder: Path, **asked: Any) -> list[dict[str, Any]]:
    """What the program of an engine prints."""
    try:
        engine.install()
    except NotAvailableError as error:
        pytest.skip(f"{engine.label}: not run: {error}")
    done = engine.run(*engine.program, where=folder, text=json.dumps(asked), check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-10_000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def counted(rows: Sequence[Any]) -> Counter[str]:
    """Rows as a multiset of texts, whatever their values are in an engine."""
    return Counter(json.dumps([*row], default=str) for row in rows)


def check_all(store: emm1.Store, names: list[str], found: list[dict[str, Any]]) -> None:
    for name, answer in zip(names, found, strict=True):
        expected = store.connection.table(name)
        assert answer["columns"] == expected.columns, name
        assert answer["rows"], name
        assert counted(answer["rows"]) == counted(expected.fetchall()), name


def test_spark(folder: Path, store: emm1.Store, other: emm1.Store) -> None:
    names = tables(store)
    blocks = section("Spark")
    statements = [f"SELECT * FROM {name}" for name in names]
    cluster, *found = run(SPARK, folder, blocks=blocks, statements=statements, other=OTHER)
    assert cluster["master"] == "local-cluster[2,1,1024]"
    assert len(cluster["executors"]) == 2
    assert f"Spark {'.'.join(cluster['version'].split('.')[:2])}" in DOCUMENT.read_text(encoding="utf-8")
    (first, second, third), tables_and_views, odd = found[:3], found[3:-1], found[-1]

    root = str(folder / "sample")
    modalities = ["image", "audio", "video", "points"]
    groups = published.groups(Path(root), root, 1, modalities)
    assert first["columns"] == groups.columns
    assert counted(first["rows"]) == counted(groups.rows())
    assert counted(first["rows"]) == counted(store.groups(1, modalities).fetchall())
    triplets = published.triplets(Path(root), root, ["points", "audio"])
    assert second["columns"] == triplets.columns
    assert counted(second["rows"]) == counted(triplets.rows())
    assert counted(second["rows"]) == counted(store.triplets(["points", "audio"]).fetchall())
    script = [sys.executable, str(TOP / "tests/oracle/eshot_script.py"), root]
    printed = subprocess.run(script, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert counted(third["rows"]) == counted(accuracies(printed))
    assert third["rows"]

    check_all(store, names, tables_and_views)
    assert counted(odd["rows"]) == counted(other.connection.table("assets").fetchall())
    paths = {row[-1] for row in odd["rows"] if row[2] >= 10**6}
    assert {path and path.removeprefix("/it's \\ a `root`/shared/video/") for path in paths} == {
        None, "é:x", "a..b", "..c", "it's", "a/b", "雪",
    }  # fmt: skip


def accuracies(printed: str) -> list[tuple[str, str, int, int, int]]:
    """The rows of the third example from what the published script prints."""
    _, *parts = CATEGORY.split(printed)
    rows = []
    for category, text in zip(parts[::2], parts[1::2], strict=True):
        (one, count), (five, _), (one_back, count_back), (five_back, _) = COUNTS.findall(text)
        rows.append((category, "audio", int(one), int(five), int(count)))
        rows.append((category, "points", int(one_back), int(five_back), int(count_back)))
    return rows


def test_ducklake(folder: Path, store: emm1.Store) -> None:
    names = tables(store)
    blocks = [(kind, text.replace("/data/emm1", str(folder / "sample"))) for kind, text in section("DuckLake")]
    read = "EXPLAIN ANALYZE SELECT count(*) FROM e_mm1_100m.groups WHERE nn_index = 3"
    statements = [*(f"SELECT * FROM {name}" for name in names), read]
    version, *found, plan = run(DUCKLAKE, folder, blocks=blocks, statements=statements)
    assert f"DuckDB {version['version']}" in DOCUMENT.read_text(encoding="utf-8")
    check_all(store, names, found)
    assert "Total Files Read: 1" in plan["rows"][0][1]
