"""What is said of media files that are whole, and of those that downloads leave behind."""

import os
import sys
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from emm1.media.examine import examine
from emm1.media.examiners import Examiner, Examiners, File, find_and_examine
from emm1.sample.media import MADE, Shown

ITEM = Shown("100m image 7", "music 1", 7, 0.4, 2)
SUFFIX = {"image": "jpg", "audio": "mp4", "video": "mp4", "points": "npy"}
WHOLE = {modality: made(ITEM) for modality, made in MADE.items()}


def clip(*, pictures: float = 0, sound: float = 0, moves: bool = True, loud: float = 0.5) -> bytes:
    """An MP4 file with pictures and sound of so many seconds."""
    file = BytesIO()
    with av.open(file, "w", "mp4") as container:
        video = container.add_stream("libx264", 5) if pictures else None
        audio = container.add_stream("aac", 16_000, layout="mono") if sound else None
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for number in range(int(pictures * 5)):
                pixels = np.zeros((48, 64, 3), np.uint8)
                pixels[:, : 1 + (number if moves else 0)] = 255
                container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
            container.mux(video.encode())
        if audio is not None:
            wave = loud * np.sin(np.arange(int(sound * 16_000)) / 10)
            frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
            frame.sample_rate, frame.time_base, frame.pts = 16_000, Fraction(1, 16_000), 0
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return file.getvalue()


def status_of(path: Path, content: bytes, modality: str, seconds: float | None = None) -> str:
    path.write_bytes(content)
    return examine(path, modality, seconds).status.value


@pytest.mark.parametrize("modality", MADE)
def test_whole_files_are_ok_and_those_cut_off_are_not(modality: str, tmp_path: Path) -> None:
    path, whole = tmp_path / f"a.{SUFFIX[modality]}", WHOLE[modality]
    seconds = 10 if modality in {"audio", "video"} else None
    assert status_of(path, whole, modality, seconds) == "ok"
    for size in (1, 20, 200, len(whole) // 2, len(whole) - 40):
        assert status_of(path, whole[:size], modality, seconds) in {"truncated", "damaged", "wrong_kind"}, size


@pytest.mark.parametrize(
    ("modality", "content", "seconds", "expected"),
    [
        ("image", b"", None, "empty"),
        ("video", b"  <!doctype html><p>Sign in", None, "html"),
        ("image", bytes(5000), None, "truncated"),
        ("image", WHOLE["video"], None, "wrong_kind"),
        ("audio", WHOLE["image"], None, "wrong_kind"),
        ("points", WHOLE["image"], None, "wrong_kind"),
        ("points", b"\x93NUMPY\x01\x00", None, "damaged"),
        ("audio", clip(pictures=3), None, "silent"),
        ("video", clip(sound=3), None, "wrong_kind"),
        ("audio", clip(sound=3, loud=0), None, "silent"),
        ("audio", clip(sound=3), None, "ok"),
        ("audio", clip(sound=3), 10, "too_short"),
        ("video", clip(pictures=3), 10, "too_short"),
        ("video", clip(pictures=3, moves=False), 3, "still"),
        ("video", clip(pictures=9.4), 10, "ok"),
        # A track may be shorter than the other one.
        ("video", clip(pictures=3, sound=6), None, "ok"),
        ("audio", clip(pictures=6, sound=3), None, "ok"),
    ],
)
def test_what_is_said_of_files(
    modality: str, content: bytes, seconds: float | None, expected: str, tmp_path: Path
) -> None:
    assert status_of(tmp_path / f"a.{SUFFIX[modality]}", content, modality, seconds) == expected


def test_a_png_that_lacks_its_end(tmp_path: Path) -> None:
    file = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), np.uint8)).save(file, "PNG")
    assert status_of(tmp_path / "a.png", file.getvalue(), "image") == "ok"
    assert status_of(tmp_path / "a.png", file.getvalue()[:-2000], "image") in {"truncated", "damaged"}


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_circle(path: Path) -> None:
    path.symlink_to(path)


def make_outside(path: Path) -> None:
    path.symlink_to(sys.executable)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (make_folder, "unreadable"),
        (make_pipe, "unreadable"),
        (make_circle, "missing"),
        (make_outside, "missing"),
        (lambda _path: None, "missing"),
    ],
)
def test_what_is_no_file(make: Callable[[Path], None], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    make(path)
    file = File((str(path),), str(tmp_path.resolve()), "video", None)
    assert find_and_examine(file, decode=True).status == expected


def test_the_first_place_with_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "video").mkdir()
    path = tmp_path / "video/a.mp4"
    path.write_bytes(WHOLE["audio"])
    file = File((str(tmp_path / "audio/a.mp4"), str(path)), str(tmp_path.resolve()), "audio", 10)
    assert find_and_examine(file, decode=True).status == "ok"


def test_processes_that_end_are_replaced_and_modules_beside_are_not_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.mp4"
    path.write_bytes(WHOLE["audio"])
    file = File((str(path),), str(tmp_path.resolve()), "audio", 10)
    with Examiner() as examiner:
        assert examiner.examine(file).status == "ok"
        examiner._process.kill()
        assert examiner.examine(file).status == "ok"
    with Examiners(2) as examiners:
        assert [found.status for found in examiners.examine([file] * 5)] == ["ok"] * 5
