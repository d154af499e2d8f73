"""A look at the pairs: the rows with the most partners, and how many pairs each threshold would give, with some of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant

from emm1.curation.duplicates.asked import Asked
from emm1.curation.universe import sql
from emm1.store.nearest import items_of
from emm1.store.registered import Registered

# Partners from which on a row is called a hub, and hubs that are named.
MANY = 100
NAMED = 10
# Cosines that are looked at, down to the threshold.
COSINES = (1, 0.999, 0.995, 0.99, 0.98, 0.97, 0.96, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.25, 0, -0.5, -1)
STEPS = 8
SAMPLE = 3


def hubs(connection: duckdb.DuckDBPyConnection, asked: Asked, parts: Sequence[Path]) -> pl.DataFrame:
    """The items with at least 100 partners, those with the most first, at most ten: dataset, modality, id, partners, hubs, item.

    `hubs` is how many there are in all; `item` is the caption or the path of the file.
    """
    sides = {"a": asked.one, "b": asked.other}
    asking = {"parts": _names(parts), "many": MANY, "named": NAMED}
    if asked.same_items and not asked.within:
        found = connection.execute(sql("duplicates/hubs_of_both"), asking).fetchall()
    else:
        found = connection.execute(sql("duplicates/hubs"), {**asking, "same": asked.within}).fetchall()
    texts = {
        side: _texts(connection, entry, [number for on, number, *_ in found if on == side])
        for side, entry in sides.items()
    }
    rows = [
        (sides[side].dataset, sides[side].modality, number, partners, of, texts[side].get(number))
        for side, number, partners, of in found
    ]
    names = {"dataset": pl.String, "modality": pl.String, "id": pl.Int64, "partners": pl.Int64, "hubs": pl.Int64}
    return pl.DataFrame(rows, schema={**names, "item": pl.String}, orient="row")


def sweep(
    connection: duckdb.DuckDBPyConnection, asked: Asked, parts: Sequence[Path]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How many pairs several thresholds give, down to the one asked for, and some pairs that only just reach each.

    Returns:
        threshold and pairs; threshold, a, b, score, item_a and item_b, where an item is a caption or the path of a file.
    """
    counts, samples = [], []
    above = None
    for threshold in _steps(connection, asked, parts):
        asking = {"parts": _names(parts), "sign": asked.sign, "threshold": threshold}
        ((pairs,),) = connection.execute(sql("duplicates/count"), asking).fetchall()
        counts.append((threshold, pairs))
        asking |= {"above": above, "sample": SAMPLE}
        samples += [(threshold, *row) for row in connection.execute(sql("duplicates/sample"), asking).fetchall()]
        above = threshold
    chosen = pl.DataFrame(
        samples,
        schema={"threshold": pl.Float64, "a": pl.Int64, "b": pl.Int64, "score": pl.Float32},
        orient="row",
    )
    for side, entry in (("a", asked.one), ("b", asked.other)):
        texts = _texts(connection, entry, chosen[side].unique().to_list())
        items = [texts.get(number) for number in chosen[side].to_list()]
        chosen = chosen.with_columns(pl.Series(f"item_{side}", items, dtype=pl.String))
    return pl.DataFrame(counts, schema={"threshold": pl.Float64, "pairs": pl.Int64}, orient="row"), chosen


def _steps(connection: duckdb.DuckDBPyConnection, asked: Asked, parts: Sequence[Path]) -> list[float]:
    """The thresholds, the strictest first; the last is the one asked for."""
    if asked.metric == "cosine":
        return [*(float(step) for step in COSINES if step > asked.threshold), asked.threshold]
    ((best,),) = connection.execute(sql("duplicates/best"), {"parts": _names(parts), "sign": asked.sign}).fetchall()
    if best is None or best == asked.threshold:
        return [asked.threshold]
    return [*np.linspace(best, asked.threshold, STEPS).tolist()[:-1], asked.threshold]


def _names(parts: Sequence[Path]) -> list[str]:
    return [str(part) for part in parts]


def _texts(connection: duckdb.DuckDBPyConnection, entry: Registered, ids: list[int]) -> dict[int, str]:
    """The captions or the paths of the files of some items."""
    if not ids:
        return {}
    items, names = items_of(connection, entry)
    chosen = items.filter(Column("item").isin(*(Constant(number) for number in ids)))
    return dict(chosen.select("item", names[-1]).fetchall())
