"""The first published script: every group with its file paths and caption, as a relation or, faster, as a frame."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import polars as pl
from sqlglot import exp

from emm1.dataset import GROUP_COLUMNS

# A place for every id between the smallest and the largest: 400 MB at most. Wider ranges are joined.
WIDEST = 100_000_000


def groups_relation(
    connection: duckdb.DuckDBPyConnection, modalities: Sequence[str], ranks: Sequence[int] | None
) -> duckdb.DuckDBPyRelation:
    """The groups of some ranks, or of all, with the file paths of some modalities, and the captions: five joins."""
    return connection.sql(_joined(_groups(ranks), _items(connection, modalities)).sql("duckdb"))


def groups_frame(
    connection: duckdb.DuckDBPyConnection, modalities: Sequence[str], ranks: Sequence[int] | None
) -> pl.DataFrame:
    """The same rows as a frame, without a join where ids stand once and are nearly dense.

    Paths and captions are then looked up by their place in an array, and the rows share their strings.
    """
    found = _looked_up(connection, _groups(ranks), _items(connection, modalities))
    return groups_relation(connection, modalities, ranks).pl() if found is None else found


def _groups(ranks: Sequence[int] | None) -> exp.Select:
    groups = exp.select(*(exp.column(name, table="g") for name in GROUP_COLUMNS))
    groups = groups.from_(exp.table_("groups", db="e_mm1_100m", alias="g"))
    if ranks is None:
        return groups
    return groups.where(exp.column("nn_index", table="g").isin(*ranks) if ranks else exp.false())


def _items(connection: duckdb.DuckDBPyConnection, modalities: Sequence[str]) -> dict[str, tuple[str, exp.Select]]:
    """For each column that groups get: the column of ids, and a query of ids and items."""
    found = connection.sql("SELECT media_root(), media_folder('audio')").fetchall()[0]
    items = {f"{m}_file_path": (f"encord_{m}_id", _paths(m, *found)) for m in modalities}
    text = exp.table_("text", db="e_mm1_100m")
    items["caption"] = ("encord_text_id", exp.select("encord_text_id", exp.column("caption").as_("item")).from_(text))
    return items


def groups_of(
    connection: duckdb.DuckDBPyConnection, captions: list[int], modalities: Sequence[str], ranks: Sequence[int] | None
) -> duckdb.DuckDBPyRelation:
    """The same for some captions, by the macro of this name, which finds their files instead of joining with all."""
    relation = connection.table_function("groups_of", [captions])
    if ranks is not None:
        chosen = exp.column("nn_index").isin(*ranks) if ranks else exp.false()
        relation = relation.filter(chosen.sql("duckdb"))
    return relation.select(*GROUP_COLUMNS, *(f"{m}_file_path" for m in modalities), "caption")


def _paths(modality: str, root: str, audio_folder: str) -> exp.Select:
    """The ids of a modality, and the path of each file.

    Paths are made from the info rows, of which there are fewer than groups. The root is written into the query: DuckDB
    folds it with the separators, where a subquery costs a third more.
    """
    folder = audio_folder if modality == "audio" else modality
    stored, name = exp.column("save_folder"), exp.column("file_name")
    parts = (exp.Literal.string(f"{root}/"), stored, exp.Literal.string(f"/{folder}/"), name)
    known = exp.and_(stored.is_(exp.null()).not_(), name.is_(exp.null()).not_(), exp.func("inside", stored, name))
    # concat writes the path once, where a chain of || writes it three times; but it takes NULL for ''.
    path = exp.case().when(known, exp.func("concat", *parts, dialect="duckdb"))
    return exp.select(f"encord_{modality}_id", path.as_("item")).from_(exp.table_(modality, db="e_mm1_100m"))


def _joined(groups: exp.Select, items: dict[str, tuple[str, exp.Select]]) -> exp.Select:
    """The groups, left-joined with the items of each column that they get."""
    query = groups
    for name, (key, item) in items.items():
        query = query.select(exp.column("item", table=name).as_(name))
        on = exp.column(key, table=name).eq(exp.column(key, table="g"))
        query = query.join(item.subquery(name), on=on, join_type="left")
    # Order is not promised, and keeping it costs a third of the hand-over to Arrow: DuckDB gives it up for the
    # whole query where one source has none, such as this single row.
    unordered = exp.select("media_root").from_("emm1_store").group_by("media_root")
    return query.join(unordered.subquery("unordered"), join_type="cross")


def _looked_up(
    connection: duckdb.DuckDBPyConnection, groups: exp.Select, items: dict[str, tuple[str, exp.Select]]
) -> pl.DataFrame | None:
    """The groups with the items of each column looked up by id; None where ids stand twice or are far apart."""
    with ThreadPoolExecutor(1) as pool:
        frame: pl.DataFrame = connection.sql(groups.sql("duckdb")).pl()
        columns = {}
        for name, (key, item) in items.items():
            # Looked up while DuckDB reads the next.
            columns[name] = pool.submit(look_up, frame[key], connection.sql(item.sql("duckdb")).pl())
        found = {name: column.result() for name, column in columns.items()}
    if any(column is None for column in found.values()):
        return None
    return frame.with_columns(**found)


def look_up(wanted: pl.Series, items: pl.DataFrame) -> pl.Series | None:
    """The item of each wanted id, null where there is none.

    Args:
        wanted: ids, Int32.
        items: a column of ids, Int32, and a column of items.

    Returns:
        None where an id stands twice, or the ids are too far apart for an array.

    >>> look_up(pl.Series([7, 5, 4, None], dtype=pl.Int32), pl.DataFrame({"id": [5, 7], "item": ["a", "b"]})).to_list()
    ['b', 'a', None, None]
    """
    ids, values = items.get_columns()
    if ids.is_empty():
        return values.extend_constant(None, len(wanted))
    low, high = int(ids.min()), int(ids.max())  # type: ignore[arg-type]
    if high - low >= WIDEST:
        return None
    inside = pl.when(wanted.is_between(low, high)).then(wanted - low)
    places = pl.select(inside.cast(pl.UInt32)).to_series()
    numbers = ids.to_numpy()
    if not np.array_equal(numbers, np.arange(low, high + 1)):
        place_of = np.full(high - low + 1, -1, np.int32)
        place_of[numbers - low] = np.arange(len(ids), dtype=np.int32)
        if np.count_nonzero(place_of >= 0) < len(ids):
            return None
        places = pl.Series(place_of).gather(places).cast(pl.UInt32, strict=False)
    return values.rechunk().gather(places)
