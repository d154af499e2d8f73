"""Long work in parts: each finished part stays on the disk, so that an interrupted run continues where it stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from emm1.errors import EmbeddingError, Error, WriteError
from emm1.system import locked

# Rows read at a time when parts are joined.
BATCH = 1 << 20


@contextmanager
def parts_of(target: Path, run: Mapping[str, object], *, folder: bool = False) -> Iterator[Path]:
    """The folder ``TARGET.parts`` for the finished parts of a run; it is removed when the run is complete, and kept otherwise.

    Args:
        target: what the run makes; it must not exist.
        run: what the parts depend on, in JSON's types. A folder that holds parts of another run is refused.
        folder: whether the target is a folder, not a file; it may then exist if it is empty.

    Raises:
        EmbeddingError: the target exists, another process is making it, or the folder holds parts of another run.
        WriteError: something cannot be written.
    """
    if target.exists() and not (folder and target.is_dir() and not any(target.iterdir())):
        what = "and nothing is written over: name a new folder" if folder else "remove it or name another file"
        raise EmbeddingError(f"{target} exists{',' if folder else ':'} {what}")
    parts = target.with_name(f"{target.name}.parts")
    try:
        release = _lock(target, parts)
        try:
            _begin(parts, run)
            yield parts
            shutil.rmtree(parts)
        finally:
            release()
    except OSError as error:
        if isinstance(error, Error):
            raise
        raise WriteError(f"{target} cannot be written: {error.strerror or error}") from error


def _lock(target: Path, folder: Path) -> Callable[[], None]:
    try:
        return locked(folder)
    except BlockingIOError as error:
        raise EmbeddingError(
            f"{target} is being made by another process (it works in {folder}): wait for it"
        ) from error


def _begin(folder: Path, run: Mapping[str, object]) -> None:
    """Describe the run in its folder, or check that the folder holds parts of the same run."""
    description = folder / "run.json"
    if description.exists():
        if json.loads(description.read_text(encoding="utf-8")) == run:
            return
        raise EmbeddingError(
            f"{folder} holds parts of a run with other files or settings: remove the folder to start again"
        )
    unfinished = description.with_suffix(".writing")
    unfinished.write_text(json.dumps(run), encoding="utf-8")
    unfinished.replace(description)


def write_part(folder: Path, number: int, schema: pa.Schema, tables: Iterable[pa.Table]) -> Path:
    """Write a part, unless it is there already; then the tables are not asked for.

    Args:
        folder: as `parts_of` gives it.
        number: the number of the part.
        schema: the columns of the tables.
        tables: the rows of the part; each table becomes a row group of its own, if it has at most a million rows.

    Returns:
        The Parquet file of the part.
    """
    part = folder / f"{number:06}.parquet"
    if not part.exists():
        unfinished = part.with_suffix(".writing")
        with unfinished.open("wb") as file, _writer(file, schema) as writer:
            for table in tables:
                writer.write_table(table)
        unfinished.replace(part)
    return part


def _writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    # Scores hardly repeat: a dictionary of them takes three times as long to write, and more space.
    repeating = [field.name for field in schema if not pa.types.is_floating(field.type)]
    return pq.ParquetWriter(file, schema, use_dictionary=repeating)


def join(parts: Sequence[Path], target: Path, schema: pa.Schema) -> int:
    """Join parts in one Parquet file, which is written next to its place and renamed; returns the number of rows."""
    unfinished = target.with_name(f"{target.name}.writing")
    rows = 0
    with unfinished.open("wb") as file, _writer(file, schema) as writer:
        for part in parts:
            for batch in pq.ParquetFile(part).iter_batches(BATCH):
                writer.write_batch(batch)
                rows += batch.num_rows
    unfinished.replace(target)
    return rows
