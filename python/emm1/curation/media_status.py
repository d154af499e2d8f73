"""Checks the media files of a store, and keeps what was found in the table media_status."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from emm1.curation.universe import sql
from emm1.dataset import Split, check_modalities, check_splits
from emm1.errors import FileNotFoundError
from emm1.media.examiners import Examiners, File
from emm1.media.finding import Finding, Status
from emm1.store.batches import batches
from emm1.store.check import OTHER_FOLDERS
from emm1.store.transactions import all_or_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emm1.store.store import Store

# Files between two writes; what was found since the last of them is lost if the process is killed.
BATCH = 2000
SOURCE = "media check"
SCHEMA = {"dataset": pl.String, "modality": pl.String, "id": pl.Int32, "status": pl.String, "detail": pl.String}
CHANGED = "media_status was changed by another connection meanwhile: check the media again"


@dataclass
class MediaReport:
    """What became of the media files of a store.

    Attributes:
        root: the folder in which they were looked for.
        counts: dataset, modality, status and how many items have it.
        examined: how many were looked at now; the others were checked before, and have not changed since.
        decoded: whether files were decoded.
        flagged: how many items are flagged ``broken``.
    """

    root: Path
    counts: pl.DataFrame = field(default_factory=pl.DataFrame)
    examined: int = 0
    decoded: bool = True
    flagged: int = 0

    def to_frame(self) -> pl.DataFrame:
        """A row for each dataset, modality and status: dataset, modality, status, items."""
        return self.counts

    @property
    def items(self) -> int:
        """How many items there are."""
        return int(self.counts["items"].sum())


def check_media(
    store: Store,
    root: Path | None,
    splits: Sequence[Split],
    modalities: Sequence[str],
    *,
    again: bool,
    threads: int | None,
    progress: Callable[[str, int, int], object],
) -> MediaReport:
    """Check media; `emm1.Store.check_media` says what the arguments mean."""
    wanted = {"datasets": list(check_splits(splits)), "modalities": list(modalities)}
    check_modalities(modalities)
    _write(store, None)  # so that a store for reading is refused before the work
    with store.cursor() as connection:
        ((own,),) = connection.execute("SELECT media_root()").fetchall()
    folder = (Path(own) if root is None else root).absolute()
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}, where the media are expected")
    report, inside = MediaReport(folder), str(folder.resolve())
    with Examiners(threads) as examiners:
        report.decoded = examiners.decode
        for batch, done, total in _batches(store, wanted):
            progress("looking at files", done, total)
            # A file that was checked is checked again if it changed, came or went.
            todo = [item for item in batch if again or not _is_as_before(item, folder)]
            begun = time.time_ns() // 1000
            found = list(examiners.examine(_file(item, folder, inside) for item in todo))
            if todo:
                _write(store, _frame(todo, found, begun))
                report.examined += len(todo)
            progress("looking at files", done + len(batch), total)
    with store.cursor() as connection, all_or_nothing(connection, purpose="flag media", changed=CHANGED):
        connection.execute(sql("forget_flags"), {"source": SOURCE})
        ((report.flagged,),) = connection.execute(sql("broken_media"), {"source": SOURCE}).fetchall()
        report.counts = pl.DataFrame(connection.sql(sql("media_counts"), params=wanted).to_arrow_table())
    return report


@dataclass(frozen=True)
class _Item:
    dataset: str
    modality: str
    id: int
    save_folder: str
    file_name: str
    seconds: float | None
    status: str | None
    checked: float | None


def _batches(store: Store, wanted: dict[str, Any]) -> Iterator[tuple[list[_Item], int, int]]:
    """The items, some at a time, with how many came before and how many there are."""
    with store.cursor() as connection:
        files = connection.sql(sql("media_files"), params=wanted)
        ((total,),) = files.count("*").fetchall()
        rows, done = _rows(files), 0
        while batch := list(islice(rows, BATCH)):
            yield [_Item(*row) for row in batch], done, total
            done += len(batch)


def _rows(files: duckdb.DuckDBPyRelation) -> Iterator[tuple[Any, ...]]:
    for batch in batches(files, BATCH):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _paths(item: _Item, root: Path) -> Iterable[Path]:
    """Where the file may be: where the paths of the store say, or in a folder that other documents name."""
    folder = root / item.save_folder
    yield folder / item.modality / item.file_name
    if other := OTHER_FOLDERS.get(item.modality):
        yield folder / other / item.file_name


def _file(item: _Item, root: Path, inside: str) -> File:
    return File(tuple(map(str, _paths(item, root))), inside, item.modality, item.seconds)


def _is_as_before(item: _Item, root: Path) -> bool:
    if item.status is None or item.checked is None:
        return False
    for path in _paths(item, root):
        try:
            found = path.stat()
        except (OSError, ValueError):
            continue
        return item.status != Status.missing and max(found.st_mtime, found.st_ctime) < item.checked
    return item.status == Status.missing


def _frame(items: list[_Item], found: list[Finding], checked: int) -> pl.DataFrame:
    rows = [
        (item.dataset, item.modality, item.id, finding.status.value, finding.detail)
        for item, finding in zip(items, found, strict=True)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(checked=pl.lit(checked, pl.Int64))


def _write(store: Store, examined: pl.DataFrame | None) -> None:
    with store.cursor() as connection, all_or_nothing(connection, purpose="check media", changed=CHANGED):
        if examined is None:
            connection.execute("DELETE FROM media_status WHERE false")
            return
        connection.register("emm1_examined", examined.to_arrow())
        connection.execute(sql("forget_media_status"))
        connection.execute(sql("add_media_status"))
        connection.unregister("emm1_examined")
