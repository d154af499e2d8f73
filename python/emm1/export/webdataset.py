"""Writes a WebDataset: shuffled rows with their files in numbered tars, of which finished ones stay when a run is killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.errors import StoreError
from emm1.export.samples import Tar, media_columns, sample_of
from emm1.export.shards import File
from emm1.torch.permutation import Permutation
from emm1.torch.rows import Rows

# Rows that are looked up at a time.
CHUNK = 1024
DIGITS = 9
CAPTION = "encord_text_id"


@dataclass(frozen=True)
class Shard:
    """What is known of a finished shard.

    Attributes:
        end: how many units (rows, or captions with their rows) were looked at when it was finished.
        missing: reasons for which rows of it or before it were not complete, with how many there were.
        incomplete: how many rows these were.
        file: the tar.
    """

    end: int
    incomplete: int
    missing: dict[str, int]
    file: File


def write_webdataset(
    rows: Rows,
    work: Path,
    folder: Path,
    root: str,
    *,
    seed: int,
    size: int,
    keep_incomplete: bool,
    group_captions: bool,
    progress: Callable[[str, int, int], object],
) -> list[Shard]:
    """Write the tars that are not there yet.

    Args:
        rows: the rows.
        work: the folder for what is known of finished shards.
        folder: the folder of the export, whose folder ``data`` gets the tars.
        root: the folder of the media.
        seed: decides about the order.
        size: samples of a shard; a caption's rows are not parted, if they stand together.
        keep_incomplete: keep rows of which a file is not there.
        group_captions: let the rows of a caption stand together.
        progress: called with what is being done, how many rows were looked at, and how many there are.
    """
    columns = media_columns(rows.names)
    units = _Units(rows, seed, group_captions=group_captions)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    work.mkdir(exist_ok=True)
    shards = _finished(work, folder)
    position, samples = (shards[-1].end if shards else 0), sum(shard.file.rows for shard in shards)
    read = units.read(position)
    while position < len(units) or not shards:
        path = folder / "data" / f"shard-{len(shards):06}.tar"
        unfinished = path.with_suffix(".writing")
        written, incomplete, missing = 0, 0, Counter[str]()
        try:
            tar = Tar(unfinished)
            while position < len(units) and written < size:
                for row in next(read):
                    sample = sample_of(row, columns, root)
                    if sample.missing:
                        incomplete += 1
                        missing += sample.missing
                    if not sample.missing or keep_incomplete:
                        tar.add(f"{samples + written:0{DIGITS}}", sample)
                        written += 1
                position += 1
                if not position % CHUNK:
                    progress("writing samples", position, len(units))
            tar.close()
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        shard = Shard(position, incomplete, dict(missing), File.of(folder, path, written))
        _note(work / f"{len(shards):06}.json", shard)
        shards.append(shard)
        samples += written
    if not samples and len(units):
        reasons = ", ".join(f"{what} ({count:,})" for what, count in sum_missing(shards).most_common())
        raise StoreError(
            f"no row has all of its files, so there are no samples: {reasons}; the media are looked for in {root}"
        )
    return _without_empty(shards, folder)


def sum_missing(shards: list[Shard]) -> Counter[str]:
    """Why rows were not complete, with how many there were."""
    return sum((Counter(shard.missing) for shard in shards), Counter[str]())


def _without_empty(shards: list[Shard], folder: Path) -> list[Shard]:
    """Remove a last shard without samples, which comes of rows that are not complete."""
    if len(shards) > 1 and not shards[-1].file.rows:
        (folder / shards[-1].file.path).unlink()
    return shards


def _finished(work: Path, folder: Path) -> list[Shard]:
    found: list[Shard] = []
    while (note := work / f"{len(found):06}.json").exists():
        told: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        shard = Shard(**{**told, "file": File(**told["file"])})
        tar = folder / shard.file.path
        if not tar.exists() or tar.stat().st_size != shard.file.bytes:
            break
        found.append(shard)
    return found


def _note(path: Path, shard: Shard) -> None:
    unfinished = path.with_suffix(".writing")
    unfinished.write_text(json.dumps({**vars(shard), "file": shard.file.to_dict()}), encoding="utf-8")
    unfinished.replace(path)


class _Units:
    """What is shuffled: rows, or captions with all of their rows."""

    def __init__(self, rows: Rows, seed: int, *, group_captions: bool) -> None:
        self._rows = rows
        self._order: NDArray[np.int64] | None = None
        count = len(rows)
        if group_captions:
            if CAPTION not in rows.names:
                raise StoreError(f"the rows have no column {CAPTION}, so no captions to keep the rows of together")
            ids = rows.whole_numbers(CAPTION)
            self._order = np.argsort(ids, kind="stable")
            sorted_ids = ids[self._order]
            changes = np.flatnonzero(sorted_ids[1:] != sorted_ids[:-1]) + 1
            starts = np.append(np.zeros(min(count, 1), np.int64), changes)
            self._bounds = np.append(starts, count)
            count = len(starts)
        self._count = count
        self._permutation = Permutation(count, seed, 0)

    def __len__(self) -> int:
        return self._count

    def read(self, start: int) -> Iterator[list[dict[str, Any]]]:
        """The rows of each unit, from one on."""
        for first in range(start, self._count, CHUNK):
            units = self._permutation(np.arange(first, min(first + CHUNK, self._count)))
            if self._order is None:
                yield from ([row] for row in self._rows.take(units))
            else:
                for unit in units:
                    yield self._rows.take(self._order[self._bounds[unit] : self._bounds[unit + 1]])
