"""Decodes images, audio and videos, to find out whether that is possible and whether there is anything in them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray
from PIL import Image

from emm1.media.clips import opened
from emm1.media.finding import Finding, Status
from emm1.media.limited import Limited, UnreadableError

# Seconds for a file; `emm1.media.examiners` waits somewhat longer.
SECONDS = 30
MOST_PIXELS = 100_000_000  # of four bytes each
# The loudest sample of 16 bits of what is silent: dither and the noise of encoders stay below.
SILENT = 4
# A video is still if in small pictures of it no brightness, of 255, differs by so much: the noise of encoders stays below.
STILL, SIDE = 6, 32
PLACES = 5  # at which a video is looked at, from its first picture to its last
SHORT = 0.9  # of the seconds that a clip should have
SECOND = 1.0  # so much may be missing at least

warnings.filterwarnings("ignore", module=r"PIL\.")


def image(path: Path) -> Finding:
    """Decode all of an image."""
    try:
        with Image.open(path) as opened_image:
            width, height = opened_image.size
            if width * height > MOST_PIXELS:
                return Finding(Status.ok, f"{width:,} × {height:,} pixels, too many to decode here")
            opened_image.load()
    except Exception as error:  # decoders raise all kinds of them for damaged files
        raise UnreadableError(str(error)[:200]) from error
    return Finding(Status.ok)


def audio(path: Path, seconds: float | None) -> Finding:
    """Decode all of a clip's sound."""
    with opened(path, SECONDS) as (container, file):
        if not container.streams.audio:
            return Finding(Status.silent, "it has no sound track")
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        loudest, last = 0, 0.0
        resampler = av.AudioResampler("s16", "mono")
        for frame in container.decode(stream):
            last = _end(frame, last)
            for sound in resampler.resample(frame):
                samples = sound.to_ndarray()
                loudest = max(loudest, int(np.abs(samples.astype(np.int32)).max(initial=0)))
        _check_time(file)
        wrong = _ends_early(stream, last) or _too_short(last, seconds)
    if loudest <= SILENT:
        return Finding(Status.silent, "nothing in it is louder than noise")
    return wrong or Finding(Status.ok)


def video(path: Path, seconds: float | None) -> Finding:
    """Decode a video at its first picture, at places between, and from its last key frame to its end."""
    with opened(path, SECONDS) as (container, file):
        if not container.streams.video:
            return Finding(Status.wrong_kind, "it has no pictures")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        if stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
            return Finding(Status.ok, "too many pixels to decode here")
        first: NDArray[np.int16] | None = None
        moved, last = 0, 0.0
        for frame in _pictures(container, stream):
            last = _end(frame, last)
            if frame.is_corrupt:
                return Finding(Status.damaged, f"its picture at {last:.1f} s is damaged")
            picture = frame.reformat(SIDE, SIDE, "gray").to_ndarray().astype(np.int16)
            first = picture if first is None else first
            moved = max(moved, int(np.abs(picture - first).max()))
        _check_time(file)
        if first is None:
            return Finding(Status.damaged, "it has no picture that can be decoded")
        wrong = _ends_early(stream, last) or _too_short(last, seconds)
    return wrong or (Finding(Status.still, "nothing moves in it") if moved < STILL else Finding(Status.ok))


def _pictures(container: InputContainer, stream: Any) -> Iterator[av.VideoFrame]:
    """The first picture, one at each place, and all from the last key frame on."""
    yield from islice(container.decode(stream), 1)
    for place in range(1, PLACES):
        container.seek(int((container.duration or 0) * place / (PLACES - 1)))
        yield from islice(container.decode(stream), 1 if place < PLACES - 1 else None)


def _end(frame: Any, last: float) -> float:
    """The second at which a frame ends, or the latest so far."""
    if frame.time is None:
        return last
    lasts = frame.samples / frame.sample_rate if isinstance(frame, av.AudioFrame) else 0.0
    return max(last, float(frame.time + lasts))


def _ends_early(stream: Any, last: float) -> Finding | None:
    """What is said of a track that ends before its header says; not every format says."""
    length = float((stream.duration or 0) * (stream.time_base or 0))
    return Finding(Status.truncated, f"it ends at {last:.1f} s of {length:.1f}") if _short(last, length) else None


def _too_short(last: float, seconds: float | None) -> Finding | None:
    if seconds is None or not _short(last, seconds):
        return None
    return Finding(Status.too_short, f"it has {last:.1f} s of {seconds:.1f}")


def _short(last: float, length: float) -> bool:
    return last < min(SHORT * length, length - SECOND)


def _check_time(file: Limited) -> None:
    if file.is_late:
        raise UnreadableError("it takes too long to read")
