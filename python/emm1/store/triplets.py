"""The second published script as a frame: the rated triplets with their file paths and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import duckdb
import polars as pl
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from duckdb import FunctionExpression as Function

from emm1.dataset import TRIPLET_COLUMNS
from emm1.store.lookup import look_up

PAIR = ("paired_modality", "annotated_modality")


def triplets_frame(connection: duckdb.DuckDBPyConnection, modalities: Sequence[str]) -> pl.DataFrame | None:
    """The rows of `triplets_between` as a frame; None if there are no modalities or rows, or if ids repeat or are too far apart.

    Nothing is joined: paths and captions are looked up by their position in an array, and the rows share their strings.
    """
    if not modalities:
        return None
    pairs = _read(_between(connection, modalities)).partition_by(*PAIR, as_dict=True)
    if not pairs:
        return None
    paths = _paths(connection, {str(modality) for pair in pairs for modality in pair})
    with ThreadPoolExecutor(1) as pool:
        # Runs while DuckDB reads the captions.
        with_paths = pool.submit(_with_paths, pairs, paths)
        captions = _read(connection.table("e_mm1_1m.text").select(Column("encord_text_id"), Column("caption")))
        frame = with_paths.result()
    if frame is None:
        return None
    column = look_up(frame["encord_text_id"], captions)
    return None if column is None else frame.with_columns(caption=column)


def _between(connection: duckdb.DuckDBPyConnection, modalities: Sequence[str]) -> duckdb.DuckDBPyRelation:
    """The published columns of the triplets between some modalities, of which no two are the same."""
    paired, annotated = (Column(name) for name in PAIR)
    wanted = [Constant(modality) for modality in modalities]
    rows = connection.table("e_mm1_1m.triplets").filter(
        paired.isin(*wanted) & annotated.isin(*wanted) & (paired != annotated)
    )
    return rows.select(*(Column(name) for name in TRIPLET_COLUMNS))


def _paths(connection: duckdb.DuckDBPyConnection, modalities: set[str]) -> dict[str, pl.DataFrame]:
    """For each modality, the ids of its items and the path of each file.

    The root is a constant, which DuckDB folds with the separators; the macro `media_path` would join it to every row.
    """
    ((root,),) = connection.sql("SELECT media_root()").fetchall()
    paths = {}
    for modality in sorted(modalities):
        path = Function("media_in", Constant(root), Column("save_folder"), Constant(modality), Column("file_name"))
        paths[modality] = _read(connection.table(f"e_mm1_1m.{modality}").select(Column(f"encord_{modality}_id"), path))
    return paths


def _with_paths(
    pairs: Mapping[tuple[object, ...], pl.DataFrame], paths: Mapping[str, pl.DataFrame]
) -> pl.DataFrame | None:
    """The rows of each pair of modalities with both paths, one pair after the other."""
    parts = []
    for (paired, annotated), rows in pairs.items():
        columns = {
            "paired_modality_file_path": look_up(rows["encord_paired_id"], paths[str(paired)]),
            "annotated_modality_file_path": look_up(rows["encord_annotated_id"], paths[str(annotated)]),
        }
        if any(column is None for column in columns.values()):
            return None
        parts.append(rows.with_columns(**columns))
    return pl.concat(parts)


def _read(relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    # Polars reads DuckDB's stream itself. The relation's own `pl` imports pyarrow, which takes a third as long as all the rest.
    return pl.DataFrame(relation)
