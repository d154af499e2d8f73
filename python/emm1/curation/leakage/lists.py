"""What the rows of a list name: YouTube clips, files, objects, items; recognised by the names of columns, or else by their form."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from emm1.checks import PathLike, check_text
from emm1.curation.leakage.list_files import VALUE, Row, rows_of, without_header
from emm1.dataset import MODALITIES_OF
from emm1.errors import EmbeddingError

# What columns are called, without case and without anything but letters and digits.
NAMES = {
    "video": ("youtubeid", "ytid", "youtube", "yid", "youtubeurl", "youtubelink"),
    "start": ("start", "starttime", "startseconds", "startsecond", "startsec", "starts", "begin", "onset", "timestart"),
    "end": ("end", "endtime", "endseconds", "endsecond", "endsec", "ends", "offset", "timeend"),
    "object": ("uid", "objaverseid", "objaverseuid", "objectid", "objectuid"),
    "source": ("sourcedataset",),
    "dataset": ("dataset",),
    "modality": ("modality",),
    "id": ("id", "ids"),
    "any": ("filename", "filepath", "file", "path", "fname", "stem", "name", "wav", "audio", "audiofile", "image", "imagefile", "img",
            "imageid", "imgid", "fileid", "videoid", "video", "videofile", "clip", "clipid", "key", "url", "imageurl", "value"),
}  # fmt: skip
YOUTUBE = re.compile(r"[A-Za-z0-9_-]{11}")
LINK = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?(?:youtube\.com/(?:watch\?(?:.*&)?v=|embed/|shorts/|v/)|youtu\.be/)([A-Za-z0-9_-]{11})(?![A-Za-z0-9_-]).*"
)
# Files of clips, as AudioCaps, VGGSound and E-MM1 call them: VIDEO_START, VIDEO_START_END, and YVIDEO of AudioSet's copies.
CLIP = re.compile(r"Y?([A-Za-z0-9_-]{11})(?:_(\d+(?:\.\d+)?)(?:_(\d+(?:\.\d+)?))?)?")
OBJECT = re.compile(r"[0-9a-fA-F]{32}")
LINE = re.compile(r"(\S{11})[\s,;]+([0-9.]+|[nN]a[nN])(?:[\s,;]+([0-9.]+|[nN]a[nN]))?")
FOLDERS = ("e-mm1_100m_only", "e-mm1_1m_only", "shared", "eshot")
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
LONGEST = 4096
SCHEMA = {
    "row": pl.Int64, "name": pl.String, "folder": pl.String, "video": pl.String, "clip_start": pl.Float64, "clip_end": pl.Float64,
    "object": pl.String, "source_id": pl.String, "source": pl.String, "dataset": pl.String, "modality": pl.String, "id": pl.Int32,
}  # fmt: skip
NOTHING = pl.DataFrame(schema=SCHEMA)


@dataclass(frozen=True)
class Listed:
    """A list that was read.

    Attributes:
        name: what it is called.
        rows: what each row names, with the columns of SCHEMA.
        total: how many rows it has, blank lines aside.
        columns: what was read as what, in words.
        unknown: the numbers of the rows that name nothing.
        untimed: the numbers of the rows with a start that is no time.
    """

    name: str
    rows: pl.DataFrame
    total: int
    columns: Sequence[str]
    unknown: Sequence[int]
    untimed: Sequence[int]


@dataclass
class _Reading:
    """What is found out while rows are read."""

    roles: dict[str, list[str]]
    untimed: list[int] = field(default_factory=list)


def read_list(source: PathLike | Any) -> Listed:
    r"""Read a list of items.

    Args:
        source: a file (.csv, .tsv, .txt, .json, .jsonl, .ndjson or .parquet), or a frame of any library.

    Raises:
        emm1.errors.Error: it cannot be read, has no rows or no column that is known, or none of its rows names anything.

    >>> path = getfixture("tmp_path") / "vggsound.csv"
    >>> _ = path.write_text("---g-f_I2yQ,1,people marching,test\n--0PQM4-hqg,30,waterfall burbling,train\n")
    >>> listed = read_list(path)
    >>> listed.rows.select("row", "video", "clip_start").rows()
    [(1, '---g-f_I2yQ', 1.0), (2, '--0PQM4-hqg', 30.0)]
    """
    name, columns, rows = rows_of(source)
    what = str(source) if isinstance(source, str) or hasattr(source, "__fspath__") else "the list"
    roles = _roles(columns)
    if columns and not _names_items(roles):
        columns, rows, roles = _by_form(columns, rows, what)
    if not rows:
        raise EmbeddingError(f"{what} has no rows: there is nothing to compare with")
    reading = _Reading(roles)
    read = [(number, _row(number, cells, reading)) for number, cells in rows]
    known = [{"row": number, **found} for number, found in read if found]
    if not known:
        raise EmbeddingError(
            f"{what}: no row names a YouTube id, a file, an object or an item; its columns are {_quoted(columns)}"
        )
    unknown = [number for number, found in read if not found]
    return Listed(name, pl.DataFrame(known, schema=SCHEMA), len(rows), _told(roles), unknown, reading.untimed)


def _roles(columns: Sequence[str]) -> dict[str, list[str]]:
    by_name = {re.sub(r"[^a-z0-9]", "", column.casefold()): column for column in reversed(columns)}
    roles = {role: [by_name[name] for name in names if name in by_name] for role, names in NAMES.items()}
    if VALUE in columns:
        roles["any"].append(VALUE)
    if not roles["dataset"] or not roles["modality"]:
        roles["any"] += roles["id"]
        roles["dataset"], roles["modality"], roles["id"] = [], [], []
    return {role: list(dict.fromkeys(found)) for role, found in roles.items()}


def _names_items(roles: dict[str, list[str]]) -> bool:
    return any(roles[role] for role in ("video", "object", "id", "any"))


def _by_form(columns: list[str], rows: list[Row], what: str) -> tuple[list[str], list[Row], dict[str, list[str]]]:
    """The rows of a file whose columns have no known names: perhaps the first line is no header, as in VGGSound's file.

    Raises:
        EmbeddingError: most of its rows look like nothing that is known either.
    """
    names, moved = without_header(columns, rows)
    for place, name in enumerate(names):
        cells = [cells[name] for _, cells in moved if cells.get(name)]
        if sum(_looks_known(cell) for cell in cells) * 2 > len(cells):
            following = names[place + 1 : place + 3]
            times = [*takewhile(lambda each: all(_is_number(row.get(each, "")) for _, row in moved), following)]
            roles: dict[str, list[str]] = {role: [] for role in NAMES}
            roles |= {"any": [name], "start": times[:1], "end": times[1:]}
            return names, moved, roles
    raise EmbeddingError(
        f"{what}: no column is known; the columns are {_quoted(columns)}. Call the one of YouTube ids youtube_id (with start_time and "
        "end_time), of file names file_name, of Objaverse ids uid, or name items by dataset, modality and id"
    )


def _looks_known(cell: str) -> bool:
    stem = SUFFIX.sub("", PurePosixPath(cell).name)
    return bool(SUFFIX.search(cell) or LINK.fullmatch(cell) or CLIP.fullmatch(stem) or OBJECT.fullmatch(stem))


def _is_number(text: str) -> bool:
    return _number(text) is not None or text.casefold() == "nan"


def _number(text: str) -> float | None:
    """A time in seconds; None for what is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _row(number: int, cells: dict[str, str], reading: _Reading) -> dict[str, Any]:
    """What a row names; empty if it is nothing."""

    def given(role: str) -> list[str]:
        return [cells[column] for column in reading.roles[role] if cells.get(column)]

    for value in cells.values():
        check_text(value)
    found: dict[str, Any] = {}
    for value in reversed(given("any") + given("object")):
        found |= _any(value)
    if videos := [video for video in map(_video, given("video")) if video]:
        found |= {"video": videos[0], "clip_start": None, "clip_end": None}
    found |= _item(*(given(role)[:1] for role in ("dataset", "modality", "id")))
    if found and (source := given("source")):
        found["source"] = source[0]
    if "video" in found and (reading.roles["start"] or reading.roles["end"]):
        start, end = (_number(next(iter(given(role)), "")) for role in ("start", "end"))
        if start is not None or found["clip_start"] is None:
            found |= {"clip_start": start, "clip_end": end}
        if start is None and found["clip_start"] is None:
            reading.untimed.append(number)
    return found


def _video(value: str) -> str | None:
    if YOUTUBE.fullmatch(value):
        return value
    return found[1] if (found := LINK.fullmatch(value)) else None


def _any(value: str) -> dict[str, Any]:
    """What a name of any kind may stand for: all that it looks like."""
    if not value or len(value) > LONGEST:
        return {}
    if link := LINK.fullmatch(value):
        return {"video": link[1], "clip_start": None, "clip_end": None}
    if line := LINE.fullmatch(value):
        return _any(line[1]) | {"clip_start": _number(line[2]), "clip_end": _number(line[3] or "")}
    path = PurePosixPath(value.replace("\\", "/"))
    stem = SUFFIX.sub("", path.name)
    found: dict[str, Any] = {"source_id": value if "://" in value else path.name}
    if "://" not in value:
        found["name"] = path.name
        folder = next((part for part in reversed(path.parts[:-1]) if part in FOLDERS), None)
        found["folder"] = folder
        if folder and "image" in path.parts:
            del found["source_id"]
    if OBJECT.fullmatch(stem):
        found["object"] = stem
    if clip := CLIP.fullmatch(stem):
        start, end = (float(text) if text else None for text in clip.groups()[1:])
        found |= {"video": clip[1], "clip_start": start, "clip_end": end}
    return found


def _item(dataset: list[str], modality: list[str], number: list[str]) -> dict[str, Any]:
    """An item of the store."""
    if not (dataset and modality and number) or modality[0] not in MODALITIES_OF.get(dataset[0], ()):  # type: ignore[call-overload]
        return {}
    if not re.fullmatch(r"[0-9]{1,10}(\.0)?", number[0]) or float(number[0]) >= 1 << 31:
        return {}
    return {"dataset": dataset[0], "modality": modality[0], "id": int(float(number[0]))}


def _told(roles: dict[str, list[str]]) -> list[str]:
    words = {
        "video": "YouTube ids", "start": "starts in seconds", "end": "ends in seconds", "object": "object ids",
        "any": "YouTube ids, names or ids of files, by their form", "source": "source datasets",
    }  # fmt: skip
    told = [f"{column or 'its lines'}: {what}" for role, what in words.items() for column in roles[role]]
    return told + (["dataset, modality, id: items of the store"] if roles["id"] else [])


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(columns[:20]) + (" …" if len(columns) > 20 else "") or "none"  # noqa: PLR2004 - enough to see what it is
