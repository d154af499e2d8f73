"""Is a store whole, is it built from the published files, and do its media files exist where its paths say?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from emm1.store.climbing import ClimbingNames, climbing_names
from emm1.store.integrity import Orphans, orphans

# Where the media lie by other documents of the dataset than the one that the views follow.
OTHER_FOLDERS = {"audio": "video", "points": "point-clouds"}


@dataclass
class CheckReport:
    """What a check found.

    Attributes:
        orphans: per column, the ids that no info row has.
        provenance: source, published and note of every source file.
        climbing: the file names that lead out of their folders.
        media: dataset, modality, source_dataset, reason and items: how many files exist or do not, and why; None
            where no media root was given.
        advice: settings that make the paths right.
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
    """Check a store, and with a media root the files its paths name."""
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
    """Names of the files of a modality in one save folder, where the paths say or where other documents say."""
    found: dict[str, str] = {}
    for kind in filter(None, (OTHER_FOLDERS.get(modality), modality)):
        base = root / folder / kind
        place = "found" if kind == modality else f"in {kind}/"
        for parent, _, names in os.walk(base):
            inside = Path(parent).relative_to(base).as_posix()
            found |= {name if inside == "." else f"{inside}/{name}": place for name in names}
    return pl.DataFrame(
        {"file_name": list(found), "place": list(found.values())},
        schema={"file_name": pl.String, "place": pl.String},
    ).select(pl.lit(folder).alias("save_folder"), pl.lit(modality).alias("modality"), "file_name", "place")


def _advice(root: Path, folders: list[str], media: pl.DataFrame) -> list[str]:
    elsewhere = media.group_by("modality", "reason").agg(pl.col("items").sum())
    count = {(m, r): n for m, r, n in elsewhere.iter_rows()}
    advice = []
    if count.get(("audio", "in video/"), 0) > count.get(("audio", "found"), 0):
        advice.append("audio lies in video/: SET VARIABLE emm1_audio_folder = 'video'")
    if count.get(("points", "in point-clouds/"), 0):
        advice.append(
            f"points lie in point-clouds/: rename the folder, e.g. mv {root}/eshot/point-clouds {root}/eshot/points"
        )
    if not any(reason == "found" for _, reason in count):
        advice += [
            f"the media seem to lie under {base}: SET VARIABLE emm1_root = '{base}'"
            for base in (root / "datasets", root.parent)
            if any((base / folder).is_dir() for folder in folders)
        ]
    return advice
