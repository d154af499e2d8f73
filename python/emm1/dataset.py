"""The dataset's vocabulary: splits, modalities, schemas, id columns and ranks. Everything else builds on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral  # NumPy's integers are registered
from typing import Any, Literal, get_args

from emm1.checks import listed
from emm1.errors import EmbeddingError, StoreError

Split = Literal["100m", "1m", "eshot"]
SPLITS: tuple[Split, ...] = get_args(Split)
# The schema of a store that holds the tables of each split.
SCHEMAS: dict[Split, str] = {"100m": "e_mm1_100m", "1m": "e_mm1_1m", "eshot": "eshot"}
# Modalities whose items are files, in the default order of path columns.
FILE_MODALITIES = ("image", "audio", "video", "points")
MODALITIES = ("text", *FILE_MODALITIES)
# The modalities of each split; each has a table of this name.
MODALITIES_OF: dict[Split, tuple[str, ...]] = {"100m": MODALITIES, "1m": MODALITIES, "eshot": ("audio", "points")}
# The published columns of the groups, in order.
GROUP_COLUMNS = (*(f"encord_{modality}_id" for modality in ("text", "video", "audio", "image", "points")), "nn_index")
TRIPLET_COLUMNS = (
    "encord_text_id",
    "paired_modality",
    "annotated_modality",
    "encord_paired_id",
    "encord_annotated_id",
    "annotation",
)
RANKS = range(1, 17)
# The id column of each table that has one: ids are unique within a published file.
KEYS: dict[tuple[str, str], str] = {
    **{(split, modality): f"encord_{modality}_id" for split in ("100m", "1m") for modality in MODALITIES},
    ("100m", "groups"): "encord_text_id",
    ("eshot", "audio"): "eshot_audio_id",
    ("eshot", "points"): "eshot_point_id",
}


def check_items(dataset: str, modality: str) -> None:
    """Refuse a split or a modality of items that the dataset does not have.

    Raises:
        emm1.errors.EmbeddingError: it is unknown; the message lists the known ones.
    """
    if dataset not in SPLITS:
        raise EmbeddingError(f"unknown dataset {dataset!r}: {', '.join(SPLITS)}")
    if modality not in MODALITIES_OF[dataset]:
        listing = ", ".join(sorted(MODALITIES_OF[dataset]))
        raise EmbeddingError(f"unknown modality {modality!r}: {dataset} has {listing}")


def ranks_of(nn_index: int | Iterable[int] | None, what: str = "nn_index") -> list[int] | None:
    """The ranks as a list, or None for all; an error if one is not from 1 to 16. `what` names the argument in messages."""
    if nn_index is None:
        return None
    ranks: list[Any] = [nn_index] if isinstance(nn_index, Integral) else listed(nn_index, what)
    for rank in ranks:
        if isinstance(rank, bool) or not isinstance(rank, Integral) or rank not in RANKS:
            raise StoreError(f"{what}: {rank!r} is not a rank: 1 (nearest) to 16")
    return [int(rank) for rank in ranks]


def check_ranks(ranks: Iterable[int]) -> list[int]:
    """The ranks in order, each once; an error if one is not from 1 to 16, or if there are none."""
    distinct = sorted(set(ranks_of(ranks, "ranks") or []))
    if not distinct:
        raise StoreError("no ranks were named: 1 to 16")
    return distinct


def check_splits(splits: Iterable[Split]) -> list[Split]:
    """The splits in order, each once; an error if one is unknown, or if there are none."""
    named = listed(splits, "splits")
    for split in named:
        if split not in SPLITS:
            raise StoreError(f"unknown split {split!r}: {', '.join(SPLITS)}")
    if not named:
        raise StoreError(f"no splits were named: {', '.join(SPLITS)}")
    return [split for split in SPLITS if split in named]


def check_modalities(modalities: Sequence[str]) -> None:
    """Refuse modalities that have no files, and repeats.

    Raises:
        StoreError: names the modality.
    """
    names = listed(modalities, "modalities")
    for modality in names:
        if modality not in FILE_MODALITIES:
            raise StoreError(f"unknown modality {modality!r}: files have {', '.join(FILE_MODALITIES)}")
        if names.count(modality) > 1:
            raise StoreError(f"modalities names {modality!r} twice")
