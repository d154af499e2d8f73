"""Tars of samples: every complete row once, in the order of the seed, the same bytes also after a kill."""

import io
import json
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emm1

GROUPS = "SELECT encord_text_id, nn_index, caption, image_file_path, audio_file_path FROM groups WHERE encord_text_id < 250 AND nn_index <= 4"


@pytest.fixture
def store(illustrated: Path) -> Iterator[emm1.Store]:
    with emm1.open(illustrated, read_only=True) as opened:
        yield opened


def samples(folder: Path) -> list[tuple[str, dict[str, bytes]]]:
    """The members of each key, in the order of the tars, by Python's own reader."""
    members = []
    for path in sorted((folder / "data").iterdir()):
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, name = member.name.partition(".")
                assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
                file = tar.extractfile(member)
                assert file is not None
                members.append((key, name, file.read()))
    return [(key, {name: content for _, name, content in parts}) for key, parts in groupby(members, lambda m: m[0])]


def complete(store: emm1.Store, query: str) -> list[dict[str, Any]]:
    rows = store.sql(query).to_arrow_table().to_pylist()
    paths = [name for name in rows[0] if name.endswith("_file_path")]
    return [row for row in rows if all(row[name] and Path(row[name]).is_file() for name in paths)]


def test_complete_rows_with_their_files(store: emm1.Store, illustrated: Path, tmp_path: Path) -> None:
    report = store.export(GROUPS, "webdataset", tmp_path / "out", shard_size=7)
    expected = complete(store, GROUPS)
    found = samples(tmp_path / "out")
    assert len(expected) == len(found) == report.rows > 20
    assert [key for key, _ in found] == [f"{i:09}" for i in range(len(found))]
    by_row = {(row["encord_text_id"], row["nn_index"]): row for row in expected}
    for _, members in found:
        row = json.loads(members["json"])
        original = by_row.pop((row["encord_text_id"], row["nn_index"]))
        image, audio = Path(original["image_file_path"]), Path(original["audio_file_path"])
        assert members.keys() == {f"image{image.suffix}", f"audio{audio.suffix}", "json"}
        assert members[f"image{image.suffix}"] == image.read_bytes()
        assert members[f"audio{audio.suffix}"] == audio.read_bytes()
        assert row["image_file_path"] == str(image.relative_to(illustrated.parent / "sample"))
        assert row["caption"] == original["caption"]
    assert not by_row
    assert {file.rows for file in report.files[:-1]} == {7}


def test_incomplete_rows_are_counted_and_may_be_kept(store: emm1.Store, tmp_path: Path) -> None:
    rows = len(store.sql(GROUPS))
    dropped = store.export(GROUPS, "webdataset", tmp_path / "dropped")
    kept = store.export(GROUPS, "webdataset", tmp_path / "kept", incomplete="keep")
    assert kept.rows == rows
    assert f"{rows - dropped.rows:,} of {rows:,} rows lack a file and were left out" == dropped.notes[0]


def test_seeds_are_orders(store: emm1.Store, tmp_path: Path) -> None:
    orders = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        store.export(GROUPS, "webdataset", tmp_path / name, seed=seed)
        orders.append([json.loads(members["json"]) for _, members in samples(tmp_path / name)])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(map(str, orders[0])) == sorted(map(str, orders[2]))


def test_the_rows_of_a_caption_stand_together(store: emm1.Store, tmp_path: Path) -> None:
    report = store.export(GROUPS, "webdataset", tmp_path / "out", group_captions=True, incomplete="keep", shard_size=10)
    captions = [json.loads(members["json"])["encord_text_id"] for _, members in samples(tmp_path / "out")]
    runs = [caption for caption, _ in groupby(captions)]
    assert len(runs) == len(set(runs)) == len(captions) / 4
    assert runs != sorted(runs)
    assert {file.rows for file in report.files[:-1]} == {12}


def test_point_clouds_are_plain_arrays(store: emm1.Store, tmp_path: Path) -> None:
    query = "SELECT * FROM assets WHERE dataset = '100m' AND modality = 'points'"
    store.export(query, "webdataset", tmp_path / "out")
    for _, members in samples(tmp_path / "out"):
        xyz, rgb = (np.load(io.BytesIO(members[f"points.{name}.npy"]), allow_pickle=False) for name in ("xyz", "rgb"))
        original = np.load(store.path.parent / "sample" / json.loads(members["json"])["file_path"], allow_pickle=True)
        content = original.item() if original.dtype == object else {"xyz": original[:, :3], "rgb": original[:, 3:]}
        assert np.array_equal(xyz, content["xyz"].astype("float32"))
        assert rgb.shape == xyz.shape
        assert rgb.dtype == np.float32


@pytest.mark.parametrize(
    ("query", "arguments", "message"),
    [
        ("e_mm1_100m.text", {}, "the rows have no files"),
        (GROUPS, {"partition_by": "nn_index"}, "a layout of its own"),
        (GROUPS, {"incomplete": "maybe"}, "unknown way with incomplete rows"),
        (GROUPS, {"to": "csv", "seed": 3}, "go with webdataset"),
        ("SELECT image_file_path FROM groups", {"group_captions": True}, "no column encord_text_id"),
        ("SELECT '/nowhere/a.jpg' AS image_file_path", {}, r"no samples: image: the file is not there \(1\)"),
    ],
)
def test_what_is_wrong_is_said(store: emm1.Store, tmp_path: Path, query: str, arguments: Any, message: str) -> None:
    with pytest.raises(emm1.Error, match=message):
        store.export(query, **{"to": "webdataset", "output": tmp_path / "out", **arguments})
    assert not (tmp_path / "out").exists()


def test_killed_and_started_again_gives_the_same_bytes(store: emm1.Store, tmp_path: Path) -> None:
    whole = store.export(GROUPS, "webdataset", tmp_path / "whole", shard_size=1, incomplete="keep")
    target = tmp_path / "killed"
    program = """
import sys, emm1
with emm1.open(sys.argv[1], read_only=True) as store:
    store.export(sys.argv[2], "webdataset", sys.argv[3], shard_size=1, incomplete="keep")
"""
    child = subprocess.Popen([sys.executable, "-c", program, str(store.path), GROUPS, str(target)])
    parts = tmp_path / "killed.parts"
    while len(list(parts.glob("shards/*.json"))) < 20 and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not target.exists()
    finished = {path.name: path.stat().st_mtime_ns for path in parts.glob("export/data/*.tar")}
    with pytest.raises(emm1.Error, match="parts of a run with other files or settings"):
        store.export(GROUPS, "webdataset", target, shard_size=1, incomplete="keep", seed=9)
    again = store.export(GROUPS, "webdataset", target, shard_size=1, incomplete="keep")
    assert again.files == whole.files
    kept = {path.name: path.stat().st_mtime_ns for path in target.glob("data/*.tar") if path.name in finished}
    assert len(set(kept.items()) & set(finished.items())) >= 20  # finished tars are not written again
    for name in ("README.md", "croissant.json", "manifest.json"):
        assert (target / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not parts.exists()
