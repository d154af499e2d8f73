"""Nothing but `emm1.system` depends on the operating system, and its Windows branches work, as far as they can be run here."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import emm1

TOP = Path(__file__).parents[2]
PACKAGE = Path(emm1.__file__).parent
POSIX = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
WINDOWS = {"_winapi", "msvcrt", "nt", "winreg", "winsound"}

# Third-party modules are imported first, as they are here; then emm1 on a Windows that has its locks from this system.
AS_ON_WINDOWS = f"""
import fcntl, importlib, os, pathlib, pkgutil, sys, types
import emm1

def every_module():
    names = [found.name for found in pkgutil.walk_packages(emm1.__path__, "emm1.")]
    return [importlib.import_module(name) for name in names if name not in {{"emm1.__main__", "emm1._native"}}]

assert len(every_module()) > 150
for name in [name for name in sys.modules if name.partition(".")[0] == "emm1" and name != "emm1._native"]:
    del sys.modules[name]

def locking(descriptor, mode, size):
    assert (mode, size) == (2, 1)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PermissionError(13, "Permission denied") from error

sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=locking, open_osfhandle=lambda handle, _: handle)
sys.modules |= dict.fromkeys({sorted(POSIX - {"posix"})!r})
sys.platform = "win32"
import emm1
import emm1.system
assert every_module() and emm1.system.WINDOWS
folder = pathlib.Path(sys.argv[1])
"""


def on_windows(code: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AS_ON_WINDOWS + code, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_module_imports_without_the_modules_of_posix(tmp_path: Path) -> None:
    on_windows("", tmp_path)


def test_stores_are_built_and_replaced_and_files_are_viewed(tmp_path: Path) -> None:
    code = """
import numpy as np
emm1.write_sample(folder / "sample", scale=0.0001, embeddings=8)
for _ in range(2):
    emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"], force=True).close()
view = np.asarray(emm1.Embeddings(folder / "sample/embeddings/text.npy"))
assert (view == np.load(folder / "sample/embeddings/text.npy")).all()
assert sorted(path.name for path in folder.iterdir()) == ["emm1.duckdb", "sample"], "no lock is left"
"""
    on_windows(code, tmp_path)


def test_a_lock_is_held_once_and_given_back(tmp_path: Path) -> None:
    code = """
from emm1.staging import staging
from emm1.errors import StoreError
for _ in range(2):
    with staging(folder / "x.duckdb"):
        try:
            with staging(folder / "x.duckdb"):
                raise SystemExit("held twice")
        except StoreError as error:
            assert "another build of" in str(error)
assert not list(folder.iterdir())
"""
    on_windows(code, tmp_path)


def test_a_store_that_windows_keeps_open_is_named(tmp_path: Path) -> None:
    code = """
from emm1.errors import StoreError
emm1.write_sample(folder / "sample", scale=0.0001, embeddings=0)
store = folder / "emm1.duckdb"
emm1.build(folder / "sample", store, splits=["1m"]).close()
before = store.read_bytes()

def refused(self, target):
    raise PermissionError(13, "Access is denied", str(self), 5, str(target))

pathlib.Path.replace = refused
try:
    emm1.build(folder / "sample", store, splits=["1m"], force=True)
except StoreError as error:
    assert str(error) == f"{store} is open in a program, and Windows replaces no open file: close it there"
assert store.read_bytes() == before
"""
    on_windows(code, tmp_path)


def test_no_other_module_asks_for_the_system() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.name == "system.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
            assert not names & (POSIX | WINDOWS), path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in {("sys", "platform"), ("os", "name")}, path


@pytest.mark.parametrize("name", ["a\\b.npy", "it's \\.npy", "é\\'.npy"])
def test_a_backslash_in_a_path_is_a_character(name: str, tree: Path, tmp_path: Path) -> None:
    file = tmp_path / "in" / name
    file.parent.mkdir()
    np.save(file, np.eye(3, dtype=np.float32))
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["1m"]) as store:
        store.add_embeddings("x", file, dataset="1m", modality="audio", ids=first_ids(store))
        best = store.sql("SELECT id FROM nearest('x', [0, 1, 0], k := 1)").fetchall()
        assert best == [(first_ids(store)[1],)]
        assert store.sql("SELECT path FROM embeddings").fetchall() == [(f"in/{name}",)]


def first_ids(store: emm1.Store) -> list[int]:
    return [each for (each,) in store.sql("SELECT encord_audio_id FROM e_mm1_1m.audio ORDER BY ALL LIMIT 3").fetchall()]


def test_the_classifiers_name_the_systems_that_are_supported() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    systems = {
        name.rpartition(" :: ")[2].casefold() for name in project["classifiers"] if name.startswith("Operating System")
    }
    text = (TOP / "docs/platforms.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert systems == {system.casefold() for system, state, _ in rows if state == "supported"}
