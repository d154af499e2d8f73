"""Stores of an older and a newer emm1: a clear message that says what to do. And the versions of the dependencies."""

import lzma
import platform
import re
import shutil
import sys
import tarfile
import tomllib
from importlib import metadata
from pathlib import Path

import duckdb
import numpy as np
import pytest
from sqlglot import exp
from store_content import content
from system import emm1_cli

import emm1
from emm1 import versions
from emm1.__main__ import run
from emm1.cli import show
from emm1.ingest.enums import PUBLISHED
from emm1.interrupts import Interrupts
from emm1.store.database import SCHEMA_VERSION

TOP = Path(__file__).parents[2]


def execute(store: Path, *statements: str) -> None:
    with duckdb.connect(str(store)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def older(store_path: Path, tree: Path, tmp_path: Path) -> Path:
    """A store of the previous version, whose views, macros, comments and types differ from this version's."""
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


@pytest.fixture(params=range(1, SCHEMA_VERSION))
def of_its_time(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store built by the emm1 of an older schema version (tests/data/make.sh), with its tree."""
    store, data = tmp_path / "emm1.duckdb", TOP / "tests" / "data"
    store.write_bytes(lzma.decompress((data / f"schema-{request.param}" / "emm1.duckdb.xz").read_bytes()))
    with tarfile.open(data / "tree.tar.xz") as packed:
        packed.extractall(tmp_path)  # noqa: S202 - our own file, and not every Python 3.11 has filters
    return store


def test_a_store_of_its_time_is_refused_with_the_way_on(of_its_time: Path, tmp_path: Path) -> None:
    before = of_its_time.read_bytes()
    for command in (
        ["info", of_its_time],
        ["sql", of_its_time, "SELECT 1"],
        ["build", tmp_path / "sample", of_its_time],
    ):
        done = emm1_cli(*command)
        assert (done.returncode, f"emm1 upgrade {of_its_time}" in done.stderr) == (1, True), done.stderr
    assert of_its_time.read_bytes() == before


def test_a_store_of_its_time_becomes_what_is_built_today(of_its_time: Path, tmp_path: Path) -> None:
    emm1.build(tmp_path / "sample", tmp_path / "new.duckdb").close()
    done = emm1_cli("upgrade", of_its_time)
    assert (done.returncode, done.stderr) == (0, "")
    upgraded, new = content(of_its_time), content(tmp_path / "new.duckdb")
    for found in (upgraded, new):  # except where the files were, and which version read them
        found["provenance"] = [(*row[:1], *row[2:5], *row[6:]) for row in found["provenance"]]
        found["store"] = [row[:1] for row in found["store"]]
    assert upgraded == new
    with emm1.open(of_its_time) as store:
        vector = np.load(tmp_path / "sample/embeddings/image.npy")[3]
        (item,) = np.load(tmp_path / "sample/embeddings/image.ids.npy")[[3]].tolist()
        assert store.metric("image") == "dot"
        assert store.nearest("image", vector, k=1, metric="cosine").select("id").fetchall() == [(item,)]


@pytest.mark.parametrize("name", ["none.duckdb", "text.duckdb", "other.duckdb"])
def test_what_is_no_store_is_not_upgraded(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("notes")
    execute(tmp_path / "other.duckdb", "CREATE TABLE mine AS SELECT 1 AS a")
    done = emm1_cli("upgrade", tmp_path / name)
    assert done.returncode == 1
    assert "does not exist" in done.stderr or "not an emm1 store" in done.stderr


def test_tested_versions_are_those_of_the_lock_file() -> None:
    packages = tomllib.loads((TOP / "uv.lock").read_text("utf-8"))["package"]
    locked = {f"{package['name']}=={package['version']}" for package in packages if package["name"] != "emm1"}
    tested = (TOP / "python/emm1/data/tested.txt").read_text("utf-8").split()
    assert {line.split("==")[0] for line in tested} >= {*versions.PACKAGES}
    assert {*tested} <= locked, "`make lock` writes both"


def test_info_says_what_is_in_use(store_path: Path) -> None:
    printed = emm1_cli("info", store_path).stdout
    for part in (f"emm1 {emm1.__version__}", f"Python {platform.python_version()}", f"duckdb {duckdb.__version__}"):
        assert part in printed


def test_a_failure_beside_a_release_not_seen_says_which_work(
    store_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release that does not exist can only be simulated, in the metadata of the installed package."""
    real = metadata.version
    monkeypatch.setattr(versions, "version", lambda name: "99.1.dev3" if name == "duckdb" else real(name))
    monkeypatch.setattr(sys, "argv", ["emm1", "info", str(store_path)])

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(show, "table", fails)
    error: Exception = duckdb.InternalException("something new")
    assert run(Interrupts()) == 1
    printed = capsys.readouterr().err
    assert re.search(
        r"duckdb 99\.1\.dev3\b.*: newer than emm1", printed
    )  # others may be newer as well: `make test-newest`
    assert f"pip install 'duckdb<={locked_version('duckdb')}'" in printed
    error = TypeError("unexpected argument")
    with pytest.raises(TypeError) as raised:
        run(Interrupts())
    assert "pip install 'duckdb<=" in raised.value.__notes__[0]
    error = emm1.StoreError("the user's own mistake")
    assert run(Interrupts()) == 1
    assert "newer" not in capsys.readouterr().err


def locked_version(name: str) -> str:
    packages: list[dict[str, str]] = tomllib.loads((TOP / "uv.lock").read_text("utf-8"))["package"]
    return next(package["version"] for package in packages if package["name"] == name)
