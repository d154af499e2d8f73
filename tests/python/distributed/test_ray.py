"""What is said without Ray; tests/engines has the tests on a cluster."""

import sys

import pytest
from typer.testing import CliRunner

from emm1.cli import app
from emm1.errors import Error

KNN = ["knn", "no.duckdb", "./q.npy", "./b.npy", "--output", "near.parquet"]


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = CliRunner().invoke(app, [*KNN, "--engine", "ray"])
    assert isinstance(done.exception, Error)
    assert str(done.exception) == "this engine needs the package ray: pip install 'emm1[ray]'"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "rey"], "'rey' is not ray"),
        (["--address", "head:6379"], "only an engine has one"),
        (["--engine", "ray", "--shard", "1/2"], "an engine does all shards"),
    ],
)
def test_wrong_options(options: list[str], said: str) -> None:
    done = CliRunner().invoke(app, [*KNN, *options])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
