"""The first published script: every group with its file paths and caption, as a relation quick to a frame or to Arrow."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from sqlglot import exp

GROUP_COLUMNS = (*(f"encord_{m}_id" for m in ("text", "video", "audio", "image", "points")), "nn_index")
# A place for every id between the smallest and the largest: 400 MB at most. Wider ranges are joined.
WIDEST = 100_000_000
# Rows of a batch in Arrow tables: their strings must have fewer than 2^31 bytes. DuckDB's have as many.
ARROW_ROWS = 1_000_000


def groups_relation(
    connection: duckdb.DuckDBPyConnection, modalities: Sequence[str], ranks: Sequence[int] | None
) -> duckdb.DuckDBPyRelation:
    """The groups of some ranks, or of all, with the file paths of some modalities, and the captions.

    The relation is plain SQL, five joins. Its ``pl()`` and ``to_arrow_table()`` are not: ids are nearly dense, so paths
    and captions are looked up by their place in an array, and a frame shares its strings.
    """
    found = connection.execute("SELECT media_root(), media_folder('audio')").fetchall()[0]
    groups = exp.select(*(exp.column(name, table="g") for name in GROUP_COLUMNS))
    groups = groups.from_(exp.table_("groups", db="e_mm1_100m", alias="g"))
    if ranks is not None:
        groups = groups.where(exp.column("nn_index", table="g").isin(*ranks) if ranks else exp.false())
    items = {f"{m}_file_path": (f"encord_{m}_id", _paths(m, *found)) for m in modalities}
    text = exp.table_("text", db="e_mm1_100m")
    items["caption"] = ("encord_text_id", exp.select("encord_text_id", exp.column("caption").as_("item")).from_(text))
    relation = connection.sql(_joined(groups, items).sql("duckdb"))
    return _with_frame(relation, lambda: _looked_up(connection, groups, items))


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
    known = exp.and_(stored.is_(exp.null()).not_(), name.is_(exp.null()).not_())
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


def _with_frame(relation: duckdb.DuckDBPyRelation, frame: Callable[[], pl.DataFrame | None]) -> duckdb.DuckDBPyRelation:
    """The relation itself, whose ``pl()`` gives another frame of the same rows, where there is one, and Arrow tables too.

    DuckDB alone makes relations, so this one gets a class after it is made; relations derived from it are plain.
    """

    class Groups(duckdb.DuckDBPyRelation):
        __slots__ = ()

        def pl(self, *args: Any, **options: Any) -> pl.DataFrame | pl.LazyFrame:
            found = None if args or options else frame()
            return super().pl(*args, **options) if found is None else found

        def to_arrow_table(self, *args: Any, **options: Any) -> pa.Table:
            found = None if args or options else frame()
            return super().to_arrow_table(*args, **options) if found is None else to_arrow(found)

    relation.__class__ = Groups
    return relation


def to_arrow(frame: pl.DataFrame) -> pa.Table:
    """A frame as an Arrow table of the types that DuckDB gives, made on all cores.

    >>> to_arrow(pl.DataFrame({"caption": ["a dog", None]})).schema.types
    [DataType(string)]
    """
    views = frame.to_arrow(compat_level=pl.CompatLevel.newest())
    schema = pa.schema([(field.name, _without_views(field.type)) for field in views.schema])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = pool.map(lambda batch: batch.cast(schema), views.to_batches(max_chunksize=ARROW_ROWS))
        return pa.Table.from_batches(batches, schema)


def _without_views(kind: pa.DataType) -> pa.DataType:
    return pa.string() if kind == pa.string_view() else kind


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
