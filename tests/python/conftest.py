"""Trees and stores that several tests use."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_files import smaller
from hypothesis import settings
from trees import copied

import emm1

# A busy machine may take any time for an example.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-screens", action="store_true", help="write what the terminals show to cli/screens")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> Iterator[None]:
    """Let Python and its child processes receive Ctrl-C, which shells make background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree") / "sample"
    emm1.write_sample(root, scale=0.0002, embeddings=16, seed=4)
    return root


@pytest.fixture(scope="session")
def illustrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the same sample with media, which is in the folder `sample` beside it."""
    folder = tmp_path_factory.mktemp("illustrated")
    emm1.write_sample(folder / "sample", scale=0.0002, embeddings=16, seed=4, media=True)
    path = folder / "emm1.duckdb"
    with emm1.build(folder / "sample", path) as store:
        for name in ("text", "image"):
            store.add_embeddings(name, folder / f"sample/embeddings/{name}.npy", dataset="100m", modality=name)
    return path


@pytest.fixture(scope="session")
def store_path(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "emm1.duckdb"
    emm1.build(tree, path).close()
    return path


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same sample as the Hub has it."""
    root = tmp_path_factory.mktemp("hub") / "sample"
    emm1.write_sample(root, scale=0.0002, embeddings=16, seed=4, edition="hub")
    return root


@pytest.fixture
def own_hub(hub: Path, tmp_path: Path) -> Path:
    """A copy of it, of three ranks and without EShot, that a test may change."""
    return smaller(copied(hub, tmp_path / "own"))


@pytest.fixture
def own_tree(tree: Path, tmp_path: Path) -> Path:
    """A copy of the tree that a test may change."""
    return copied(tree, tmp_path / "tree")
