"""Checks a store: whether all ids exist, which source files are the published ones, and whether media files exist."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from emm1.store.climbing import ClimbingNames, climbing_names
from emm1.store.integrity import Orphans, orphans

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


def check_store(connection: duckdb.DuckDBPyConnection, media_root: Path | None) -> CheckReport:
    """Check a store and, if there is a media root, the files that its paths name."""
    report = CheckReport(
        orphans(connection),
        connection.execute("SELECT source, published, note FROM provenance ORDER BY source").fetchall(),
        climbing_names(connection),
    )
    if media_root is not None:
        _check_media(connection, media_root, report)
    return report


def _check_media(connection: duckdb.DuckDBPyConnection, root: Path, report: CheckReport) -> None:
    folders = connection.execute(
        "SELECT DISTINCT save_folder::VARCHAR, modality::VARCHAR FROM assets WHERE save_folder IS NOT NULL ORDER BY ALL"
    ).fetchall()
    listing = pl.concat([_EMPTY, *(_list_folder(root, folder, modality) for folder, modality in folders)])
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
    report.advice = _advice(root, [folder for folder, _ in folders], report.media)


_EMPTY = pl.DataFrame(
    schema={"save_folder": pl.String, "modality": pl.String, "file_name": pl.String, "place": pl.String}
)


def _list_folder(root: Path, folder: str, modality: str) -> pl.DataFrame:
    """The files of a modality in one save folder, in the folder that the paths name or in one that other documents name."""
    places: dict[str, str] = {}
    for subfolder in filter(None, (OTHER_FOLDERS.get(modality), modality)):
        base = root / folder / subfolder
        place = "found" if subfolder == modality else f"in {subfolder}/"
        for parent, _, names in os.walk(base):
            relative = Path(parent).relative_to(base).as_posix()
            places |= {name if relative == "." else f"{relative}/{name}": place for name in names}
    return pl.DataFrame(
        {"file_name": list(places), "place": list(places.values())},
        schema={"file_name": pl.String, "place": pl.String},
    ).select(pl.lit(folder).alias("save_folder"), pl.lit(modality).alias("modality"), "file_name", "place")


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
