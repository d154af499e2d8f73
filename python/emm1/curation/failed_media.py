"""Writes the rows of items whose files failed: in the layout of the published files, and as lists for downloaders."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from emm1.curation.universe import sql
from emm1.dataset import FILE_MODALITIES, KEYS, MODALITIES_OF, SCHEMAS, Split
from emm1.errors import WriteError
from emm1.store.batches import batches

if TYPE_CHECKING:
    from emm1.store.store import Store

PUBLISHED: dict[tuple[Split, str], str] = {
    **{("100m", modality): f"e-mm1_100m/infos/{modality}.csv" for modality in FILE_MODALITIES},
    **{("1m", modality): f"e-mm1_1m/infos/{modality}.csv" for modality in FILE_MODALITIES},
    **{("eshot", modality): f"eshot/eshot_{modality}_info.csv" for modality in MODALITIES_OF["eshot"]},
}
VIDEOS, IMAGES = "yt-dlp.sh", "img2dataset.parquet"
IMAGE_SCHEMA = pa.schema([("url", pa.string()), ("path", pa.string())])
ROWS = 10_000


def write_failed(store: Store, folder: Path) -> int:
    """Write what is known of the items whose files are not ok in the table media_status.

    Args:
        store: an open store.
        folder: gets the info files as they are published, with these rows only, ``yt-dlp.sh`` (a command for each clip that
            has a YouTube id) and ``img2dataset.parquet`` (url and path of each image that has an address). Paths are those below
            the media folder. What an earlier run wrote is replaced.

    Returns:
        How many items there are.

    Raises:
        emm1.errors.WriteError: the folder cannot be written.
    """
    try:
        with store.cursor() as connection:
            return _written(connection, folder)
    except (OSError, duckdb.IOException) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise WriteError(f"{folder} cannot be written: {reason}") from error


def _written(connection: duckdb.DuckDBPyConnection, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    items = 0
    videos, images = folder / VIDEOS, folder / IMAGES
    with (
        _beside(videos).open("w", encoding="utf-8") as script,
        pq.ParquetWriter(_beside(images), IMAGE_SCHEMA) as addresses,
    ):
        script.write("# In the media folder: sh yt-dlp.sh\n")
        for (split, modality), name in PUBLISHED.items():
            key = KEYS[split, modality]
            wanted = {"dataset": split, "modality": modality}
            failed = connection.sql(sql("failed_media"), params=wanted).project(f"item AS {key}")
            joined = connection.table(f"{SCHEMAS[split]}.{modality}").join(failed, key, how="semi")
            ((count,),) = joined.count("*").fetchall()
            rows = joined.order(key)
            items += count
            (folder / name).unlink(missing_ok=True)
            if not count:
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            rows.write_csv(str(_beside(folder / name)))
            _beside(folder / name).replace(folder / name)
            if "youtube_id" in rows.columns:
                script.writelines(map(_command, _records(rows, modality)))
            elif modality == "image":
                for batch in _batches(rows, modality, _address):
                    addresses.write_table(pa.Table.from_pylist(batch, IMAGE_SCHEMA))
    _beside(videos).replace(videos)
    _beside(images).replace(images)
    return items


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.writing")


def _records(rows: duckdb.DuckDBPyRelation, modality: str) -> Iterator[dict[str, Any]]:
    for batch in batches(rows, ROWS):
        for row in batch.to_pylist():
            if row.get("youtube_id") or row.get("file_id"):
                yield row | {"path": f"{row['save_folder']}/{modality}/{row['file_name']}"}


def _batches(
    rows: duckdb.DuckDBPyRelation, modality: str, made: Callable[[dict[str, Any]], dict[str, str] | None]
) -> Iterator[list[dict[str, str]]]:
    found: list[dict[str, str]] = []
    for row in _records(rows, modality):
        found += filter(None, [made(row)])
        if len(found) >= ROWS:
            yield found
            found = []
    yield found


def _address(row: dict[str, Any]) -> dict[str, str] | None:
    url = row["file_id"]
    return {"url": url, "path": row["path"]} if url.startswith(("http://", "https://")) else None


def _command(row: dict[str, Any]) -> str:
    r"""A line that fetches a clip.

    >>> _command({"youtube_id": "-abc", "start_time": 4.0, "end_time": 14.5, "path": "shared/audio/-abc_4.mp4"})
    "yt-dlp --download-sections '*4-14.5' --force-keyframes-at-cuts -o shared/audio/-abc_4.mp4 'https://www.youtube.com/watch?v=-abc'\n"
    """
    cut = []
    if row["start_time"] is not None and row["end_time"] is not None:
        cut = ["--download-sections", f"*{row['start_time']:g}-{row['end_time']:g}", "--force-keyframes-at-cuts"]
    output = row["path"].replace("%", "%%")  # a template of yt-dlp's
    return shlex.join(["yt-dlp", *cut, "-o", output, f"https://www.youtube.com/watch?v={row['youtube_id']}"]) + "\n"
