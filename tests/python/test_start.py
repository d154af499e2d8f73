"""What is imported by `import emm1` and by opening a store: everything else is imported when it is used."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import emm1

SLOW = {"altair", "ml_dtypes", "polars", "pyarrow", "sqlglot"}


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
