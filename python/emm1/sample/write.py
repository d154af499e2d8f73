"""Writes a small dataset tree in the published form, quirks included, with embeddings whose neighbours are known."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1 import errors
from emm1.sample.editions import EDITIONS, Edition, Tables, write_csv
from emm1.sample.items import items_of, with_clips, with_points, with_shared_files
from emm1.sample.neighbours import nearest_rows
from emm1.sample.vectors import (
    Items,
    item_vectors,
    items_of_topics,
    topic_vectors,
    write_1m_embeddings,
    write_embeddings,
    write_eshot_embeddings,
)
from emm1.sample.words import CATEGORIES, SUBJECTS, SUBJECTS_PER_THEME

MODALITIES = ("video", "audio", "image", "points", "text")  # in the order of the groups' columns
RANKS = 16
ROWS_100M = {"video": 2_200_000, "audio": 2_100_000, "image": 2_950_000, "points": 517_000, "text": 6_706_765}
ROWS_1M = {"video": 72_000, "audio": 121_000, "image": 118_000, "points": 177_000, "text": 312_000}
TEXT_IDS_100M = 8_134_021  # text ids have gaps: 6,706,765 of these are used
LEAST_ROWS = 40
TRIPLETS, LEAST_TRIPLETS = 1_000_000, 400
# (paired, annotated): share. Some pairs of modalities have one direction only.
TRIPLET_PAIRS = {
    ("audio", "points"): 0.15,
    ("image", "points"): 0.28,
    ("points", "image"): 0.02,
    ("video", "points"): 0.25,
    ("audio", "image"): 0.2,
    ("image", "audio"): 0.1,
}

LABELS = {"annotation": [1, 2, 3], "annotation_string": ["Good Match", "Partial Match", "Bad Match"]}
# The folders of a sample.
PARTS = (
    "e-mm1_100m",
    "e-mm1_1m",
    "E-MM1-100M",
    "E-MM1-1M",
    "eshot",
    "embeddings",
    "e-mm1_100m_only",
    "e-mm1_1m_only",
    "shared",
)


def write_sample(
    folder: str | Path,
    *,
    scale: float = 0.001,
    embeddings: int = 64,
    seed: int = 0,
    edition: Edition = "csv",
    media: bool = False,
) -> None:
    """Write a dataset tree in the published form, small enough for experiments.

    The tree has the published files, columns and quirks: captions with quotes, line breaks, other scripts
    and the words NA and null, gaps in the text ids, youtube ids that look like numbers, clips without times,
    files that both splits share under different ids, duplicate triplets, categories that list file_ids.
    Every caption and item belongs to a topic, which the caption names. With `embeddings`, the groups of
    nn_k hold the k-th nearest item of each modality by cosine (equal cosines: the lower id), and triplets are
    rated by topic. There are also vectors of the 1M split, for its files and for a few re-encoded copies with
    other names. The same arguments give the same bytes.

    Neighbours are computed exactly, which takes time quadratic in `scale`: seconds at the default,
    minutes at 0.01.

    Args:
        folder: the folder to write to; created if missing, otherwise it must be empty.
        scale: number of rows as a fraction of the published one, above 0 and up to 1; EShot always has 112
            categories.
        embeddings: dimensions of the float32 unit vectors in `folder`/embeddings and, for the 1M split, in
            `folder`/embeddings/1m; 0 writes none and fills the groups at random.
        seed: another seed gives another tree.
        edition: ``csv`` writes the files of the published repository, ``hub`` the same rows as the Parquet files of the
            Hub, in `folder`/E-MM1-100M/data and `folder`/E-MM1-1M/data; EShot is CSV and JSON in both.
        media: whether some items have files, in `folder`/save_folder/modality, where a store of the folder looks for them: at
            most 48 of each modality and split (the first items, and those of the first groups and triplets), and two samples
            of every category of EShot. The bytes of these also depend on the versions of pillow and av, which write them.

    Raises:
        errors.SourceError: `folder` is a file or not empty, or `scale` or `seed` is out of range, or `edition` unknown.
        errors.EmbeddingError: `embeddings` is negative.
        errors.Error: the files cannot be written; any that were written are removed. Or `media` are wanted, but pillow or
            av is not installed.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_sample(folder, scale=0.0001, embeddings=16)
    >>> pl.read_csv(folder / "e-mm1_100m/nn_1/data_groups.csv").columns[:3]
    ['encord_text_id', 'encord_video_id', 'encord_audio_id']
    >>> np.load(folder / "embeddings/points.npy").shape
    (51, 16)
    """
    folder = Path(folder)
    _check(folder, scale, embeddings, seed, edition)
    if media:
        _check_packages()
    with _whole(folder):
        _write(folder, scale, embeddings, seed, edition, media=media)


def _write(folder: Path, scale: float, embeddings: int, seed: int, edition: Edition, *, media: bool) -> None:
    streams = np.random.default_rng(seed).spawn(7)  # one per part, so that no part depends on the size of another
    items = _split_100m(streams[0], scale)
    items_1m = _split_1m(streams[1], scale, items)
    triplets = _triplets(streams[1], {modality: item.topic for modality, item in items_1m.items()}, scale)
    samples = _eshot(streams[2], folder / "eshot")
    if embeddings:
        topics = topic_vectors(streams[3], embeddings)
        vectors = item_vectors(streams[3], topics, items)
        write_embeddings(folder / "embeddings", items, vectors)
        write_1m_embeddings(streams[6], folder / "embeddings" / "1m", topics, items_1m, (items, vectors))
        labels = {modality: sample.topic for modality, sample in samples.items()}
        write_eshot_embeddings(streams[4], folder / "embeddings", labels, embeddings)
        groups = _nearest_groups(vectors)
    else:
        groups = _random_groups(streams[5], items)
    tables = Tables(
        infos_100m={modality: item.info for modality, item in items.items()},
        groups=_group_tables(items["text"], groups),
        infos_1m={modality: item.info for modality, item in items_1m.items()},
        triplets=triplets,
        labels=pl.DataFrame(LABELS),
    )
    EDITIONS[edition](folder, tables)
    if media:
        from emm1.sample.media import write_media  # noqa: PLC0415 - needs the extra

        write_media(folder, (items, groups), (items_1m, triplets), samples)


def _check_packages() -> None:
    try:
        import emm1.sample.media  # noqa: F401, PLC0415 - of the extra
    except ModuleNotFoundError as error:
        package = "pillow" if error.name == "PIL" else error.name
        raise errors.Error(f"the media are written by the package {package}: pip install 'emm1[media]'") from error


@contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """Write the whole sample into a folder, or leave the folder as it was."""
    made = not folder.exists()
    try:
        yield
    except BaseException as error:
        for part in PARTS:
            shutil.rmtree(folder / part, ignore_errors=True)
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise errors.Error(f"the sample cannot be written to {folder}: {error.strerror or error}") from error
        raise


def _check(folder: Path, scale: float, embeddings: int, seed: int, edition: str) -> None:
    if not 0 < scale <= 1:
        raise errors.SourceError(f"scale is {scale}: give a number above 0 and up to 1 (0.001 is the default)")
    if embeddings < 0:
        raise errors.EmbeddingError(f"embeddings is {embeddings}: give the dimensions of a vector, or 0 for none")
    if seed < 0:
        raise errors.SourceError(f"seed is {seed}: give a whole number from 0")
    if edition not in EDITIONS:
        raise errors.SourceError(f"unknown edition {edition!r}: {', '.join(EDITIONS)}")
    if folder.exists() and not folder.is_dir():
        raise errors.SourceError(f"{folder} is a file: name a new or empty folder for the sample")
    if folder.is_dir() and any(folder.iterdir()):
        raise errors.SourceError(f"{folder} is not empty: name a new or empty folder for the sample")


def _split_100m(rng: np.random.Generator, scale: float) -> dict[str, Items]:
    items = {}
    for modality in MODALITIES:
        rows = max(LEAST_ROWS, int(ROWS_100M[modality] * scale))
        ids = np.arange(rows)
        if modality == "text":
            ids = np.sort(rng.choice(max(rows, int(TEXT_IDS_100M * scale)), rows, replace=False))
        items[modality] = items_of(rng, modality, ids, ("e-mm1_100m_only", "shared"))
    return items


def _split_1m(rng: np.random.Generator, scale: float, items_100m: dict[str, Items]) -> dict[str, Items]:
    items = {}
    for modality in MODALITIES:
        rows = max(LEAST_ROWS, int(ROWS_1M[modality] * scale))
        items[modality] = items_of(rng, modality, np.arange(rows), ("e-mm1_1m_only",))
        if modality != "text":
            items[modality] = with_shared_files(rng, modality, items[modality], items_100m[modality])
    return items


def _triplets(rng: np.random.Generator, topics: dict[str, NDArray[np.int64]], scale: float) -> pl.DataFrame:
    """Draw triplets: a caption, an item of its topic, and an item of its topic, its theme or neither."""
    rows = max(LEAST_TRIPLETS, int(TRIPLETS * scale))
    text = rng.integers(len(topics["text"]), size=rows)
    topic = topics["text"][text]
    any_topic = rng.integers(len(SUBJECTS), size=rows)
    same_theme = topic - topic % SUBJECTS_PER_THEME + any_topic % SUBJECTS_PER_THEME
    candidate = np.choose(rng.choice(3, rows, p=[0.45, 0.25, 0.3]), [topic, same_theme, any_topic])
    pair = rng.choice(len(TRIPLET_PAIRS), rows, p=list(TRIPLET_PAIRS.values()))
    paired, annotated = np.empty(rows, np.int64), np.empty(rows, np.int64)
    for code, (first, second) in enumerate(TRIPLET_PAIRS):
        at = np.flatnonzero(pair == code)
        paired[at] = items_of_topics(rng, topics[first], topic[at])
        annotated[at] = items_of_topics(rng, topics[second], candidate[at])
    # Ratings depend on topics: the same topic is a good match, another topic of the same theme a partial match.
    related = topic // SUBJECTS_PER_THEME == candidate // SUBJECTS_PER_THEME
    triplets = pl.DataFrame(
        {
            "encord_text_id": text,
            "paired_modality": pl.Series([first for first, _ in TRIPLET_PAIRS]).gather(pair),
            "annotated_modality": pl.Series([second for _, second in TRIPLET_PAIRS]).gather(pair),
            "encord_paired_id": paired,
            "encord_annotated_id": annotated,
            "annotation": np.where(topic == candidate, 1, np.where(related, 2, 3)),
        }
    )
    return pl.concat([triplets, triplets.head(rows // 200)])  # the dataset does not promise unique rows


def _eshot(rng: np.random.Generator, folder: Path) -> dict[str, Items]:
    """Write EShot's files; return each modality's samples, whose topics are categories."""
    labels = {
        modality: rng.permutation(np.repeat(np.arange(len(CATEGORIES)), rng.integers(5, 26, len(CATEGORIES))))
        for modality in ("audio", "points")
    }
    audio = pl.DataFrame({"eshot_audio_id": np.arange(len(labels["audio"]))})
    clips = with_clips(rng, "audio", audio).with_columns(save_folder=pl.lit("eshot"))
    points = with_points(rng, pl.DataFrame({"eshot_point_id": np.arange(len(labels["points"]))}))
    points = points.with_columns(save_folder=pl.lit("eshot"))
    write_csv(clips, folder / "eshot_audio_info.csv")
    write_csv(points, folder / "eshot_points_info.csv")
    # The README says lists of ids, the published file's size suggests lists of file_ids; the latter is the harder case.
    _write_categories(folder / "category_to_audio_ids.json", labels["audio"], clips["eshot_audio_id"])
    _write_categories(folder / "category_to_point_ids.json", labels["points"], points["file_id"])
    return {"audio": Items(clips, labels["audio"]), "points": Items(points, labels["points"])}


def _write_categories(path: Path, labels: NDArray[np.int64], keys: pl.Series) -> None:
    lists = {name: keys.gather(np.flatnonzero(labels == i)).to_list() for i, name in enumerate(CATEGORIES)}
    path.write_text(json.dumps(lists), encoding="utf-8")


def _nearest_groups(vectors: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.int64]]:
    """The neighbours of every caption: per modality, item ids, (captions, RANKS)."""
    return {
        modality: np.concatenate(list(nearest_rows(vectors["text"], vectors[modality], RANKS)))
        for modality in MODALITIES
        if modality != "text"
    }


def _random_groups(rng: np.random.Generator, items: dict[str, Items]) -> dict[str, NDArray[np.int64]]:
    shape = (len(items["text"].topic), RANKS)
    return {
        modality: rng.integers(len(items[modality].topic), size=shape) for modality in MODALITIES if modality != "text"
    }


def _group_tables(text: Items, groups: dict[str, NDArray[np.int64]]) -> list[pl.DataFrame]:
    """The groups of each rank from 1."""
    return [
        text.info.select("encord_text_id").with_columns(
            **{f"encord_{modality}_id": pl.Series(ids[:, rank - 1]) for modality, ids in groups.items()},
            nn_index=pl.lit(rank),
        )
        for rank in range(1, RANKS + 1)
    ]
