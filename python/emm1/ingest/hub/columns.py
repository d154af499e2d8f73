"""What the columns of the Hub's Parquet files mean: which split has them, and whose items they describe."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emm1.checks import shown
from emm1.dataset import FILE_MODALITIES, GROUP_COLUMNS, MODALITIES, TRIPLET_COLUMNS, Split
from emm1.errors import SourceError

# The columns by which the files of each split are known. Whether those of E-MM1:100M have point clouds is not.
KEYS: dict[Split, tuple[str, ...]] = {
    "1m": (*TRIPLET_COLUMNS, "paired_file_path", "annotated_file_path", "caption"),
    "100m": (
        "encord_text_id",
        "caption",
        "nn_index",
        *(f"{name}_{modality}" for modality in ("image", "audio", "video") for name in ("file_name", "save_folder")),
        *(f"encord_{modality}_id" for modality in ("image", "audio", "video")),
    ),
}
# How many of them a file must have to be one of the split's, so that it is read, or refused for the others.
KNOWN_BY = 2 / 3
# Columns of groups and triplets, which describe no item. The label becomes a row of annotation_mapping.
ROW_COLUMNS: dict[Split, tuple[str, ...]] = {"1m": TRIPLET_COLUMNS, "100m": GROUP_COLUMNS}
IDS = {name for columns in ROW_COLUMNS.values() for name in columns if name.endswith("_id")}
LABEL = "annotation_str"
NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*")
TEXTS = re.compile(r"VARCHAR|ENUM.*")
# Columns of items that are numbers in the store; the others are text.
TIMES = ("start_time", "end_time")


@dataclass(frozen=True)
class Side:
    """The columns that describe one item of each row.

    Attributes:
        key: the column that holds its id.
        modality: its modality; None if a column says it.
        modality_column: that column.
        columns: the columns, by the name that they have in the store.
    """

    key: str
    modality: str | None
    modality_column: str | None
    columns: Mapping[str, str]

    def may_have(self, modality: str) -> bool:
        """Whether an item of a modality may be on this side."""
        return self.modality == modality if self.modality else modality in FILE_MODALITIES


@dataclass(frozen=True)
class HubFile:
    """A Parquet file of the Hub's edition.

    Attributes:
        path: where it is.
        split: the split it belongs to.
        sides: the items of its rows.
        rows: the columns of its rows in the table of groups or triplets: those that it has, and unknown ones.
        labelled: whether it has the labels of the annotations.
        ranks: the ranks of its groups.
        types: the names and types of all its columns.
    """

    path: Path
    split: Split
    types: tuple[tuple[str, str], ...]
    sides: tuple[Side, ...]
    rows: tuple[str, ...]
    labelled: bool = False
    ranks: tuple[int, ...] = ()


def split_of(names: Collection[str]) -> Split | None:
    """The split whose files have columns of these names; None if no split's have."""
    return next((split for split, keys in KEYS.items() if len({*names} & {*keys}) >= KNOWN_BY * len(keys)), None)


def hub_file(path: Path, split: Split, types: Mapping[str, str]) -> HubFile:
    """What the columns of a file mean.

    Args:
        path: the file.
        split: the split it belongs to.
        types: DuckDB's types of its columns.

    Raises:
        SourceError: a column that is needed is missing, or holds something else than it should.
    """
    sides: dict[str, dict[str, str]] = {}
    rows = []
    for name in types:
        side, column = _place(split, name)
        if side is not None:
            sides.setdefault(side, {})[column] = name
        elif name != LABEL or split != "1m":
            rows.append(name)
    _require(path, split, types, sides)
    return HubFile(
        path,
        split,
        tuple(types.items()),
        tuple(_side(split, name, columns) for name, columns in sides.items()),
        tuple(rows),
        labelled=split == "1m" and LABEL in types,
    )


def _place(split: Split, name: str) -> tuple[str | None, str]:
    """The side that a column describes, and what it says of it; no side if it is a column of the row itself."""
    if name in ROW_COLUMNS[split]:
        return None, name
    if name == "caption":
        return "text", name
    for side in _names_of_sides(split):
        pattern = rf"{side}_(.+)" if split == "1m" else rf"(.+)_{side}"
        if found := re.fullmatch(pattern, name):
            return side, found[1]
    return None, name


def _names_of_sides(split: Split) -> tuple[str, ...]:
    return ("text", "paired", "annotated") if split == "1m" else MODALITIES


def _side(split: Split, name: str, columns: Mapping[str, str]) -> Side:
    by_column = split == "1m" and name != "text"
    return Side(f"encord_{name}_id", None if by_column else name, f"{name}_modality" if by_column else None, columns)


def path_columns(columns: Collection[str]) -> tuple[str, ...]:
    """The columns that say where an item's file is."""
    names = ("save_folder", "file_name")
    return names if {*names} <= {*columns} else ("file_path",)


def _require(path: Path, split: Split, types: Mapping[str, str], sides: Mapping[str, Mapping[str, str]]) -> None:
    needed = ["encord_text_id", "caption", *(TRIPLET_COLUMNS if split == "1m" else ("nn_index",))]
    for name in ("paired", "annotated") if split == "1m" else (name for name in sides if name != "text"):
        columns = sides.get(name, {})
        needed.append(f"encord_{name}_id")
        if split == "1m":
            needed += [f"{name}_{column}" for column in path_columns(columns)]
        elif "file_path" not in columns:
            needed += [f"{column}_{name}" for column in ("save_folder", "file_name")]
    missing = [name for name in dict.fromkeys(needed) if name not in types]
    if missing:
        found = shown(", ".join(types), 600)
        raise SourceError(f"{path} has no column {', '.join(map(repr, missing))} (found: {found})")
    _check_types(path, types, sides.values())


def _check_types(path: Path, types: Mapping[str, str], sides: Iterable[Mapping[str, str]]) -> None:
    numbers = [name for name in types if name in {*IDS, "nn_index", "annotation"}]
    texts = [name for name in types if name in ("paired_modality", "annotated_modality", LABEL)]
    for columns in sides:
        numbers += [columns[name] for name in TIMES if name in columns]
        texts += [columns[name] for name in ("caption", "save_folder", "file_name", "file_path") if name in columns]
    for names, pattern, what in ((numbers, NUMBERS, "numbers"), (texts, TEXTS, "text")):
        for name in names:
            if not pattern.fullmatch(types[name]):
                raise SourceError(f"{path}, column {name}: the type is {types[name]}, and must be one of {what}")
