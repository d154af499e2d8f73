"""The source archive builds, its wheel works without anything else from this tree, and so does the extension alone."""

import doctest
import importlib
import os
import re
import subprocess
import sys
import sysconfig
import textwrap
import tomllib
import venv
import zipfile
from pathlib import Path

import duckdb
import numpy as np
import pytest

TOP = Path(__file__).parents[2]
NEAREST = """
import sys
from pathlib import Path
import numpy as np
import emm1

folder = Path(sys.argv[1])
assert Path(emm1.__file__).is_relative_to(sys.prefix), emm1.__file__
emm1.write_sample(folder / "sample", scale=0.0001, embeddings=8)
file = folder / "sample" / "embeddings" / "text.npy"
with emm1.build(folder / "sample", folder / "emm1.duckdb") as store:
    store.add_embeddings("text", file, dataset="100m", modality="text")
    found = store.sql("SELECT id FROM nearest('text', embedding('text', 7), k := 5)").fetchall()
vectors = np.load(file).astype(np.float64)
ids = np.load(file.with_name("text.ids.npy"))  # they have gaps
query = vectors[ids.tolist().index(7)]
scores = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
best = ids[np.argsort(-scores, kind="stable")[:5]].tolist()
assert [id for (id,) in found] == best, (found, best)
"""


def run(*command: object, cwd: Path = TOP) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def build(hook: str, source: Path, folder: Path) -> Path:
    """Run a hook of the build backend, as pip does."""
    folder.mkdir()
    code = f"import sys; sys.path.insert(0, 'packaging'); import backend; backend.{hook}(sys.argv[1])"
    run(sys.executable, "-c", code, folder, cwd=source)
    (built,) = folder.iterdir()
    return built


def files(*folders: str) -> set[str]:
    found = (path for name in folders for path in (TOP / name).rglob("*") if path.is_file())
    return {path.relative_to(TOP).as_posix() for path in found if "__pycache__" not in path.parts}


def test_source_archive_to_wheel_to_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (TOP / ".git").exists():
        pytest.skip("made from a clone only")
    archive = build("build_sdist", TOP, tmp_path / "sdist")
    (tmp_path / "source").mkdir()
    run("tar", "-xzf", archive, "-C", tmp_path / "source")  # not every Python 3.11 has tarfile's filters
    (source,) = (tmp_path / "source").iterdir()
    names = {path.relative_to(source).as_posix() for path in source.rglob("*")}
    assert files("sql", "rust", "packaging") <= names
    assert not [name for name in names if name.endswith((".duckdb", ".duckdb_extension", ".so", ".pyc"))]

    # Compiled dependencies are reused: only the sources are in another place.
    monkeypatch.setenv("CARGO_TARGET_DIR", str(TOP / "target"))
    wheel = build("build_wheel", source, tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert {"emm1/emm1.duckdb_extension", "emm1/py.typed", "emm1/data/published_files.csv"} <= names
    assert [name for name in names if name.startswith("emm1/_native.")]
    assert {f"emm1/{name}" for name in files("sql")} <= names
    shown = files(
        *(f"python/emm1/{folder}" for folder in ("evaluation/report/templates", "explore/static", "explore/templates"))
    )
    assert {name.removeprefix("python/") for name in shown} <= names
    assert not [name for name in names if name.endswith((".duckdb", ".rs", ".pyc"))]

    # A separate environment, which takes its dependencies from this one.
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    packages = sysconfig.get_path("purelib")
    code = f"import sys; sys.path.append({packages!r})\n{NEAREST}"
    run(python, "-c", code, tmp_path, cwd=tmp_path)


def test_the_extension_alone_as_community_extensions_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build machines call these targets and take the file; what the description shows runs with it alone."""
    run("make", "configure_ci", "release", "test_release")
    described = (TOP / "packaging/description.yml").read_text(encoding="utf-8")
    version = tomllib.loads((TOP / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    assert re.findall(r"^  version: (.*)$", described, re.MULTILINE) == [version]
    shown = textwrap.dedent(described.partition("hello_world: |\n")[2].partition("  extended_description")[0])
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.load_extension(str(TOP / "build/release/extension/emm1/emm1.duckdb_extension"))
    functions = connection.sql(
        "SELECT DISTINCT function_name FROM duckdb_functions() "
        "WHERE function_name LIKE 'emm1%' AND function_name <> 'emm1_registered'"  # for the macros of a store
    )
    assert {*re.findall(r"emm1_\w+", described.partition("Functions:")[2])} == {
        name for (name,) in functions.fetchall()
    }
    vectors = np.random.default_rng(1).standard_normal((50, 8), dtype=np.float32)
    scores = vectors @ vectors[7] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[7])
    monkeypatch.chdir(tmp_path)
    np.save("vectors.npy", vectors)
    np.save("queries.npy", vectors[7:9])
    topk, knn = (connection.execute(statement).fetchall() for statement in shown.strip().split(";")[:2])
    best = np.argsort(-scores)
    assert [found for _, found, _ in topk] == best[:5].tolist()
    assert [found for query, _, found, _ in knn if query == 0] == best[:10].tolist()


def test_maturin_with_zig_is_told_to_the_extension_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a wheel is called manylinux whose extension needs the glibc of this machine."""
    monkeypatch.syspath_prepend(str(TOP / "packaging"))
    backend = importlib.import_module("backend")
    built: list[tuple[object, ...]] = []
    monkeypatch.setattr(backend, "build", lambda *what: built.append(what[1:]))
    for options in (
        "",
        "--zig --target aarch64-unknown-linux-gnu",
        "--zig --compatibility manylinux_2_28",
        "--target x",
    ):
        backend._build_extension({"build-args": options})
    assert built == [(None, None), ("aarch64-unknown-linux-gnu", "2.17"), (None, "2.28"), ("x", None)]


@pytest.mark.parametrize("module", ["extension", "release", "locked", "wheels"])
def test_examples(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOP / "packaging"))
    done = doctest.testmod(importlib.import_module(module))
    assert done.attempted
    assert not done.failed
