"""Trees and stores that several tests read."""

import shutil
from pathlib import Path

import pytest

import emm1


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree") / "sample"
    emm1.write_sample(root, scale=0.0002, embeddings=16, seed=4)
    return root


@pytest.fixture(scope="session")
def store_path(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "emm1.duckdb"
    emm1.build(tree, path).close()
    return path


@pytest.fixture
def own_tree(tree: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tree, tmp_path / "tree"))
