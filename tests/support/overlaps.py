"""Overlaps of a store's items by comparing every item with every other, in plain Python."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import duckdb

SIDES = ["100m", "1m", "validation", "test", "eshot"]
# Dataset, modality, table and its column of ids.
TABLES = [
    *(
        (dataset, modality, f"e_mm1_{dataset}.{modality}", f"encord_{modality}_id")
        for dataset in ("100m", "1m")
        for modality in ("image", "audio", "video", "points")
    ),
    ("eshot", "audio", "eshot.audio", "eshot_audio_id"),
    ("eshot", "points", "eshot.points", "eshot_point_id"),
]
Pair = tuple[str, str, str, int, str, str, str, int, str]


@dataclass(frozen=True)
class Item:
    """An item with what its row says."""

    side: str
    dataset: str
    modality: str
    id: int
    row: dict[str, object]
    purged: bool

    def text(self, column: str) -> str:
        """A cell; "" for none."""
        return str(self.row.get(column) or "")

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return re.sub(r"\.(mp4|npy|jpg)$", "", self.text("file_name"))

    @property
    def object(self) -> str:
        """The id of an object."""
        return (self.text("file_id") or self.name).lower()

    @property
    def video(self) -> str:
        """The YouTube id."""
        if self.text("youtube_id"):
            return self.text("youtube_id")
        scene = self.text("file_id").split("-Scene-")
        if len(scene) == 2 and len(scene[0]) == 11:
            return scene[0]
        video, _, start = self.name.rpartition("_")
        return video if len(video) == 11 and start.isdecimal() else ""

    @property
    def times(self) -> tuple[float, float]:
        """From when to when, in seconds."""
        start, end = self.row.get("start_time"), self.row.get("end_time")
        if not isinstance(start, float) or not math.isfinite(start):
            return -math.inf, math.inf
        return start, end if isinstance(end, float) and math.isfinite(end) and end > start else start + 10


def items(path: Path) -> list[Item]:
    with duckdb.connect(str(path), read_only=True) as connection:
        labels = {
            (d, m, i): s
            for d, m, i, s in connection.execute("SELECT dataset, modality, id, split FROM splits").fetchall()
        }
        found = []
        for dataset, modality, table, key in TABLES:
            rows = connection.table(table)
            for values in rows.fetchall():
                row = dict(zip(rows.columns, values, strict=True))
                number = row[key]
                label = labels.get((dataset, modality, number), "train")
                side = label if label in ("test", "validation") and dataset != "eshot" else dataset
                found.append(Item(side, dataset, modality, number, row, label == "purged"))
    return found


def kinds(a: Item, b: Item) -> set[str]:
    """How two items overlap."""
    clips, found = {"audio", "video"}, set()
    if {a.modality, b.modality} <= clips:
        if a.name and a.name == b.name:
            found.add("file")
        (begin, end), (other_begin, other_end) = a.times, b.times
        if a.video and a.video == b.video and begin < other_end and other_begin < end:
            found.add("youtube")
    if {a.modality, b.modality} == {"points"}:
        found |= {"file"} if a.name and a.name == b.name else set()
        found |= {"object"} if a.object == b.object != "" else set()
    if {a.modality, b.modality} == {"image"}:
        found |= {"file"} if a.name and (a.name, a.row["save_folder"]) == (b.name, b.row["save_folder"]) else set()
    if (
        {a.modality, b.modality} <= {"image", "video"}
        and a.text("file_id")
        and a.row["source_dataset"] == b.row["source_dataset"]
    ):
        one, other = (item.text("file_id") for item in (a, b))
        if one == other or (one.isdecimal() and other.isdecimal() and int(one) == int(other)):
            found.add("source")
    return found


def overlaps(path: Path) -> set[Pair]:
    """Every pair of items of different sides, by every kind of overlap."""
    return {
        (a.side, a.dataset, a.modality, a.id, b.side, b.dataset, b.modality, b.id, kind)
        for one, other in combinations(items(path), 2)
        if one.side != other.side
        for a, b in [sorted((one, other), key=lambda item: SIDES.index(item.side))]
        for kind in kinds(a, b)
    }
