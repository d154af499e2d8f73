"""What is imported by `import emm1` and by opening a store: everything else is imported when it is used."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import emm1

SLOW = {"altair", "jinja2", "ml_dtypes", "polars", "pyarrow", "sqlglot"}
# What typer imports to convert arguments and to draw help.
TYPERS = {"pydantic", "rich.markdown"}


@pytest.fixture(scope="module")
def store_with_embeddings(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with embeddings of images."""
    path = tmp_path_factory.mktemp("start") / "emm1.duckdb"
    with emm1.build(tree, path) as store:
        store.add_embeddings("image", tree / "embeddings/image.npy", dataset="100m", modality="image")
    return path


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("", SLOW | {"duckdb", "numpy", "rich", "typer", "emm1._native"}),
        ("emm1.open(sys.argv[1], read_only=True).close()", SLOW | {"rich", "typer"}),
        ("import emm1.cli", SLOW),
    ],
)
def test_what_is_slow_to_import_waits_until_it_is_used(store_path: Path, statement: str, absent: set[str]) -> None:
    code = f"import sys, emm1\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, store_path], capture_output=True, text=True, check=True)
    assert absent & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], SLOW | TYPERS | {"numpy", "rich", "emm1._native"}),
        (["build", "--help"], SLOW | TYPERS | {"numpy", "rich", "emm1._native"}),
        (["info", "STORE"], SLOW | TYPERS | {"numpy", "emm1._native"}),
        (["embeddings", "list", "STORE"], SLOW | TYPERS | {"numpy", "emm1._native"}),
        (["search", "STORE", "image", "--id", "7"], SLOW | TYPERS | {"numpy.ma"}),
    ],
)
def test_what_commands_import(store_with_embeddings: Path, arguments: list[str], absent: set[str]) -> None:
    code = "import sys\nfrom emm1.__main__ import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    arguments = [str(store_with_embeddings) if argument == "STORE" else argument for argument in arguments]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout
    assert absent & set(done.stderr.split()) == set()


def test_every_name_is_there() -> None:
    code = "from emm1 import *\nimport emm1\nassert set(emm1.__all__) <= set(dir()) & set(dir(emm1))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_functions_are_no_modules() -> None:
    code = "import emm1.ingest.run, emm1.embeddings.knn, emm1.ingest.build, emm1.sample.write, emm1\nassert callable(emm1.build) and callable(emm1.knn)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_modules_are_attributes() -> None:
    code = "import emm1\nassert emm1.convert.convert and emm1.store.Store is emm1.Store"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'emm1' has no attribute 'opne'"):
        emm1.opne  # type: ignore[attr-defined]  # noqa: B018


def test_errors_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(emm1.StoreError("gone")))  # noqa: S301
    assert (type(error), str(error)) == (emm1.StoreError, "gone")
