"""The items of a sample: info rows of the published shape, quirks included, and what each is about."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.sample.vectors import Items
from emm1.sample.words import (
    LICENSES,
    ODD_CAPTIONS,
    PLACES,
    SOURCES,
    SUBJECTS,
    SUBJECTS_PER_THEME,
    VERBS,
    VERBS_PER_THEME,
)

ODD_EVERY = 37  # every 37th caption and youtube id is an odd one: at least one in the smallest tree
YOUTUBE = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8)
HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
DIGITS = HEX[:10]


def items_of(rng: np.random.Generator, modality: str, ids: NDArray[np.int64], save_folders: tuple[str, ...]) -> Items:
    """Items of a modality with these ids, each in one of the folders."""
    topic = rng.integers(len(SUBJECTS), size=len(ids))
    head = pl.DataFrame({f"encord_{modality}_id": ids}).with_columns(
        _pick(rng, SOURCES[modality], len(ids)).alias("source_dataset"),
        _pick(rng, LICENSES, len(ids)).alias("dataset_license"),
    )
    if modality == "text":
        return Items(head.with_columns(_captions(rng, topic)), topic)
    if modality in ("audio", "video"):
        info = with_clips(rng, modality, head)
    elif modality == "image":
        info = _images(rng, head)
    else:
        info = with_points(rng, head)
    return Items(info.with_columns(_pick(rng, save_folders, len(ids)).alias("save_folder")), topic)


def _captions(rng: np.random.Generator, topic: NDArray[np.int64]) -> pl.Series:
    rows = len(topic)
    theme = topic // SUBJECTS_PER_THEME
    words = pl.DataFrame(
        {
            "subject": pl.Series(SUBJECTS).gather(topic),
            "verb": pl.Series(VERBS).gather(theme * VERBS_PER_THEME + rng.integers(VERBS_PER_THEME, size=rows)),
            "place": _pick(rng, PLACES, rows),
            "then": pl.Series(VERBS).gather(theme * VERBS_PER_THEME + rng.integers(VERBS_PER_THEME, size=rows)),
            "odd": pl.Series(ODD_CAPTIONS).gather(np.arange(rows) // ODD_EVERY % len(ODD_CAPTIONS)),
        }
    )
    return words.select(
        pl.when(pl.int_range(pl.len()) % ODD_EVERY == ODD_EVERY - 1)
        .then(pl.col("odd").str.replace("{}", pl.col("subject"), literal=True))
        .otherwise(pl.format("{} {} {}, then {}", "subject", "verb", "place", "then"))
        .alias("caption")
    ).to_series()


def with_clips(rng: np.random.Generator, modality: str, head: pl.DataFrame) -> pl.DataFrame:
    """Add the columns of audio or video: times of a YouTube video, or the name of a VidGen-1M scene."""
    start = rng.integers(600, size=head.height)
    info = head.with_columns(
        _youtube_ids(rng, head.height).alias("youtube_id"),
        pl.Series("start_time", start),
        pl.Series("end_time", start + 10),
        file_id=pl.lit(None, pl.String),
    ).with_columns(pl.format("{}_{}.mp4", "youtube_id", "start_time").alias("file_name"))
    if modality == "audio":
        return info.drop("file_id")
    scene = pl.col("source_dataset") == "VidGen-1M"
    return info.with_columns(
        pl.when(scene).then(pl.format("{}-Scene-{}", "youtube_id", "start_time")).alias("file_id"),
        pl.when(~scene).then(pl.col("youtube_id", "start_time", "end_time")),
    )


def _images(rng: np.random.Generator, head: pl.DataFrame) -> pl.DataFrame:
    """Add the columns of images: a file_id is a URL or a number with leading zeros, by source."""
    info = head.with_columns(
        pl.Series("number", rng.integers(10**6, size=head.height)).cast(pl.String).str.zfill(12),
        _tokens(rng, head.height, 24, YOUTUBE).alias("token"),
    )
    url = pl.format("https://images.example/{}/{}.jpg?size=large&v=1,2", "token", "number")
    has_url = pl.col("source_dataset") == "Google Conceptual Captions"
    return info.with_columns(
        pl.when(has_url).then(url).otherwise("number").alias("file_id"),
        pl.format("{}_{}.jpg", "number", "encord_image_id").alias("file_name"),
    ).drop("number", "token")


def with_points(rng: np.random.Generator, head: pl.DataFrame) -> pl.DataFrame:
    """Add the columns of point clouds."""
    file_id = _tokens(rng, head.height, 32, HEX).alias("file_id")
    return head.with_columns(file_id, (file_id + ".npy").alias("file_name"))


def with_shared_files(rng: np.random.Generator, modality: str, own: Items, other: Items) -> Items:
    """Replace up to half of the 1M split's items with files of the 100M split, shuffled, so that ids differ."""
    shared = np.flatnonzero((other.info["save_folder"] == "shared").to_numpy())[: own.info.height // 2]
    rest = np.arange(len(shared), own.info.height)
    order = rng.permutation(own.info.height)
    key = f"encord_{modality}_id"
    info = pl.concat([other.info[shared], own.info[rest]])[order].with_columns(own.info[key])
    return Items(info, np.concatenate([other.topic[shared], own.topic[rest]])[order])


def _pick(rng: np.random.Generator, values: tuple[str, ...], rows: int) -> pl.Series:
    return pl.Series(values).gather(rng.integers(len(values), size=rows))


def _tokens(rng: np.random.Generator, rows: int, width: int, alphabet: NDArray[np.uint8]) -> pl.Series:
    return _as_strings(alphabet[rng.integers(len(alphabet), size=(rows, width))])


def _youtube_ids(rng: np.random.Generator, rows: int) -> pl.Series:
    """Draw ids of eleven characters; some look like numbers, which misleads type inference."""
    ids = YOUTUBE[rng.integers(len(YOUTUBE), size=(rows, 11))]
    odd = ids[ODD_EVERY - 1 :: ODD_EVERY]
    odd[:] = DIGITS[rng.integers(len(DIGITS), size=odd.shape)]
    return _as_strings(ids)


def _as_strings(characters: NDArray[np.uint8]) -> pl.Series:
    rows, width = characters.shape
    return pl.Series(np.ascontiguousarray(characters).view(f"S{width}").reshape(rows).astype(str))
