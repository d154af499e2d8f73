"""Groups of one's own: the neighbours by NumPy in the published shape, the same after a run was killed, and never over files."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from system import emm1_cli, small_disk

import emm1
from emm1.evaluation.groups import neighbours
from emm1.evaluation.groups.neighbours import make, make_shard
from emm1.work import spans

MODALITIES = ("text", "image", "audio", "video", "points")
HEADER = "encord_text_id,encord_video_id,encord_audio_id,encord_image_id,encord_points_id,nn_index"
# A run that kills itself when it has searched for the captions of three parts, and is in the fourth.
KILLED = """
import os, signal, sys
import emm1
from emm1.evaluation.groups import neighbours

def told(done, total):
    if done > 3 * 2 * neighbours.PART:
        os.kill(os.getpid(), signal.SIGKILL)

neighbours.PART = 100
store, folder, output = sys.argv[1:]
files = {modality: f"{folder}/{modality}.npy" for modality in ("text", "image", "audio")}
neighbours.make(emm1.open(store, read_only=True), output, files, 3, progress=told)
"""


def files_of(tree: Path, *modalities: str) -> dict[str, Path]:
    return {modality: tree / f"embeddings/{modality}.npy" for modality in modalities or MODALITIES}


def csv_of(folder: Path, rank: int) -> Path:
    return folder / f"nn_{rank}/data_groups.csv"


def nearest(text: emm1.Embeddings, base: emm1.Embeddings, captions: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """The ids of the k nearest by float64 cosine; equal ones by ascending id."""
    ids = np.sort(base.ids)
    queries, rows = (e.vectors(i).astype(np.float64) for e, i in ((text, captions), (base, ids)))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    scores = (queries @ rows.T).astype(np.float32)
    found: NDArray[np.int64] = ids[np.argsort(-scores, axis=1, kind="stable")[:, :k]]
    return found


def test_the_groups_of_the_sample_are_made_again(tree: Path, store_path: Path, tmp_path: Path) -> None:
    """To the byte: they were made by the same vectors."""
    heard: list[tuple[int, int]] = []
    with emm1.open(store_path, read_only=True) as store:
        captions = make(store, tmp_path / "own", files_of(tree), progress=lambda *done: heard.append(done))
    for rank in range(1, 17):
        assert csv_of(tmp_path / "own", rank).read_bytes() == csv_of(tree / "e-mm1_100m", rank).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own"]
    assert heard[0] == (0, captions * 4)
    assert heard[-1] == (captions * 4,) * 2
    record = json.loads((tmp_path / "own/groups.json").read_text())
    assert record["k"] == 16
    assert record["embeddings"]["image"]["metric"] == "cosine"
    assert record["embeddings"]["text"]["source"] == str(tree / "embeddings/text.npy")


def test_some_modalities_and_captions(tree: Path, store_path: Path, tmp_path: Path) -> None:
    """Captions in any order, half of them; only three point clouds, so that rank 4 has none."""
    for modality, ids in (("text", emm1.Embeddings(files_of(tree)["text"]).ids[::-2]), ("points", np.array([5, 2, 9]))):
        np.save(tmp_path / f"{modality}.npy", emm1.Embeddings(files_of(tree)[modality]).vectors(ids))
        np.save(tmp_path / f"{modality}.ids.npy", ids)
    files = {**files_of(tree, "audio"), "text": tmp_path / "text.npy", "points": tmp_path / "points.npy"}
    with emm1.open(store_path, read_only=True) as store:
        assert make(store, tmp_path / "own", files, 4) == len(np.load(tmp_path / "text.ids.npy"))
    text, audio, points = (emm1.Embeddings(files[m]) for m in ("text", "audio", "points"))
    captions = np.sort(text.ids)
    by_audio, by_points = nearest(text, audio, captions, 4), nearest(text, points, captions, 3)
    for rank in range(1, 5):
        lines = csv_of(tmp_path / "own", rank).read_text().splitlines()
        assert lines[0] == HEADER
        point = [str(row[rank - 1]) if rank < 4 else "" for row in by_points.tolist()]
        expected = [
            f"{caption},,{sound[rank - 1]},,{cloud},{rank}"
            for caption, sound, cloud in zip(captions.tolist(), by_audio.tolist(), point, strict=True)
        ]
        assert lines[1:] == expected
    assert not csv_of(tmp_path / "own", 5).exists()


def test_a_killed_run_goes_on(tree: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, parts = tmp_path / "own", tmp_path / "own.parts"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, store_path, tree / "embeddings", output], check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not output.exists()
    assert sorted(path.stem for path in parts.glob("*.parquet")) == ["000000", "000001", "000002"]
    monkeypatch.setattr(neighbours, "PART", 100)
    files = files_of(tree, "text", "image", "audio")
    other = Path(shutil.copy(files["audio"], tmp_path / "audio.npy"))
    shutil.copy(files["audio"].with_suffix(".ids.npy"), tmp_path / "audio.ids.npy")
    with emm1.open(store_path, read_only=True) as store:
        for changed, k in (({**files, "audio": other}, 3), (files_of(tree, "text", "image"), 3), (files, 2)):
            with pytest.raises(emm1.EmbeddingError, match=r"parts of a run with other files or settings \("):
                make(store, output, changed, k)
        heard: list[int] = []
        make(store, output, files, 3, progress=lambda done, _: heard.append(done))
        ends = [2 * rows.stop for rows in spans(len(emm1.Embeddings(files["text"])), 100)]
        assert {done for done in heard if done < ends[2]} <= {
            0,
            *ends[:2],
        }  # no search for what is in the finished parts
        monkeypatch.undo()  # in one part
        for shard in (2, 3, 1):
            make_shard(store, tmp_path / "shared", files, 3, shard=(shard, 3))
            if shard == 3:
                with pytest.raises(emm1.EmbeddingError, match=r"lacks 1 of 3 parts: 000000\.parquet; run shard 1/3"):
                    make(store, tmp_path / "shared", files, 3, merge=True)
        make(store, tmp_path / "shared", files, 3, merge=True)
        make(store, tmp_path / "again", files, 3)
    for rank in (1, 2, 3):
        assert csv_of(output, rank).read_bytes() == csv_of(tmp_path / "again", rank).read_bytes()
        assert csv_of(output, rank).read_bytes() == csv_of(tmp_path / "shared", rank).read_bytes()
    assert not parts.exists()


def test_an_interrupted_last_step_is_repeated(
    tree: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with emm1.open(store_path, read_only=True) as store:
        monkeypatch.setattr(neighbours, "_record", stop)
        with pytest.raises(KeyboardInterrupt):
            make(store, tmp_path / "own", files_of(tree), 2)
        monkeypatch.undo()
        assert not (tmp_path / "own").exists()
        make(store, tmp_path / "own", files_of(tree), 2)
    assert csv_of(tmp_path / "own", 2).read_bytes() == csv_of(tree / "e-mm1_100m", 2).read_bytes()


def test_nothing_is_written_over(own_tree: Path, store_path: Path, tmp_path: Path) -> None:
    files = files_of(own_tree, "text", "points")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    before = csv_of(own_tree / "e-mm1_100m", 1).read_bytes()
    with emm1.open(store_path, read_only=True) as store:
        for taken in (tmp_path / "file", own_tree / "e-mm1_100m", own_tree):
            with pytest.raises(
                emm1.EmbeddingError, match=f"{taken.name} exists, and nothing is written over: name a new"
            ):
                make(store, taken, files, 1)
        make(store, tmp_path / "empty", files, 1)
    assert csv_of(tmp_path / "empty", 1).exists()
    assert csv_of(own_tree / "e-mm1_100m", 1).read_bytes() == before


@pytest.mark.parametrize("k", [0, 17, 2.5])
def test_ranks_that_groups_do_not_have(k: int, tree: Path, store_path: Path, tmp_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store, pytest.raises(emm1.EmbeddingError, match=r"k (is|must be) "):
        make(store, tmp_path / "own", files_of(tree, "text", "image"), k)
    assert [*tmp_path.iterdir()] == []


def test_ids_that_no_store_can_hold(tree: Path, store_path: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.eye(2, 16, dtype=np.float32))
    np.save(tmp_path / "image.ids.npy", np.array([1, 2**31]))
    files = {**files_of(tree, "text"), "image": tmp_path / "image.npy"}
    wrong = pytest.raises(emm1.EmbeddingError, match=r"image\.npy: 2147483648 is not an id of image")
    with emm1.open(store_path, read_only=True) as store, wrong:
        make(store, tmp_path / "own", files)


def test_on_the_command_line(tree: Path, store_path: Path, tmp_path: Path) -> None:
    embeddings = ",".join(f"{name}={file}" for name, file in files_of(tree, "text", "audio").items())
    arguments = ("--embeddings", embeddings, "--k", 2)
    done = emm1_cli("groups", "make", store_path, tmp_path / "own", *arguments)
    assert done.returncode == 0, done.stderr
    captions = len(csv_of(tmp_path / "own", 2).read_text().splitlines()) - 1
    assert done.stdout == f"{tmp_path}/own: groups of {captions:,} captions, nn_1 to nn_2\n"
    assert pl.read_csv(csv_of(tmp_path / "own", 2))["nn_index"].unique().to_list() == [2]
    for size in ("20k", "60k"):  # too little for the parts, and for the files made of them
        with small_disk(tmp_path / f"disk-{size}", size) as disk:
            full = emm1_cli("groups", "make", store_path, disk / "own", *arguments)
            assert full.returncode == 1
            assert full.stderr.startswith(f"emm1: {disk}/own cannot be written: No space left on device")
            assert not (disk / "own").exists()
