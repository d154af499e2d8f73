"""Models side by side: what their files allow, compared on what all have, and the files that are written."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import cast
from urllib.parse import unquote

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import emm1
from emm1.cli import app
from emm1.dataset import MODALITIES, Split
from emm1.errors import EmbeddingError, Error, UnknownNameError
from emm1.evaluation.models.files import finite
from emm1.evaluation.models.report import ModelsReport
from emm1.evaluation.models.tables import latex, to_latex, to_markdown

NAMES = ["old|model", "new_model"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> emm1.Store:
    """A store with two models: one as planted, one with noise and without the last image; a third has captions only."""
    folder = tmp_path_factory.mktemp("models")
    emm1.write_sample(folder / "sample")
    store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m", "eshot"])
    for name, noise, less in (("old|model", 0.3, 1), ("new_model", 0.0, 0)):
        place = folder / name.replace("|", "")
        place.mkdir()
        rng = np.random.default_rng(0)
        for dataset, modality, source in (
            *(("1m", modality, f"1m/{modality}.npy") for modality in MODALITIES),
            *(("eshot", modality, f"eshot_{modality}.npy") for modality in ("audio", "points")),
        ):
            vectors = np.load(folder / "sample/embeddings" / source)
            vectors = vectors[: len(vectors) - (less if modality == "image" else 0)]
            noisy = vectors + noise * rng.standard_normal(vectors.shape).astype(np.float32)
            file = place / f"{dataset}_{modality}.npy"
            np.save(file, noisy.astype(np.float32))
            ids = np.arange(len(vectors)) if dataset == "1m" else None
            called = f"{name} {dataset} {modality}"
            split = cast("Split", dataset)
            store.add_embeddings(called, file, dataset=split, modality=modality, ids=ids, model=name)
    text = folder / "captions.npy"
    shutil.copy(folder / "sample/embeddings/1m/text.npy", text)
    store.add_embeddings("captions", text, dataset="1m", modality="text", model="captions only")
    return store


@pytest.fixture(scope="module")
def report(store: emm1.Store) -> ModelsReport:
    return store.evaluate(["new_model"], "old|model", resamples=20)


def test_the_baseline_comes_first_and_has_no_differences(report: ModelsReport) -> None:
    rows = report.to_frame()
    assert list(report.models) == NAMES
    assert (
        rows.filter(model="old|model").select("baseline", "difference", "p").null_count().row(0)
        == (rows.filter(model="old|model").height,) * 3
    )
    new = rows.filter(model="new_model")
    assert new["baseline"].unique().to_list() == ["old|model"]
    old = rows.filter(model="old|model")
    keys = ["evaluation", "query", "base", "metric"]
    both = new.join(old, on=keys, suffix="_old", validate="1:1")
    assert len(both) == len(new)
    defined = both.drop_nulls("difference")
    assert defined["difference"].to_list() == pytest.approx((defined["value"] - defined["value_old"]).to_list())


def test_ratings_are_those_of_the_ratings_report(store: emm1.Store, report: ModelsReport) -> None:
    files = {modality: f"new_model 1m {modality}" for modality in MODALITIES}
    own = store.ratings(files, resamples=0)
    # The pairs without images are scored alike by both models, so they are as in the model's own report.
    for frame, evaluation in ((own.to_frame(), "ratings"), (own.text(), "caption ratings")):
        for row in frame.iter_rows(named=True):
            pair = (row["paired_modality"], row["annotated_modality"])
            if "image" in pair:
                continue
            found = report.to_frame().filter(model="new_model", evaluation=evaluation, query=pair[0], base=pair[1])
            values = dict(found.select("metric", "value").iter_rows())
            assert {name: row[name] for name in values} == values
            assert found["samples"].unique().to_list() == [row["pairs"]]


def test_retrieval_is_that_of_the_retrieval_report(store: emm1.Store, report: ModelsReport) -> None:
    for query, base in (("text", "audio"), ("audio", "text")):
        own = store.retrieval(f"new_model 1m {query}", f"new_model 1m {base}", resamples=20)
        found = report.to_frame().filter(model="new_model", evaluation="retrieval", query=query, base=base)
        columns = ["metric", "value", "low", "high", "gallery", "coverage"]
        assert found.select(columns).equals(own.to_frame().select(columns), null_equal=True)
        other = store.retrieval(f"old|model 1m {query}", f"old|model 1m {base}", resamples=20)
        columns = ["metric", "difference", "difference_low", "difference_high", "p"]
        assert found.select(columns).equals(own.compare(other).to_frame().select(columns), null_equal=True)


def test_retrieval_is_compared_on_what_both_have(store: emm1.Store, report: ModelsReport) -> None:
    found = report.to_frame().filter(evaluation="retrieval", query="text", base="image")
    images = len(store.embeddings("new_model 1m image"))
    assert found["gallery"].unique().to_list() == [images - 1]


def test_eshot_is_that_of_the_comparison(store: emm1.Store, report: ModelsReport) -> None:
    models = {name: (f"{name} eshot audio", f"{name} eshot points") for name in NAMES}
    expected = store.eshot(models=models).to_frame()
    found = report.to_frame().filter(evaluation="eshot")
    columns = [
        "model",
        "metric",
        "samples",
        "value",
        "low",
        "high",
        "difference",
        "difference_low",
        "difference_high",
        "p",
    ]
    assert found.select(columns).equals(expected.select(columns))


def test_what_a_model_lacks_is_said(store: emm1.Store) -> None:
    report = store.evaluate(["captions only", "new_model"], resamples=0)
    assert any("captions only: no embeddings of eshot audio and eshot points" in reason for reason in report.left_out)
    eshot = report.to_frame().filter(evaluation="eshot")
    assert eshot["model"].unique().to_list() == ["new_model"]
    assert eshot.select("baseline", "difference", "p").null_count().row(0) == (len(eshot),) * 3


def test_a_model_without_baseline(store: emm1.Store) -> None:
    report = store.evaluate(["new_model"], resamples=0)
    assert report.baseline is None
    assert report.to_frame()["difference"].null_count() == len(report.to_frame())
    assert "Baseline" not in str(report)


def test_protocols_claim_no_intervals_and_no_tests_that_were_not_made(store: emm1.Store, report: ModelsReport) -> None:
    resampled = pl.col("evaluation") != "eshot"
    alone = store.evaluate(["new_model"], resamples=0).to_frame()
    assert not alone.filter(resampled)["protocol"].str.contains("interval").any()
    assert not alone["protocol"].str.contains("McNemar").any()
    both = report.to_frame()
    assert both.filter(resampled)["protocol"].str.contains("interval").all()
    assert both.drop_nulls("p")["protocol"].str.contains("McNemar").all()


def test_a_store_without_triplets_is_the_reason_not_the_model(tmp_path: Path) -> None:
    emm1.write_sample(tmp_path / "sample")
    with emm1.build(tmp_path / "sample", tmp_path / "emm1.duckdb", splits=["eshot"]) as store:
        file = tmp_path / "sample/embeddings/eshot_audio.npy"
        store.add_embeddings("audio", file, dataset="eshot", modality="audio", model="ours")
        left_out = store.evaluate(["ours"]).left_out
    assert left_out == [
        "retrieval: the store has no triplets",
        "ratings: the store has no triplets",
        "EShot, ours: no embeddings of eshot points",
    ]


def test_wrong_names(store: emm1.Store) -> None:
    with pytest.raises(UnknownNameError, match="new_model"):
        store.evaluate(["missing"])
    with pytest.raises(EmbeddingError, match="given twice"):
        store.evaluate(["new_model", "new_model"])
    with pytest.raises(EmbeddingError, match="no models: name at least one that embeddings are registered with"):
        store.evaluate([])
    with pytest.raises(Error, match="models must be a list"):
        store.evaluate("new_model")


def test_saved_files(report: ModelsReport, tmp_path: Path) -> None:
    folder = report.save(tmp_path / "out")
    assert pl.read_parquet(folder / "evaluation.parquet").equals(report.to_frame(), null_equal=True)
    told = json.loads((folder / "evaluation.json").read_text())
    assert told["rows"] == finite(report.to_frame()).to_dicts()
    assert (folder / "evaluation.txt").read_text() == f"{report}\n"
    page = (folder / "evaluation.html").read_text()
    for link in re.findall(r'href="([^"#]+)"', page):
        assert (folder / unquote(link)).exists(), link


def test_markdown_has_as_many_cells_in_every_row(report: ModelsReport) -> None:
    rows = [line for line in to_markdown(report).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
    assert "old\\|model" in rows[0]


def test_latex(report: ModelsReport, tmp_path: Path) -> None:
    table = to_latex(report)
    rows = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {4}
    assert r"new\_model" in rows[0]
    assert latex(r"\~^{}") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}\{\}"
    if shutil.which("pdflatex"):
        document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{table}\end{{document}}"
        (tmp_path / "table.tex").write_text(document)
        subprocess.run(["pdflatex", "-interaction=batchmode", "table.tex"], cwd=tmp_path, check=True)


def test_command(store: emm1.Store, tmp_path: Path) -> None:
    store.close()
    arguments = ["evaluate", str(store.path), "--model", "new_model", "--resamples", "0"]
    done = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "[EShot: audio → points]" in done.output
    assert (tmp_path / "out/evaluation.html").exists()
    done = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "rows.parquet")])
    assert done.exit_code == 0, done.output
    assert set(pl.read_parquet(tmp_path / "rows.parquet")["model"]) == {"new_model"}
