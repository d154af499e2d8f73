"""The vectors of a sample dataset: the vector of an item's topic, plus noise."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.sample.words import CATEGORIES, SUBJECTS, SUBJECTS_PER_THEME

# Vectors are theme + subject + noise, each of about these lengths: cosines near 0.5 within a subject, 0.2
# within a theme, 0 elsewhere.
THEME_LENGTH, SUBJECT_LENGTH, NOISE_LENGTH = 0.5, 0.7, 0.8
# Of the files that only the 1M split has, one in COPY_EVERY is a re-encoded copy of a file of the 100M split, and another
# one in COPY_EVERY a copy of a file of its own: their vectors differ by noise of this length, cosines are near 0.995.
COPY_EVERY, COPY_NOISE = 10, 0.1


@dataclass(frozen=True)
class Items:
    """The items of one modality: their info rows and the topic of each item."""

    info: pl.DataFrame
    topic: NDArray[np.int64]


def items_of_topics(
    rng: np.random.Generator, item_topics: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Draw one item for each wanted topic; a topic without items uses the next topic that has some."""
    by_topic = np.argsort(item_topics, kind="stable")
    topics, first, count = np.unique(item_topics[by_topic], return_index=True, return_counts=True)
    at = np.searchsorted(topics, wanted) % len(topics)
    drawn: NDArray[np.int64] = by_topic[first[at] + rng.integers(count[at])]
    return drawn


def topic_vectors(rng: np.random.Generator, dim: int) -> NDArray[np.float64]:
    """Draw the vector of each topic, shape (topics, dim)."""
    themes = THEME_LENGTH * _noise(rng, len(SUBJECTS) // SUBJECTS_PER_THEME, dim)
    topics: NDArray[np.float64] = np.repeat(themes, SUBJECTS_PER_THEME, axis=0)
    return topics + SUBJECT_LENGTH * _noise(rng, len(SUBJECTS), dim)


def item_vectors(
    rng: np.random.Generator, topics: NDArray[np.float64], items: dict[str, Items]
) -> dict[str, NDArray[np.float32]]:
    """Draw the unit vectors of each modality's items, shape (items, dim)."""
    return {
        modality: _unit(topics[item.topic] + NOISE_LENGTH * _noise(rng, len(item.topic), topics.shape[1]))
        for modality, item in items.items()
    }


def _noise(rng: np.random.Generator, rows: int, dim: int) -> NDArray[np.float64]:
    """Draw vectors of about unit length."""
    noise: NDArray[np.float64] = rng.standard_normal((rows, dim)) / np.sqrt(dim)
    return noise


def _unit(x: NDArray[np.float64]) -> NDArray[np.float32]:
    unit: NDArray[np.float64] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit.astype(np.float32)


def write_embeddings(folder: Path, items: dict[str, Items], vectors: dict[str, NDArray[np.float32]]) -> None:
    """Write the vectors of the 100M split with the ids of their rows."""
    folder.mkdir()
    for modality, matrix in vectors.items():
        np.save(folder / f"{modality}.npy", matrix)
        np.save(folder / f"{modality}.ids.npy", items[modality].info[f"encord_{modality}_id"].to_numpy())


def write_1m_embeddings(
    rng: np.random.Generator,
    folder: Path,
    topics: NDArray[np.float64],
    items: dict[str, Items],
    of_100m: tuple[dict[str, Items], dict[str, NDArray[np.float32]]],
) -> None:
    """Write the vectors of the 1M split, whose ids are row numbers; shared files have the vectors of the 100M split."""
    folder.mkdir()
    other_items, other_vectors = of_100m
    for modality, vectors in item_vectors(rng, topics, items).items():
        if modality != "text":
            item, other = items[modality], other_items[modality]
            place = {name: row for row, name in enumerate(other.info["file_name"])}
            shared = (item.info["save_folder"] == "shared").to_numpy()
            vectors[shared] = other_vectors[modality][[place[name] for name in item.info["file_name"].filter(shared)]]
            own = np.flatnonzero(~shared)
            for first, topic, originals in (
                (COPY_EVERY - 1, other.topic, other_vectors[modality]),
                (COPY_EVERY // 2 - 1, item.topic, vectors),
            ):
                copies = own[first::COPY_EVERY]
                rows = items_of_topics(rng, topic, item.topic[copies])
                vectors[copies] = _unit(originals[rows] + COPY_NOISE * _noise(rng, len(copies), vectors.shape[1]))
        np.save(folder / f"{modality}.npy", vectors)


def write_eshot_embeddings(
    rng: np.random.Generator, folder: Path, labels: dict[str, NDArray[np.int64]], dim: int
) -> None:
    """Write EShot's vectors in the order of its info files, without ids, as its script expects them."""
    centres = _noise(rng, len(CATEGORIES), dim)
    noise = 2 * (dim / 64) ** 0.375  # keeps top-1 accuracy near 0.7 from 64 to 1024 dimensions
    for modality, label in labels.items():
        vectors = _unit(centres[label] + noise * _noise(rng, len(label), dim))
        np.save(folder / f"eshot_{modality}.npy", vectors)
