"""The Hub's files of a sample: where they are, and copies of them that tests change."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

ONE = "E-MM1-1M/data"
HUNDRED = "E-MM1-100M/data"


def smaller(root: Path) -> Path:
    """Remove all ranks but three, and EShot."""
    for rank in range(4, 17):
        (root / HUNDRED / f"nn_{rank:02}.parquet").unlink()
    shutil.rmtree(root / "eshot")
    return root


def edit(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Path:
    change(pl.read_parquet(path)).write_parquet(path)
    return path


def with_value(path: Path, column: str, row: int, value: Any) -> Path:
    """Change one value; rows are counted from 1, as in messages."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        values = [*frame[column].to_list()]
        values[row - 1] = value
        return frame.with_columns(pl.Series(column, values, strict=False))

    return edit(path, change)


def in_cache(hub: Path, cache: Path, name: str) -> Path:
    """A dataset as the Hub's cache has it: a snapshot of links to blobs; returns its folder."""
    folder = cache / f"datasets--encord-team--{name}"
    for path in (hub / name / "data").iterdir():
        blob = folder / "blobs" / f"{name}-{path.stem}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, blob)
        link = folder / "snapshots" / "0a1b" / "data" / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0a1b")
    (folder / "snapshots" / "9999").mkdir()
    return folder
