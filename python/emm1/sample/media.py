"""Writes small real media for some items of a sample: pictures, sounds, videos and point clouds that show which item they are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import chain
from pathlib import Path
from zlib import crc32

import av
import numpy as np
import polars as pl
from av.container import OutputContainer
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from emm1.dataset import FILE_MODALITIES
from emm1.sample.vectors import Items
from emm1.sample.words import CATEGORIES, SUBJECTS, SUBJECTS_PER_THEME, THEMES

# Of each modality of a split: the first items, and what the first groups or triplets consist of, until there are so many.
FIRST, MOST = 8, 48
OF_A_CATEGORY = 2
# The seconds of a clip, as the tables say.
SECONDS = 10
RATE, BEEPS = 16_000, 20  # of sounds
FRAMES = 2  # a second
PICTURE, SCREEN = (640, 480), (320, 240)
POINTS = 1000
GOLDEN = 0.381966  # the golden angle, as a share of a turn: points that follow each other at it are spread evenly

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """An item as its media show it.

    Attributes:
        name: its split, modality and id.
        topic: what it is about, in words.
        number: its id.
        tone: the number of its topic, from 0 to 1: its hue and its pitch.
        form: the number of its topic within the theme: its shape.
    """

    name: str
    topic: str
    number: int
    tone: float
    form: int

    @property
    def turn(self) -> float:
        """By how much of a turn its shape is turned, so that neighbouring ids look unlike."""
        return crc32(self.name.encode()) / 2**32


def write_media(
    folder: Path,
    of_100m: tuple[dict[str, Items], dict[str, NDArray[np.int64]]],
    of_1m: tuple[dict[str, Items], pl.DataFrame],
    eshot: dict[str, Items],
) -> None:
    """Write media where the store of a sample looks for them: `folder`/save_folder/modality/file_name.

    Args:
        folder: the folder of the sample.
        of_100m: the items of E-MM1:100M by modality, and the ids of their groups.
        of_1m: the items of E-MM1:1M, and the triplets.
        eshot: the samples of EShot; their topics are categories.
    """
    for modality in FILE_MODALITIES:
        for dataset, (items, rows) in {
            "100m": (of_100m[0], in_first_groups(of_100m[1][modality])),
            "1m": (of_1m[0], in_first_triplets(of_1m[1], modality)),
        }.items():
            topic = items[modality].topic[rows]
            themes = [f"{tuple(THEMES)[one // SUBJECTS_PER_THEME]} {one % SUBJECTS_PER_THEME + 1}" for one in topic]
            _write(folder, dataset, modality, items[modality].info[rows], themes, topic / len(SUBJECTS))
    for modality, samples in eshot.items():
        rows = first_of_each(samples.topic)
        topic = samples.topic[rows]
        names = [CATEGORIES[one].replace("_", " ") for one in topic]
        _write(folder, "eshot", modality, samples.info[rows], names, topic / len(CATEGORIES))


def in_first_groups(groups: NDArray[np.int64]) -> list[int]:
    """Rows of the first items, of all neighbours of the first caption, and of nearest neighbours of the next ones.

    >>> in_first_groups(np.array([[9, 8], [20, 30], [21, 31]]))
    [0, 1, 2, 3, 4, 5, 6, 7, 9, 8, 20, 21, 30, 31]
    """
    return _distinct(chain(range(FIRST), groups[0].tolist(), groups[:MOST].T.ravel().tolist()))


def in_first_triplets(triplets: pl.DataFrame, modality: str) -> list[int]:
    """Rows of the first items and of those in the first triplets, which are paired or rated.

    >>> columns = ["paired_modality", "annotated_modality", "encord_paired_id", "encord_annotated_id"]
    >>> in_first_triplets(pl.DataFrame([("image", "points", 9, 5), ("audio", "image", 7, 12)], columns, orient="row"), "image")
    [0, 1, 2, 3, 4, 5, 6, 7, 9, 12]
    """
    sides = [
        triplets.with_row_index()
        .filter(pl.col(f"{side}_modality") == modality)
        .select("index", pl.col(f"encord_{side}_id").alias("id"))
        for side in ("paired", "annotated")
    ]
    return _distinct(chain(range(FIRST), pl.concat(sides).sort("index", maintain_order=True)["id"]))


def first_of_each(labels: NDArray[np.int64]) -> list[int]:
    """Rows of the first samples of every category.

    >>> first_of_each(np.array([1, 0, 0, 0, 1, 1]))
    [0, 1, 2, 4]
    """
    rows = (np.flatnonzero(labels == label)[:OF_A_CATEGORY] for label in np.unique(labels))
    return sorted(chain.from_iterable(each.tolist() for each in rows))


def _distinct(rows: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(rows))[:MOST]


def _write(
    folder: Path, dataset: str, modality: str, info: pl.DataFrame, topics: list[str], tones: NDArray[np.float64]
) -> None:
    made = MADE[modality]
    for number, place, name, topic, tone in zip(
        info.to_series(0), info["save_folder"], info["file_name"], topics, tones.tolist(), strict=True
    ):
        path = folder / place / modality / name
        if path.exists():  # a file that both splits share shows its id in the first
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        form = round(tone * len(SUBJECTS)) % SUBJECTS_PER_THEME
        path.write_bytes(made(Shown(f"{dataset} {modality} {number}", topic, number, tone, form)))


def drawn(shown: Shown, size: tuple[int, int], at: float = 0.5) -> Image.Image:
    """A picture of an item: a shape in the colour of its topic, turned by its id, `at` a share of the width; and its name."""
    width, height = size
    hue = round(shown.tone * 255)
    picture = Image.new("HSV", size, (hue, 90, 235))
    draw = ImageDraw.Draw(picture)
    circle = (width * (0.2 + 0.6 * at), height * 0.55, height * 0.28)
    draw.regular_polygon(circle, 3 + shown.form, rotation=360 * shown.turn, fill=(hue, 230, 120))
    line = height // 12
    font = ImageFont.load_default(line)
    draw.text((line, line // 2), shown.name, (0, 0, 20), font)
    draw.text((line, height - 2 * line), shown.topic, (0, 0, 20), font)
    return picture.convert("RGB")


def image(shown: Shown) -> bytes:
    r"""A picture as JPEG, as the published images are.

    >>> image(Shown("100m image 7", "music 1", 7, 0.4, 2))[:3]
    b'\xff\xd8\xff'
    """
    file = BytesIO()
    drawn(shown, PICTURE).save(file, "JPEG", quality=80)
    return file.getvalue()


def video(shown: Shown) -> bytes:
    """A video whose shape moves from left to right, as H.264 in MP4."""

    def write(container: OutputContainer) -> None:
        # One thread and no more: how many there are changes the bytes.
        stream = container.add_stream("libx264", FRAMES, {"preset": "veryfast", "threads": "1"})
        stream.width, stream.height = SCREEN
        stream.pix_fmt = "yuv420p"
        for number in range(SECONDS * FRAMES):
            pixels: Pixels = np.asarray(drawn(shown, SCREEN, number / (SECONDS * FRAMES - 1)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())

    return _mp4(write)


def audio(shown: Shown) -> bytes:
    """Beeps at the pitch of the item's topic, the loudest of them chosen by its id, as AAC in MP4: published audio is `.mp4`."""
    moment = np.arange(SECONDS * RATE) / RATE
    beep = (moment * BEEPS / SECONDS).astype(int)
    within = moment * BEEPS / SECONDS % 1
    loudness = np.where(beep == shown.number % BEEPS, 0.8, 0.3) * np.exp(-4 * within) * np.minimum(1, within * 50)
    sound = loudness * np.sin(2 * np.pi * 220 * 2 ** (2 * shown.tone) * moment)

    def write(container: OutputContainer) -> None:
        stream = container.add_stream("aac", RATE, {"aac_coder": "fast"}, layout="mono")
        stream.bit_rate = 32_000
        frame = av.AudioFrame.from_ndarray(sound.astype(np.float32)[None], "fltp", "mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())

    return _mp4(write)


def points(shown: Shown) -> bytes:
    """A cloud in the shape and the colour of the item's topic: OpenShape's pickled dictionary, or an array for every second id."""
    along, around = (np.arange(POINTS) + 0.5) / POINTS, 2 * np.pi * (np.arange(POINTS) * GOLDEN + shown.turn)
    depth = 2 * along - 1
    radius, height = (
        (np.sqrt(1 - depth**2), depth),  # a sphere
        (0.7 + 0.3 * np.cos(2 * np.pi * along), 0.3 * np.sin(2 * np.pi * along)),  # a ring
        (1 - along, depth),  # a cone
        (np.full(POINTS, 0.6), depth),  # a tube
        (0.3 + 0.7 * depth**2, depth),  # an hourglass
    )[shown.form]
    xyz = np.stack([radius * np.cos(around), height, radius * np.sin(around)], axis=1).astype(np.float32)
    shades = np.stack([np.full(POINTS, shown.tone * 255), np.full(POINTS, 200), 90 + 160 * along], axis=1)
    colours = Image.fromarray(shades.astype(np.uint8)[None], "HSV").convert("RGB")
    rgb = np.asarray(colours)[0].astype(np.float32) / 255
    file = BytesIO()
    if shown.number % 2:
        np.save(file, np.concatenate([xyz, rgb], axis=1))
    else:
        np.save(file, np.array({"xyz": xyz, "rgb": rgb, "name": [shown.topic]}, dtype=object))
    return file.getvalue()


def _mp4(write: Callable[[OutputContainer], None]) -> bytes:
    file = BytesIO()
    with av.open(file, "w", "mp4") as container:
        write(container)
    return file.getvalue()


MADE: dict[str, Callable[[Shown], bytes]] = {"image": image, "audio": audio, "video": video, "points": points}
