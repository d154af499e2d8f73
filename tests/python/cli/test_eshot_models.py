"""`emm1 eshot --model`: several models in one command, and what its options refuse."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import emm1
from emm1.cli import app


@pytest.fixture(scope="module")
def files(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two models: the tree's own, and one of other dimensions that lacks a few audio samples."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(1)
    own = {modality: tree / f"embeddings/eshot_{modality}.npy" for modality in ("audio", "points")}
    mixed = rng.standard_normal((16, 9)).astype(np.float32)
    for modality, path in own.items():
        vectors = np.load(path) @ mixed
        ids = pl.read_csv(tree / f"eshot/eshot_{modality}_info.csv")[f"eshot_{modality.removesuffix('s')}_id"]
        keep = slice(5, None) if modality == "audio" else slice(None)
        np.save(folder / f"{modality}.npy", vectors[keep])
        np.save(folder / f"{modality}.ids.npy", ids.to_numpy()[keep])
    return {"old": f"{own['audio']},{own['points']}", "new": f"{folder}/audio.npy,{folder}/points.npy"}


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, " ".join(result.stderr.replace("│", " ").split())


def test_models_side_by_side(store_path: Path, files: dict[str, str], tmp_path: Path) -> None:
    options = [option for name, sources in files.items() for option in ("--model", f"{name}={sources}")]
    models = {name: (sources.split(",")[0], sources.split(",")[1]) for name, sources in files.items()}
    with emm1.open(store_path, read_only=True) as store:
        comparison = store.eshot(models=models, baseline="new")
        for name, (audio, points) in models.items():
            assert str(comparison.reports[name]) == str(store.eshot(audio, points))
    code, text, said = invoke("eshot", store_path, *options, "--baseline", "new", "--output", tmp_path / "out")
    assert (code, text) == (0, f"{comparison}\n")
    assert said.replace(" ", "").endswith("out/comparison.html")
    assert (tmp_path / "out/old/report.html").exists()
    assert pl.read_csv(tmp_path / "out/comparison.csv").equals(comparison.to_frame())
    invoke("eshot", store_path, *options, "--baseline", "new", "--output", tmp_path / "rows.parquet")
    assert pl.read_parquet(tmp_path / "rows.parquet").equals(comparison.to_frame())
    _, csv, _ = invoke("eshot", store_path, *options, "--format", "csv")
    assert pl.read_csv(csv.encode())["baseline"].drop_nulls().unique().to_list() == ["old"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "a"], "'a' is not NAME=AUDIO,POINTS"),
        (["--model", "a=x.npy"], "'a=x.npy' is not NAME=AUDIO,POINTS"),
        (["--model", "=x.npy,y.npy"], "is not NAME=AUDIO,POINTS"),
        (["--model", "a=x.npy,"], "is not NAME=AUDIO,POINTS"),
        (["--model", "a=x.npy,y.npy,z.npy"], "from Python if the name of a file has a comma"),
        (["--model", "a=x.npy,y.npy", "--model", "a=z.npy,y.npy"], "'a' is given twice"),
        (["--model", "a=x.npy,y.npy", "--audio", "x.npy"], "give --model or --audio, not both"),
        (["--model", "a=x.npy,y.npy", "--audio", "x", "--points", "y"], "give --model or --audio and --points"),
        (["--model", "a=x.npy,y.npy", "--baseline", "b"], "no model 'b': it is one of a"),
        (["--audio", "x.npy", "--points", "y.npy", "--baseline", "b"], "it names one of several models"),
        (["--audio", "x.npy"], "--points: give both embeddings"),
        ([], "--audio and --points: give both embeddings"),
    ],
)
def test_options_that_are_refused(store_path: Path, options: list[str], message: str) -> None:
    code, text, said = invoke("eshot", store_path, *options)
    assert (code, text) == (2, "")
    assert message in said


def test_errors_name_the_model(store_path: Path, files: dict[str, str]) -> None:
    code, text, _ = invoke("eshot", store_path, "--model", f"old={files['old']}", "--model", "new=no_such_name,other")
    assert (code, text) == (1, "")
    with emm1.open(store_path, read_only=True) as store, pytest.raises(emm1.EmbeddingError, match="model 'new': "):
        store.eshot(models={"new": ("no_such_name", "other")})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"audio": "x"}, "give audio and points of one model, or models="),
        ({"audio": "x", "points": "y", "baseline": "a"}, "give audio and points of one model, or models="),
        ({"audio": "x", "models": {"a": ("x", "y")}}, "not both"),
        ({"models": ["a"]}, r"models must map names to \(audio, points\), not \['a'\]"),
        ({"models": {}}, "no models"),
        ({"models": {"a": "xy"}}, r"model 'a' must have \(audio, points\), two names or files, not 'xy'"),
        ({"models": {"a": ("x",)}}, r"model 'a' must have \(audio, points\)"),
        ({"models": {"a": ("x", "y")}, "baseline": "b"}, "no model 'b'"),
    ],
)
def test_arguments_that_are_refused(store_path: Path, arguments: dict[str, object], message: str) -> None:
    with emm1.open(store_path, read_only=True) as store, pytest.raises(emm1.EmbeddingError, match=message):
        store.eshot(**arguments)  # type: ignore[call-overload]
