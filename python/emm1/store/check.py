"""Checks a store: whether all ids exist, which source files are the published ones, and whether media files exist."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import duckdb
import polars as pl

from emm1.store.climbing import ClimbingNames, climbing_names
from emm1.store.integrity import Orphans, orphans

Progress = Callable[[str, int, int], object]
# Files found between two reports of progress.
FILES = 10_000
# Media folders according to other documents of the dataset; the views follow only one of them.
OTHER_FOLDERS = {"audio": "video", "points": "point-clouds"}


@dataclass
class CheckReport:
    """The result of a check.

    Attributes:
        orphans: per column, the ids that no info row has.
        provenance: source, published and note of every source file.
        climbing: the file names that lead out of their folders.
        media: dataset, modality, source_dataset, reason and items: how many files exist or are missing, and why; None
            if no media root was given.
        advice: settings that correct the paths.
    """

    orphans: list[Orphans]
    provenance: list[tuple[str, str, str | None]]
    climbing: list[ClimbingNames]
    media: pl.DataFrame | None = None
    advice: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every id that is referred to exists."""
        return not any(result.missing for result in self.orphans)


def check_store(
    connection: duckdb.DuckDBPyConnection,
    media_root: Path | None,
    progress: Progress = lambda _what, _done, _total: None,
) -> CheckReport:
    """Check a store and, if there is a media root, the files that its paths name.

    Args:
        connection: a connection to the store.
        media_root: the folder of the media; None to look for no files.
        progress: called with what is done, how much of it was, and how much there is: rows or files.
    """
    counted = orphans(connection, partial(progress, "counting ids"))
    progress("checking file names", 0, 1)
    report = CheckReport(
        counted,
        connection.execute("SELECT source, published, note FROM provenance ORDER BY source").fetchall(),
        climbing_names(connection),
    )
    if media_root is not None:
        _check_media(connection, media_root, report, progress)
    return report


def _check_media(connection: duckdb.DuckDBPyConnection, root: Path, report: CheckReport, progress: Progress) -> None:
    folders = connection.execute(
        "SELECT save_folder::VARCHAR, modality::VARCHAR, count(*) FROM assets WHERE save_folder IS NOT NULL "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    listing = _listing(root, folders, partial(progress, "looking for files"))
    connection.register("listing", listing.to_arrow())
    report.media = pl.DataFrame(
        connection.sql(
            """
            SELECT a.dataset, a.modality::VARCHAR AS modality, a.source_dataset::VARCHAR AS source_dataset,
                coalesce(l.place, CASE WHEN f.save_folder IS NULL THEN 'no such folder' ELSE 'missing' END) AS reason,
                count(*) AS items
            FROM assets a
            LEFT JOIN listing l ON l.save_folder = a.save_folder AND l.modality = a.modality AND l.file_name = a.file_name
            LEFT JOIN (SELECT DISTINCT save_folder, modality FROM listing) f
                ON f.save_folder = a.save_folder AND f.modality = a.modality
            WHERE a.modality <> 'text'
            GROUP BY ALL ORDER BY ALL
            """
        ).to_arrow_table()
    )
    connection.unregister("listing")
    report.advice = _advice(root, [folder for folder, *_ in folders], report.media)


_EMPTY = pl.DataFrame(
    schema={"save_folder": pl.String, "modality": pl.String, "file_name": pl.String, "place": pl.String}
)


def _listing(root: Path, folders: list[tuple[str, str, int]], progress: Callable[[int, int], object]) -> pl.DataFrame:
    """The files of each save folder and modality; `folders` says how many items each has."""
    total = sum(items for *_, items in folders)
    listings, before = [_EMPTY], 0
    for folder, modality, items in folders:
        progress(before, total)
        places: dict[str, str] = {}
        for name, place in _files_of(root / folder, modality):
            places[name] = place
            if len(places) % FILES == 0:
                progress(before + min(len(places), items), total)  # there may be other files
        before += items
        files = pl.DataFrame(
            {"file_name": list(places), "place": list(places.values())},
            schema={"file_name": pl.String, "place": pl.String},
        )
        named = (pl.lit(folder).alias("save_folder"), pl.lit(modality).alias("modality"), "file_name", "place")
        listings.append(files.select(*named))
    progress(total, total)
    return pl.concat(listings)


def _files_of(folder: Path, modality: str) -> Iterator[tuple[str, str]]:
    """The files of a modality and their place: where the paths say, or in a folder that other documents name."""
    for subfolder in filter(None, (OTHER_FOLDERS.get(modality), modality)):
        place = "found" if subfolder == modality else f"in {subfolder}/"
        for name in _files(folder / subfolder):
            yield name, place


def _files(folder: Path, prefix: str = "") -> Iterator[str]:
    """The files under a folder, relative to it; folders that cannot be read, and links to folders, are passed over."""
    try:
        entries = os.scandir(folder)
    except OSError:
        return
    with entries:
        for entry in entries:
            if not _is_folder(entry):
                yield f"{prefix}{entry.name}"
            elif not entry.is_symlink():
                yield from _files(Path(entry.path), f"{prefix}{entry.name}/")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _advice(root: Path, folders: list[str], media: pl.DataFrame) -> list[str]:
    totals = media.group_by("modality", "reason").agg(pl.col("items").sum())
    count = {(m, r): n for m, r, n in totals.iter_rows()}
    advice = []
    if count.get(("audio", "in video/"), 0) > count.get(("audio", "found"), 0):
        advice.append("audio files are in video/: SET VARIABLE emm1_audio_folder = 'video'")
    if count.get(("points", "in point-clouds/"), 0):
        advice.append(
            f"points are in point-clouds/: rename the folder, e.g. mv {root}/eshot/point-clouds {root}/eshot/points"
        )
    if not any(reason == "found" for _, reason in count):
        advice += [
            f"the media files seem to be under {base}: SET VARIABLE emm1_root = '{base}'"
            for base in (root / "datasets", root.parent)
            if any((base / folder).is_dir() for folder in folders)
        ]
    return advice
