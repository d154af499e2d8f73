"""The fixtures of the tour: a sample, and a store that is built here or by another version of DuckDB."""

import shutil
import sys
from pathlib import Path

import pytest
from making import make

import emm1
from emm1.versions import in_use, untested

assert Path(emm1.__file__).is_relative_to(sys.prefix), f"the tour tests the installed emm1, not {emm1.__file__}"


def pytest_report_header() -> str:
    return in_use()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which release may have broken the tour."""
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(untested() or f"no package is newer than the tests have seen: {in_use()}", red=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--made", metavar="FOLDER", help="where making.py was run with other versions")


@pytest.fixture(scope="session")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``sample``, and ``emm1.duckdb`` with four registered embeddings."""
    folder = tmp_path_factory.mktemp("tour") / "made"
    made = request.config.getoption("--made")
    if made:
        return Path(shutil.copytree(made, folder))
    make(folder)
    return folder


@pytest.fixture(scope="session")
def tree(folder: Path) -> Path:
    return folder / "sample"


@pytest.fixture(scope="session")
def store_path(folder: Path) -> Path:
    return folder / "emm1.duckdb"


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder that a test may change."""
    return Path(shutil.copytree(folder, tmp_path / "own"))
