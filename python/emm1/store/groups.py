"""The first published script: all groups with their file paths and captions, as a relation or, faster, as a frame."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import duckdb
import polars as pl
from sqlglot import exp

from emm1.dataset import GROUP_COLUMNS
from emm1.store.lookup import look_up


def groups_relation(
    connection: duckdb.DuckDBPyConnection, modalities: Sequence[str], ranks: Sequence[int] | None
) -> duckdb.DuckDBPyRelation:
    """The groups of some or all ranks, with the file paths of some modalities and the captions: up to five joins."""
    return connection.sql(_joined(_groups(ranks), _items(connection, modalities)).sql("duckdb"))


def groups_frame(
    connection: duckdb.DuckDBPyConnection, modalities: Sequence[str], ranks: Sequence[int] | None
) -> pl.DataFrame:
    """The same rows as a frame, without joins if the ids are unique and nearly dense.

    Paths and captions are then looked up by their position in an array, and the rows share their strings.
    """
    frame = _with_lookups(connection, _groups(ranks), _items(connection, modalities))
    return groups_relation(connection, modalities, ranks).pl() if frame is None else frame


def _groups(ranks: Sequence[int] | None) -> exp.Select:
    groups = exp.select(*(exp.column(name, table="g") for name in GROUP_COLUMNS))
    groups = groups.from_(exp.table_("groups", db="e_mm1_100m", alias="g"))
    if ranks is None:
        return groups
    return groups.where(exp.column("nn_index", table="g").isin(*ranks) if ranks else exp.false())


def _items(connection: duckdb.DuckDBPyConnection, modalities: Sequence[str]) -> dict[str, tuple[str, exp.Select]]:
    """For each column that is added to the groups: their id column, and a query of ids and items (paths or captions)."""
    root, audio_folder = connection.sql("SELECT media_root(), media_folder('audio')").fetchall()[0]
    items = {f"{m}_file_path": (f"encord_{m}_id", _paths(m, root, audio_folder)) for m in modalities}
    text = exp.table_("text", db="e_mm1_100m")
    items["caption"] = ("encord_text_id", exp.select("encord_text_id", exp.column("caption").as_("item")).from_(text))
    return items


def groups_of(
    connection: duckdb.DuckDBPyConnection, captions: list[int], modalities: Sequence[str], ranks: Sequence[int] | None
) -> duckdb.DuckDBPyRelation:
    """The same for some captions, by the macro `groups_of`, which looks up their files instead of joining all files."""
    relation = connection.table_function("groups_of", [captions])
    if ranks is not None:
        condition = exp.column("nn_index").isin(*ranks) if ranks else exp.false()
        relation = relation.filter(condition.sql("duckdb"))
    return relation.select(*GROUP_COLUMNS, *(f"{m}_file_path" for m in modalities), "caption")


def _paths(modality: str, root: str, audio_folder: str) -> exp.Select:
    """The ids of a modality, and the path of each file.

    Paths are built from the info rows, of which there are fewer than groups. The root is a literal in the query: DuckDB
    folds it with the separators, whereas a subquery takes a third longer.
    """
    folder = audio_folder if modality == "audio" else modality
    stored, name = exp.column("save_folder"), exp.column("file_name")
    parts = (exp.Literal.string(f"{root}/"), stored, exp.Literal.string(f"/{folder}/"), name)
    known = exp.and_(stored.is_(exp.null()).not_(), name.is_(exp.null()).not_(), exp.func("inside", stored, name))
    # concat writes the path once, a chain of || three times; but concat treats NULL as '', hence the CASE.
    path = exp.case().when(known, exp.func("concat", *parts, dialect="duckdb"))
    return exp.select(f"encord_{modality}_id", path.as_("item")).from_(exp.table_(modality, db="e_mm1_100m"))


def _joined(groups: exp.Select, items: dict[str, tuple[str, exp.Select]]) -> exp.Select:
    """The groups, left-joined with the items of each added column."""
    query = groups
    for name, (key, item) in items.items():
        query = query.select(exp.column("item", table=name).as_(name))
        on = exp.column(key, table=name).eq(exp.column(key, table="g"))
        query = query.join(item.subquery(name), on=on, join_type="left")
    # Order is not promised, and keeping it takes a third of the time of the transfer to Arrow. DuckDB drops it for the
    # whole query if one source has no order, such as this single row.
    unordered = exp.select("media_root").from_("emm1_store").group_by("media_root")
    return query.join(unordered.subquery("unordered"), join_type="cross")


def _with_lookups(
    connection: duckdb.DuckDBPyConnection, groups: exp.Select, items: dict[str, tuple[str, exp.Select]]
) -> pl.DataFrame | None:
    """The groups with the items of each added column, looked up by id; None if ids repeat or are too far apart."""
    with ThreadPoolExecutor(1) as pool:
        frame: pl.DataFrame = connection.sql(groups.sql("duckdb")).pl()
        lookups = {}
        for name, (key, item) in items.items():
            # Runs while DuckDB reads the items of the next column.
            lookups[name] = pool.submit(look_up, frame[key], connection.sql(item.sql("duckdb")).pl())
        columns = {name: lookup.result() for name, lookup in lookups.items()}
    if any(column is None for column in columns.values()):
        return None
    return frame.with_columns(**columns)
