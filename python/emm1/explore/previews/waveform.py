"""Draws the loudness of audio over time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from emm1.media.clips import opened
from emm1.media.limited import UnreadableError

RATE, BIN = 8000, 80  # samples a second, and samples of which the loudest counts: 10 ms
MINUTES = 10  # what follows after them is not drawn
COLUMNS, HALF = 1000, 50
COLOUR = "#4a86d8"  # seen on light and on dark pages

Peaks = NDArray[np.float32]


def of_audio(path: Path) -> bytes:
    """The waveform of audio as SVG: at most 1,000 columns, of at most the first ten minutes.

    Raises:
        UnreadableError: it is damaged, or has no sound.
    """
    most = MINUTES * 60 * RATE // BIN
    parts: list[Peaks] = []
    cut = False
    with opened(path) as (container, file):
        if not container.streams.audio:
            raise UnreadableError("it has no sound")
        container.streams.audio[0].codec_context.thread_count = 1
        for peaks in _loudest(container.decode(audio=0)):
            parts.append(peaks)
            cut = file.is_late or sum(map(len, parts)) > most
            if cut:
                break
    if not parts:
        raise UnreadableError("it has no sound that can be decoded")
    found = np.concatenate(parts)[:most]
    return drawn(found, len(found) * BIN / RATE, cut=cut)


def drawn(peaks: Peaks, seconds: float, *, cut: bool) -> bytes:
    """Peaks from 0 to 1 as SVG.

    >>> print(drawn(np.float32([0, 1]), 0.02, cut=False).decode())
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 100" preserveAspectRatio="none"><title>0.0 seconds</title><path fill="#4a86d8" d="M0 49h1v2h-1zM1 0h1v100h-1z"/></svg>
    """
    columns = np.array([part.max() for part in np.array_split(peaks, min(COLUMNS, len(peaks)))])
    heights = np.maximum(1, np.rint(np.clip(columns, 0, 1) * HALF)).astype(int).tolist()
    path = "".join(f"M{x} {HALF - y}h1v{2 * y}h-1z" for x, y in enumerate(heights))
    title = f"The first {seconds:.1f} seconds" if cut else f"{seconds:.1f} seconds"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(heights)} {2 * HALF}" preserveAspectRatio="none">'
        f'<title>{title}</title><path fill="{COLOUR}" d="{path}"/></svg>'
    ).encode()


def _loudest(frames: Iterator[av.AudioFrame]) -> Iterator[Peaks]:
    """The loudest sample of every 10 ms, from 0 to 1."""
    resampler = av.AudioResampler("s16", "mono", RATE)
    left = np.empty(0, np.float32)
    for frame in frames:
        for sound in resampler.resample(frame):
            samples = np.abs(sound.to_ndarray()[0].astype(np.float32)) / (1 << 15)
            left = np.concatenate([left, samples])
        whole = len(left) // BIN * BIN
        if whole:
            yield left[:whole].reshape(-1, BIN).max(axis=1)
            left = left[whole:]
    if len(left):
        yield left.max(keepdims=True)
