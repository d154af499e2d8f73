"""Scores within groups: the cosines by NumPy, NULL where a vector lacks, and the same after a run was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from system import emm1_cli, small_disk

import emm1
from emm1.evaluation.groups import scores
from emm1.evaluation.groups.scores import score

MODALITIES = ("text", "image", "audio", "video", "points")
# A run that kills itself when it has scored five parts.
KILLED = """
import os, signal, sys
import emm1
from emm1.evaluation.groups import scores

def told(done, total):
    if done == 5 * scores.PART:
        os.kill(os.getpid(), signal.SIGKILL)

scores.PART = 100
store, folder, output = sys.argv[1:]
files = {modality: f"{folder}/{modality}.npy" for modality in ("text", "image", "audio", "video", "points")}
scores.score(emm1.open(store, read_only=True), files, output, progress=told)
"""


def files_of(tree: Path, *modalities: str) -> dict[str, Path]:
    return {modality: tree / f"embeddings/{modality}.npy" for modality in modalities or MODALITIES}


def groups_of(tree: Path) -> pl.DataFrame:
    read = [pl.read_csv(tree / f"e-mm1_100m/nn_{rank}/data_groups.csv") for rank in range(1, 17)]
    return pl.concat(read).sort("encord_text_id", "nn_index")


def test_scores_are_the_cosines_of_all_pairs(tree: Path, store_path: Path, tmp_path: Path) -> None:
    output = tmp_path / "scores.parquet"
    heard: list[tuple[int, int]] = []
    with emm1.open(store_path, read_only=True) as store:
        rows = score(store, files_of(tree), output, progress=lambda *done: heard.append(done))
    found, groups = pl.read_parquet(output), groups_of(tree)
    assert rows == len(found) == len(groups)
    pairs = list(combinations(MODALITIES, 2))
    assert found.columns == ["encord_text_id", "nn_index", *(f"{one}_{other}" for one, other in pairs)]
    assert found.dtypes == [pl.Int32, pl.Int16, *[pl.Float32] * len(pairs)]
    assert found.select("encord_text_id", "nn_index").rows() == groups.select("encord_text_id", "nn_index").rows()
    for one, other in pairs:
        left, right = (
            emm1.Embeddings(files_of(tree)[m]).vectors(groups[f"encord_{m}_id"].to_numpy()).astype(np.float64)
            for m in (one, other)
        )
        cosine = (left * right).sum(axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
        assert np.allclose(found[f"{one}_{other}"].to_numpy(), cosine, rtol=0, atol=1e-7)
    assert heard[0] == (0, heard[0][1])
    assert heard[-1] == (heard[0][1],) * 2
    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]
    image, audio = (emm1.Embeddings(files_of(tree)[m]) for m in ("image", "audio"))
    ids = (groups["encord_image_id"].to_numpy(), groups["encord_audio_id"].to_numpy())
    assert found["image_audio"].to_numpy().tobytes() == emm1.score_pairs(image, ids[0], audio, ids[1]).tobytes()


def test_what_has_no_vector_has_no_score(own_tree: Path, tmp_path: Path) -> None:
    """Some images and captions without vectors, some groups without an image."""
    first = own_tree / "e-mm1_100m/nn_1/data_groups.csv"
    ranked = pl.read_csv(first)
    no_image = pl.when(pl.int_range(pl.len()) % 5 == 0).then(None).otherwise("encord_image_id")
    ranked.with_columns(encord_image_id=no_image).write_csv(first)
    files = files_of(own_tree, "text", "image", "audio")
    held = {}
    for modality in ("text", "image"):
        embeddings = emm1.Embeddings(files[modality])
        held[modality] = embeddings.ids[::2]
        files[modality] = tmp_path / f"{modality}.npy"
        np.save(files[modality], embeddings.vectors(held[modality]))
        np.save(tmp_path / f"{modality}.ids.npy", held[modality])
    with emm1.build(own_tree, tmp_path / "emm1.duckdb", splits=["100m"]) as store:
        score(store, files, tmp_path / "scores.parquet", nn_index=[1, 3])
    groups = groups_of(own_tree).filter(pl.col("nn_index").is_in([1, 3]))
    found = pl.read_parquet(tmp_path / "scores.parquet")
    has = {m: groups[f"encord_{m}_id"].is_in(held[m].tolist()).fill_null(False) for m in held}
    assert found["image_audio"].is_not_null().to_list() == has["image"].to_list()
    assert found["text_audio"].is_not_null().to_list() == has["text"].to_list()
    assert found["text_image"].is_not_null().to_list() == (has["text"] & has["image"]).to_list()
    assert 0 < found["text_image"].null_count() < len(found)


def test_a_killed_run_goes_on(tree: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, parts = tmp_path / "scores.parquet", tmp_path / "scores.parquet.parts"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, store_path, tree / "embeddings", output], check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not output.exists()
    assert sorted(path.stem for path in parts.glob("*.parquet")) == [f"{number:06}" for number in range(5)]
    # Something that only the finished part can be the source of.
    marked = pl.read_parquet(parts / "000000.parquet").with_columns(pl.lit(7, pl.Float32).alias("text_image"))
    marked.write_parquet(parts / "000000.parquet")

    monkeypatch.setattr(scores, "PART", 100)
    with emm1.open(store_path, read_only=True) as store:
        with pytest.raises(emm1.EmbeddingError, match="parts of a run with other files or settings"):
            score(store, files_of(tree), output, nn_index=1)
        with pytest.raises(emm1.EmbeddingError, match="parts of a run with other files or settings"):
            score(store, files_of(tree, "text", "image"), output)
        score(store, files_of(tree), output)
        monkeypatch.undo()  # in one part
        score(store, files_of(tree), tmp_path / "again.parquet")
        with pytest.raises(emm1.EmbeddingError, match=r"scores\.parquet exists: remove it"):
            score(store, files_of(tree), output)
    found, whole = pl.read_parquet(output), pl.read_parquet(tmp_path / "again.parquet")
    assert (found["text_image"][: 16 * 100] == 7).all()
    assert found[16 * 100 :].equals(whole[16 * 100 :])
    assert not parts.exists()


def test_other_groups_are_another_run(own_tree: Path, tmp_path: Path) -> None:
    output = tmp_path / "scores.parquet"

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    files = files_of(own_tree, "text", "image")
    with emm1.build(own_tree, tmp_path / "emm1.duckdb", ranks=[1, 2]) as store, pytest.raises(KeyboardInterrupt):
        score(store, files, output, nn_index=[1], progress=stop)
    path = own_tree / "e-mm1_100m/nn_1/data_groups.csv"
    groups = pl.read_csv(path)
    groups.with_columns(groups["encord_image_id"].reverse()).write_csv(path)
    refused = pytest.raises(emm1.EmbeddingError, match="parts of a run with other files or settings")
    with emm1.build(own_tree, tmp_path / "emm1.duckdb", ranks=[1, 2]) as store, refused:
        score(store, files, output, nn_index=[1])


def test_on_the_command_line(tree: Path, store_path: Path, tmp_path: Path) -> None:
    output = tmp_path / "scores.parquet"
    embeddings = ",".join(f"{name}={file}" for name, file in files_of(tree, "image", "audio").items())
    arguments = ("groups", "score", store_path, "--embeddings", embeddings)
    done = emm1_cli(*arguments, "--nn-index", "1", "--output", output)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{output}: {pl.read_parquet(output).height:,} groups\n"
    assert pl.read_parquet(output).columns == ["encord_text_id", "nn_index", "image_audio"]
    again = emm1_cli(*arguments, "--output", output)
    assert (again.returncode, again.stderr) == (1, f"emm1: {output} exists: remove it or name another file\n")
    with small_disk(tmp_path / "disk", "20k") as disk:
        full = emm1_cli(*arguments, "--output", disk / "s.parquet")
        assert full.returncode == 1
        assert full.stderr == f"emm1: {disk}/s.parquet cannot be written: No space left on device\n"
