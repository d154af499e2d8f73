"""The two editions of a sample: CSV files with references by id, and the Hub's Parquet files with everything joined in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

Edition = Literal["csv", "hub"]
# Columns of an item's side of a triplet, as the Hub has them; the two halves come in different orders there.
PAIRED = ("source_dataset", "dataset_license", "file_id", "youtube_id", "start_time", "end_time", "file_path")
ANNOTATED = ("source_dataset", "dataset_license", "file_id", "file_path", "youtube_id", "start_time", "end_time")
# Ids and times, which are int64 on the Hub.
NUMBERS = "^(encord_.*_id|nn_index|annotation|(.*_)?(start|end)_time(_.*)?)$"


@dataclass(frozen=True)
class Tables:
    """What both editions hold.

    Attributes:
        infos_100m: the info rows of E-MM1:100M by modality.
        groups: its groups, one table for each rank from 1.
        infos_1m: the info rows of E-MM1:1M by modality.
        triplets: its triplets.
        labels: the labels of the annotations.
    """

    infos_100m: dict[str, pl.DataFrame]
    groups: list[pl.DataFrame]
    infos_1m: dict[str, pl.DataFrame]
    triplets: pl.DataFrame
    labels: pl.DataFrame


def write_csv(table: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.write_csv(path)


def write_csv_edition(folder: Path, tables: Tables) -> None:
    """Write the files of the published repository: an info file for each modality, and the ids of groups and triplets."""
    for name, infos in (("e-mm1_100m", tables.infos_100m), ("e-mm1_1m", tables.infos_1m)):
        for modality, info in infos.items():
            write_csv(info, folder / name / "infos" / f"{modality}.csv")
    for rank, groups in enumerate(tables.groups, 1):
        write_csv(groups, folder / "e-mm1_100m" / f"nn_{rank}" / "data_groups.csv")
    write_csv(tables.triplets, folder / "e-mm1_1m" / "triplets.csv")
    write_csv(tables.labels, folder / "e-mm1_1m" / "annotation_mapping.csv")


def write_hub_edition(folder: Path, tables: Tables) -> None:
    """Write the files of the Hub: one for each pair of modalities of E-MM1:1M, one for each rank of E-MM1:100M."""
    for (paired, annotated), rows in tables.triplets.group_by(
        "paired_modality", "annotated_modality", maintain_order=True
    ):
        name = f"{paired}_to_{annotated}.parquet"
        _write_parquet(_joined_triplets(rows, str(paired), str(annotated), tables), folder / "E-MM1-1M" / "data" / name)
    for rank, groups in enumerate(tables.groups, 1):
        joined = groups
        for modality, info in tables.infos_100m.items():
            key = f"encord_{modality}_id"
            named = info.rename({name: f"{name}_{modality}" for name in info.columns if name not in (key, "caption")})
            joined = joined.join(named, on=key, how="left", maintain_order="left")
        _write_parquet(joined, folder / "E-MM1-100M" / "data" / f"nn_{rank:02}.parquet")


EDITIONS: dict[Edition, Callable[[Path, Tables], None]] = {"csv": write_csv_edition, "hub": write_hub_edition}


def _joined_triplets(rows: pl.DataFrame, paired: str, annotated: str, tables: Tables) -> pl.DataFrame:
    for column, table in (
        ("annotation", tables.labels.rename({"annotation_string": "annotation_str"})),
        ("encord_text_id", tables.infos_1m["text"].select("encord_text_id", "caption")),
        ("encord_paired_id", _side(tables.infos_1m[paired], paired, "paired")),
        ("encord_annotated_id", _side(tables.infos_1m[annotated], annotated, "annotated")),
    ):
        rows = rows.join(table, on=column, how="left", maintain_order="left")
    return rows.select(
        "encord_text_id",
        "annotated_modality",
        "paired_modality",
        "encord_annotated_id",
        "encord_paired_id",
        "annotation",
        "annotation_str",
        *(f"paired_{name}" for name in PAIRED),
        *(f"annotated_{name}" for name in ANNOTATED),
        "caption",
    )


def _side(info: pl.DataFrame, modality: str, side: str) -> pl.DataFrame:
    """The items of a modality as one side of a triplet has them: with a path, and a file_id for every file."""
    absent = [pl.lit(None, pl.String).alias(name) for name in PAIRED[2:6] if name not in info.columns]
    return info.with_columns(absent).select(
        pl.col(f"encord_{modality}_id").alias(f"encord_{side}_id"),
        *(pl.col(name).alias(f"{side}_{name}") for name in PAIRED if name not in ("file_id", "file_path")),
        pl.coalesce("file_id", pl.col("file_name").str.strip_suffix(".mp4")).alias(f"{side}_file_id"),
        pl.format("{}/{}/{}", "save_folder", pl.lit(modality), "file_name").alias(f"{side}_file_path"),
    )


def _write_parquet(table: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.with_columns(pl.col(NUMBERS).cast(pl.Int64)).write_parquet(path)
