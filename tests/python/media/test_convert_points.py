"""Point clouds: `emm1 media convert-points` on files and folders, and what `emm1 media show` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clouds import POINTS, cloud, openshape, save_pickled
from numpy.typing import NDArray
from system import read_only, small_disk
from typer.testing import CliRunner

import emm1
from emm1.cli import app
from emm1.media.convert import convert_points

XYZ, RGB = cloud(20)


def ebind_reads(path: Path) -> NDArray[Any]:
    """What EBind's Uni3DPointsProcessor does with a file, without torch."""
    rows: NDArray[Any] = np.load(path)
    return rows.astype(np.float32)


def test_a_folder_is_converted_and_a_repeated_run_goes_on(tmp_path: Path) -> None:
    source, target = tmp_path / "clouds", tmp_path / "converted"
    (source / "deep").mkdir(parents=True)
    for i, name in enumerate(("a", "b", "deep/c")):
        save_pickled(source / f"{name}.npy", openshape(XYZ[: 20 - i], RGB[: 20 - i]))
    save_pickled(source / "bad.npy", {"xyz": XYZ * np.nan})
    (source / "readme.txt").touch()
    done = convert_points(source, target)
    assert (done.written, done.present, len(done.failed)) == (3, 0, 1)
    assert "bad.npy cannot be read as a point cloud: point 0" in done.failed[0]
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*.npy")) == ["a.npy", "b.npy", "deep/c.npy"]
    assert np.array_equal(ebind_reads(target / "deep/c.npy"), np.hstack([XYZ[:18], RGB[:18]]))
    assert "the clouds have 18 to 20 points: EBind stacks" in "\n".join(done.facts())
    (target / "a.npy").unlink()
    again = convert_points(source, target)
    assert (again.written, again.present) == (1, 2)


def test_clouds_are_normalized_as_uni3d_does(tmp_path: Path) -> None:
    path = save_pickled(tmp_path / "a.npy", {"xyz": XYZ * 3 + 7, "rgb": RGB})
    convert_points(path, tmp_path / "b.npy", normalize=True)
    xyz = (XYZ * 3 + 7).astype("f8")
    xyz -= xyz.mean(axis=0)
    xyz /= np.sqrt((xyz**2).sum(axis=1)).max()
    np.testing.assert_allclose(ebind_reads(tmp_path / "b.npy"), np.hstack([xyz, RGB]), atol=1e-6)
    convert_points(
        save_pickled(tmp_path / "c.npy", {"xyz": XYZ[:1], "rgb": RGB[:1]}), tmp_path / "d.npy", normalize=True
    )
    assert ebind_reads(tmp_path / "d.npy")[0, :3].tolist() == [0, 0, 0]


def test_requests_that_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "clouds"
    source.mkdir()

    def refused(words: str, made_of: Path, target: Path, error: type[emm1.Error] = emm1.errors.SourceError) -> None:
        with pytest.raises(error, match=words):
            convert_points(made_of, target)

    refused("holds no .npy files", source, tmp_path / "b")
    save_pickled(source / "a.npy", "x")
    refused(r"none of the 1 files can be converted: .*a\.npy cannot be read", source, tmp_path / "b")
    save_pickled(source / "a.npy", {"xyz": XYZ})
    for target in (source, source / "deep"):
        refused("lies in .*: name a folder outside of it", source, target)
    (tmp_path / "file").touch()
    refused("is a file, but", source, tmp_path / "file", emm1.errors.WriteError)
    refused("exists: remove it first", source / "a.npy", source / "a.npy", emm1.errors.WriteError)
    refused("exists: remove it first", source / "a.npy", source, emm1.errors.WriteError)
    with read_only(source):
        refused("Read-only file system", source / "a.npy", source / "b.npy", emm1.errors.WriteError)


def test_a_full_disk_leaves_no_half_a_file(tmp_path: Path) -> None:
    source = tmp_path / "clouds"
    source.mkdir()
    for i in range(8):
        save_pickled(source / f"{i}.npy", openshape(*cloud()))
    with small_disk(tmp_path / "disk", "1m") as disk:
        with pytest.raises(emm1.errors.WriteError, match="No space left on device"):
            convert_points(source, disk / "converted")
        for path in (disk / "converted").iterdir():
            assert ebind_reads(path).shape == (POINTS, 6)


def test_the_commands(tmp_path: Path) -> None:
    path = save_pickled(tmp_path / "a.npy", openshape(XYZ, (RGB * 255).astype("u1")))

    def said(*arguments: object) -> str:
        done = CliRunner().invoke(app, ["media", *map(str, arguments)])
        assert done.exit_code == 0, done.output
        return done.output

    shown = said("show", path)
    assert "a point cloud: a pickled dictionary, 20 points" in shown
    assert "colours from 0 to 255 were divided by 255" in shown
    assert "EBind reads it after `emm1 media convert-points`" in shown
    assert "b.npy: 1 written" in said("convert-points", path, tmp_path / "b.npy").replace("\n", "")
    assert "EBind reads it as it is" in said("show", tmp_path / "b.npy")


KINDS: list[tuple[bytes, str]] = [
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a JPEG image"),
    (b"\x00\x00\x00\x20ftypisom", "an MP4 file"),
    (b"RIFF\x00\x00\x00\x00WAVEfmt ", "a WAV audio file"),
    (b"", "an empty file"),
    (b"\n<!DOCTYPE html><html>", "an HTML page"),
    (bytes(600), "nothing but zeros"),
    (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    (b"\x01\x02\x03", "of no kind that emm1 knows"),
    (b"\x93NUMPY\x01\x00broken", "no point cloud that can be used"),
]


@pytest.mark.parametrize(("data", "words"), KINDS)
def test_what_files_are(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a.bin").write_bytes(data)
    done = CliRunner().invoke(app, ["media", "show", str(tmp_path / "a.bin")])
    assert done.exit_code == 0
    assert words in done.output.replace("\n", " ")
