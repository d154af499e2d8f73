"""The store that every client reads."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from matrix import BLOCK, DOCUMENT, Matrix

import emm1

collect_ignore_glob = ["*/use_*.py"]  # these run in the environments of their clients


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-matrix", action="store_true", help="write the results of each client to the document")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first block of docs/guide/clients.md has run: it has emm1.duckdb and the extension."""
    folder = tmp_path_factory.mktemp("clients")
    (kind, text), *_ = BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert kind == "sh"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("ROOT_DATA_PATH", None)
    subprocess.run(["sh", "-e", "-c", text], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="session")
def store(folder: Path) -> Iterator[emm1.Store]:
    """The store, open for reading meanwhile, so that a client that does not open it read-only is refused."""
    with emm1.open(folder / "emm1.duckdb", read_only=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def matrix(request: pytest.FixtureRequest) -> Iterator[Matrix]:
    matrix = Matrix.read(write=request.config.getoption("--write-matrix"))
    yield matrix
    if matrix.write:
        matrix.save()
