"""The maps of a store as the page shows them: their points, and colours by a column of the items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from numpy.typing import NDArray

from emm1.dataset import KEYS, SCHEMAS, Split
from emm1.explore import items as read
from emm1.explore.items import Item

if TYPE_CHECKING:
    import pyarrow as pa

    from emm1.store import Store

# Values with a colour of their own; the codes after them are those of all others, and of items that have none.
CLASSES = 12
OTHER, MISSING = CLASSES, 255
# A number is shown between two of its quantiles, so that a few large ones do not take all colours.
QUANTILES = 0.01, 0.99
SHADES = 254
# Points of the picture that the page has without scripts, its side, and the shades of numbers in it.
SKETCHED, SIDE, SKETCHED_SHADES = 4000, 1000, 7
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "U")
# Columns of which hardly two items have the same value.
UNIQUE = {"caption", "file_name", "file_id"}


@dataclass(frozen=True)
class Map:
    """A map.

    Attributes:
        name: the embeddings that it was made of.
        points: how many items it shows.
        dataset: their split; None if the embeddings are not registered any more, so that nothing says what the items are.
        modality: their modality, likewise.
    """

    name: str
    points: int
    dataset: Split | None
    modality: str | None


@dataclass(frozen=True)
class Coloured:
    """The colours of a map by a column.

    Attributes:
        codes: for each point in the order of ids, uint8, (points,): the number of a class, `OTHER` or `MISSING`; or if there are
            no classes a shade from 0 to 254, or `MISSING`.
        classes: the most frequent values and how many points have each, or None for numbers.
        other: how many points have another value.
        missing: how many points have none.
        low: the number that the first shade stands for, and all below it; None for classes.
        high: the number that the last shade stands for, and all above it.
    """

    codes: NDArray[np.uint8]
    classes: list[tuple[str, int]] | None
    other: int
    missing: int
    low: float | None = None
    high: float | None = None


class Maps:
    """The maps of a store, from any thread.

    Args:
        store: the store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[Map]:
        """All maps, by name."""
        with self._store.cursor() as cursor:
            rows = cursor.table("maps").aggregate("name, count(*)").order("name").fetchall()
        return [self._map(name, points) for name, points in rows]

    def named(self, name: str) -> Map | None:
        """The map of this name, or None."""
        with self._store.cursor() as cursor:
            ((points,),) = _points(cursor, name).aggregate("count(*)").fetchall()
        return self._map(name, points) if points else None

    def points(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """The places, float32, (points, 2), and the ids, int32, (points,), in the order of ids."""
        with self._store.cursor() as cursor:
            found = _points(cursor, name).order("id").fetchnumpy()
        places = np.column_stack([np.asarray(found["x"]), np.asarray(found["y"])])
        return places.astype(np.float32), np.asarray(found["id"]).astype(np.int32)

    def columns(self, shown: Map) -> list[str]:
        """The columns that the items can be coloured by."""
        if shown.dataset is None or shown.modality is None:
            return []
        with self._store.cursor() as cursor:
            names = cursor.table(f"{SCHEMAS[shown.dataset]}.{shown.modality}").columns
            splits = cursor.table("splits").filter(_about(shown)).limit(1).fetchall()
        key = KEYS[shown.dataset, shown.modality]
        own = [name for name in names if name != key and name not in UNIQUE]
        return own + (["split"] if splits else []) + (["category"] if shown.dataset == "eshot" else [])

    def coloured(self, shown: Map, column: str) -> Coloured:
        """The colours by a column that `columns` names."""
        with self._store.cursor() as cursor:
            values = _points(cursor, shown.name).select("id").set_alias("m")
            known = _values(cursor, shown, column).set_alias("v")
            joined = values.join(known, "m.id = v.item", how="left").order("id").select("value")
            number = str(joined.types[0]).startswith(NUMBERS)
            chosen = joined if number else joined.select(Column("value").cast(duckdb.sqltype("VARCHAR")))
            found = chosen.to_arrow_table().column(0)
        return _by_number(found) if number else _by_class(found)

    def items(self, shown: Map, ids: list[int]) -> list[Item]:
        """Items of the map, in the order of `ids`."""
        if shown.dataset is None or shown.modality is None:
            return []
        with self._store.cursor() as cursor:
            found = read.items(cursor, shown.dataset, shown.modality, ids)
        return [found[number] for number in ids]

    def _map(self, name: str, points: int) -> Map:
        entry = self._store.registry.get(name)
        return Map(name, points, None, None) if entry is None else Map(name, points, entry.dataset, entry.modality)


def sketch(places: NDArray[np.float32], coloured: Coloured | None) -> list[tuple[str, str]]:
    """A picture of some of the points: for each colour the class of a path, and the path, in a square of side `SIDE`.

    >>> sketch(np.array([[0, 0], [2, 4]], np.float32), None)
    [('plain', 'M0 1000h0M500 0h0')]
    """
    step = -(-len(places) // SKETCHED)
    chosen = places[::step].astype(np.float64)
    low = places.min(axis=0)
    extent = float((places.max(axis=0) - low).max()) or 1.0
    x, y = np.rint((chosen - low) / extent * SIDE).astype(int).T
    names = np.full(len(x), "plain") if coloured is None else _classes_of(coloured)[coloured.codes[::step]]
    return [
        (str(name), "".join(f"M{a} {SIDE - b}h0" for a, b in zip(x[names == name], y[names == name], strict=True)))
        for name in np.unique(names)
    ]


def _classes_of(coloured: Coloured) -> NDArray[np.str_]:
    """The class of each of the 256 codes, as page.css has them."""
    if coloured.classes is not None:
        return np.array([f"k{min(code, OTHER)}" for code in range(MISSING)] + ["missing"])
    return np.array([f"s{code * SKETCHED_SHADES // (SHADES + 1)}" for code in range(MISSING)] + ["missing"])


def _points(connection: duckdb.DuckDBPyConnection, name: str) -> duckdb.DuckDBPyRelation:
    return connection.table("maps").filter(Column("name") == Constant(name))


def _about(shown: Map) -> duckdb.Expression:
    """The condition on tables of items of all kinds."""
    return (Column("dataset") == Constant(shown.dataset)) & (Column("modality") == Constant(shown.modality))


def _values(connection: duckdb.DuckDBPyConnection, shown: Map, column: str) -> duckdb.DuckDBPyRelation:
    """The columns item and value of all items of the map's kind."""
    assert shown.dataset is not None  # noqa: S101 - otherwise there are no columns
    assert shown.modality is not None  # noqa: S101
    table = connection.table(f"{SCHEMAS[shown.dataset]}.{shown.modality}")
    if column in table.columns:
        key = KEYS[shown.dataset, shown.modality]
        return table.select(Column(key).alias("item"), Column(column).alias("value"))
    if column == "split":
        return connection.table("splits").filter(_about(shown)).select("id AS item, split AS value")
    categories = connection.table("eshot.categories").filter(Column("modality") == Constant(shown.modality))
    return categories.aggregate("eshot_id AS item, min(category) AS value")


def _by_class(values: pa.ChunkedArray) -> Coloured:
    encoded = values.combine_chunks().dictionary_encode()
    numbers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    names = encoded.dictionary.to_pylist()
    counts = np.bincount(numbers[numbers >= 0], minlength=len(names))
    first = sorted(range(len(names)), key=lambda number: (-counts[number], names[number]))[:CLASSES]
    code_of = np.full(len(names) + 1, OTHER, np.uint8)
    code_of[first] = np.arange(len(first))
    code_of[-1] = MISSING  # the number -1
    codes = code_of[numbers]
    return Coloured(
        codes,
        [(names[number], int(counts[number])) for number in first],
        other=int(np.count_nonzero(codes == OTHER)),
        missing=int(np.count_nonzero(codes == MISSING)),
    )


def _by_number(values: pa.ChunkedArray) -> Coloured:
    numbers = values.combine_chunks().cast("float64", safe=False).to_numpy(zero_copy_only=False)
    known = np.isfinite(numbers)
    low, high = np.quantile(numbers[known], QUANTILES).tolist() if known.any() else (0.0, 0.0)
    codes = np.full(len(numbers), MISSING, np.uint8)
    shades = (numbers[known] - low) / ((high - low) or 1) * SHADES
    codes[known] = np.clip(np.rint(shades), 0, SHADES)
    return Coloured(codes, None, other=0, missing=int(np.count_nonzero(~known)), low=low, high=high)


def describe_map(shown: Map) -> dict[str, Any]:
    """A map as JSON."""
    return {"name": shown.name, "points": shown.points, "dataset": shown.dataset, "modality": shown.modality}


def describe_colours(coloured: Coloured) -> dict[str, Any]:
    """What colours mean, as JSON."""
    return {
        "classes": coloured.classes
        and [{"code": code, "value": value, "points": count} for code, (value, count) in enumerate(coloured.classes)],
        "other": coloured.other,
        "missing": coloured.missing,
        "low": coloured.low,
        "high": coloured.high,
    }
