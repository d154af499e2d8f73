"""Samples of a WebDataset: the files of a row, and the row itself, as members of a tar that is the same bytes everywhere."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.dataset import FILE_MODALITIES
from emm1.errors import SourceError, StoreError
from emm1.media.points import AXES, read_points

SUFFIX = re.compile(r"\.[a-z0-9]+")
# Columns of paths beside the column that has the modality.
PATHS = (
    ("paired_modality_file_path", "paired_modality"),
    ("annotated_modality_file_path", "annotated_modality"),
    ("file_path", "modality"),
)


def media_columns(names: list[str]) -> dict[str, str | None]:
    """The columns of paths, with the column that has their modality where the name does not say it.

    Raises:
        StoreError: there are none.
    """
    found: dict[str, str | None] = {f"{m}_file_path": None for m in FILE_MODALITIES if f"{m}_file_path" in names}
    found |= {path: modality for path, modality in PATHS if {path, modality} <= {*names}}
    if not found:
        raise StoreError(
            "the rows have no files: a WebDataset needs columns such as image_file_path, or file_path beside modality, "
            f"and these are {', '.join(names)}"
        )
    return found


@dataclass
class Sample:
    """A row with its files.

    Attributes:
        row: the row; its paths are relative to the folder of the media.
        members: name of a member without the key, and what it holds: a file, or an array for ``.npy``.
        missing: the modalities whose file is not there, with the reason.
    """

    row: dict[str, Any]
    members: dict[str, Path | NDArray[Any]] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)


def sample_of(row: dict[str, Any], columns: dict[str, str | None], root: str) -> Sample:
    """Find the files of a row."""
    sample = Sample(dict(row))
    for column, by in columns.items():
        path, modality = row[column], column.partition("_")[0] if by is None else str(row[by])
        if path is None:
            sample.missing[f"{modality}: no file is named"] += 1
            continue
        sample.row[column] = path.removeprefix(f"{root}/")
        file = Path(path)
        if not file.is_file() or not file.stat().st_size:
            sample.missing[f"{modality}: the file is not there"] += 1
        elif modality == "points":
            try:
                cloud = read_points(file).array
            except SourceError:
                sample.missing["points: the file cannot be read"] += 1
                continue
            sample.members["points.xyz.npy"] = cloud[:, :AXES]
            sample.members["points.rgb.npy"] = cloud[:, AXES:]
        else:
            suffix = file.suffix.lower()
            sample.members[f"{modality}{suffix if SUFFIX.fullmatch(suffix) else '.bin'}"] = file
    return sample


class Tar:
    """A tar whose bytes depend on nothing but its members: no times, no owners."""

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115 - closed by its owner

    def add(self, key: str, sample: Sample) -> None:
        """Add a sample: its files in the order of the modalities, then the row."""
        for name, content in sample.members.items():
            if isinstance(content, Path):
                with content.open("rb") as file:
                    self._add(f"{key}.{name}", file, os.fstat(file.fileno()).st_size)
            else:
                array = io.BytesIO()
                np.save(array, np.ascontiguousarray(content))
                self._add_bytes(f"{key}.{name}", array.getvalue())
        text = json.dumps(sample.row, ensure_ascii=False, default=str)
        self._add_bytes(f"{key}.json", text.encode())

    def _add_bytes(self, name: str, content: bytes) -> None:
        self._add(name, io.BytesIO(content), len(content))

    def _add(self, name: str, file: Any, size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size = size
        self._tar.addfile(member, file)

    def close(self) -> None:
        """Write the end."""
        self._tar.close()
