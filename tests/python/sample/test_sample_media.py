"""Media of a sample: where the store looks for them, real, all different, and few."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from system import emm1_cli

import emm1
from emm1.dataset import FILE_MODALITIES
from emm1.media.points import read_points
from emm1.sample.media import Shown, audio, image, points, video

FOLDERS = ("e-mm1_100m_only", "e-mm1_1m_only", "shared")


@pytest.fixture(scope="module")
def found(illustrated: Path) -> dict[str, dict[tuple[str, int], Path]]:
    """The files that the store finds, by modality, split and id."""
    with emm1.open(illustrated, read_only=True) as store:
        rows = store.sql("SELECT modality::VARCHAR, dataset, id, file_path FROM assets WHERE file_path IS NOT NULL")
        there = [(modality, dataset, number, Path(path)) for modality, dataset, number, path in rows.fetchall()]
    return {
        modality: {
            (dataset, number): path for kind, dataset, number, path in there if kind == modality and path.exists()
        }
        for modality in FILE_MODALITIES
    }


def test_every_file_belongs_to_an_item(illustrated: Path, found: dict[str, dict[tuple[str, int], Path]]) -> None:
    root = illustrated.parent / "sample"
    written = {path for name in FOLDERS for path in (root / name).rglob("*") if path.is_file()}
    written |= {path for name in ("audio", "points") for path in (root / "eshot" / name).iterdir()}
    assert written == {path for paths in found.values() for path in paths.values()}
    assert sum(path.stat().st_size for path in written) < 20_000_000


@pytest.mark.parametrize("modality", FILE_MODALITIES)
def test_files_are_few_and_differ(found: dict[str, dict[tuple[str, int], Path]], modality: str) -> None:
    paths = set(found[modality].values())
    assert {("100m", 0), ("1m", 0)} <= set(found[modality])
    most = 2 * 48 + (2 * 112 if modality in {"audio", "points"} else 0)
    assert most * 0.5 < len(paths) <= most
    if modality != "audio":  # four beeps at 112 pitches
        assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}) == len(paths)


def test_the_first_captions_have_whole_groups(illustrated: Path, found: dict[str, dict[tuple[str, int], Path]]) -> None:
    with emm1.open(illustrated, read_only=True) as store:
        keys = ", ".join(f"encord_{modality}_id" for modality in FILE_MODALITIES)
        nearest, first = (
            store.sql(
                f"SELECT {keys} FROM e_mm1_100m.groups WHERE {condition} ORDER BY encord_text_id, nn_index LIMIT {limit}"
            ).fetchall()
            for condition, limit in (("nn_index = 1", 20), ("true", 16))
        )
    for row in (*nearest, *first):
        assert [("100m", number) in found[modality] for modality, number in zip(FILE_MODALITIES, row, strict=True)] == [
            True
        ] * 4


def test_pictures_decode(found: dict[str, dict[tuple[str, int], Path]]) -> None:
    for path in found["image"].values():
        with Image.open(path) as picture:
            picture.load()
            assert (picture.format, picture.size) == ("JPEG", (640, 480))


def test_videos_move(found: dict[str, dict[tuple[str, int], Path]]) -> None:
    for path in list(found["video"].values())[::7]:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="gray").astype(float) for frame in container.decode(video=0)]
        assert len(frames) == 20
        dark = [np.flatnonzero(frame.mean(axis=0) < frame.mean() - 10).mean() for frame in frames]
        assert (np.diff(dark) > 0).all()


def test_sounds_have_the_pitch_of_their_topic() -> None:
    for number, tone in ((0, 0.0), (5, 0.5), (9, 0.9)):
        sound = decoded(audio(Shown("100m audio 0", "music 1", number, tone, 0)))
        spectrum = np.abs(np.fft.rfft(sound))
        pitch = spectrum.argmax() * 16_000 / len(sound)
        assert pitch == pytest.approx(220 * 4**tone, rel=0.03)
        beats = [np.abs(part).max() for part in np.array_split(sound[: 10 * 16_000], 20)]
        assert int(np.argmax(beats)) == number % 20


def decoded(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with av.open(BytesIO(data), "r") as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_both_forms_of_point_clouds(found: dict[str, dict[tuple[str, int], Path]]) -> None:
    forms = {read_points(path).form for path in found["points"].values()}
    assert forms == {"a pickled dictionary", "an array of float32"}
    for path in found["points"].values():
        cloud = read_points(path)
        assert cloud.array.shape == (1000, 6)
        assert not cloud.notes


def test_media_show_says_what_they_are(found: dict[str, dict[tuple[str, int], Path]]) -> None:
    paths = [next(iter(found[modality].values())) for modality in FILE_MODALITIES]
    done = emm1_cli("media", "show", *paths)
    assert done.returncode == 0
    for word in ("a JPEG image", "an MP4 file", "a point cloud"):
        assert word in done.stdout


@pytest.mark.parametrize("made", [image, audio, video, points])
def test_the_same_item_has_the_same_bytes(made: object) -> None:
    assert callable(made)
    one, other = (Shown(f"100m {number}", "music 1", number, 0.4, 2) for number in (7, 8))
    assert made(one) == made(one)
    assert made(one) != made(other)


def test_the_rest_of_the_sample_is_the_same(illustrated: Path, tmp_path: Path) -> None:
    root = illustrated.parent / "sample"
    emm1.write_sample(tmp_path, scale=0.0002, embeddings=16, seed=4)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 40
    for path in files:
        assert (root / path.relative_to(tmp_path)).read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize(("package", "module"), [("pillow", "PIL"), ("av", "av")])
def test_a_package_that_is_not_installed_is_named(tmp_path: Path, package: str, module: str) -> None:
    folder = tmp_path / "sample"
    code = f"import sys; sys.modules[{module!r}] = None; sys.argv = ['emm1', 'sample', {str(folder)!r}, '--media']; from emm1.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    message = f"emm1: the media are written by the package {package}: pip install 'emm1[media]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)
    assert not folder.exists()


def test_media_that_cannot_be_written_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_shown: Shown) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(sys.modules["emm1.sample.media"].MADE, "points", full)
    with pytest.raises(emm1.Error, match=r"cannot be written to .*: No space left on device"):
        emm1.write_sample(tmp_path / "sample", scale=0.0001, embeddings=0, media=True)
    assert list(tmp_path.iterdir()) == []
