"""Compares the sides of a store with each other, or with a list, and notes which items for training leak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from emm1.checks import PathLike, listed, shown
from emm1.curation import flags
from emm1.curation.leakage.lists import NOTHING, Listed, read_list
from emm1.curation.leakage.near import near_pairs
from emm1.curation.leakage.report import LeakageReport
from emm1.curation.leakage.sides import LIST, SIDES, names
from emm1.curation.universe import sql
from emm1.errors import EmbeddingError
from emm1.store.registered import Registered

if TYPE_CHECKING:
    import duckdb

    from emm1.store.store import Store

WHY = {
    "item": "named by",
    "file": "the same file as",
    "youtube": "the same YouTube video as",
    "object": "the same object as",
    "source": "the same source as",
    "near": "like",
}
Told = Callable[[str, int, int], object]


def find_leakage(
    store: Store,
    against: PathLike | Any | None,
    embeddings: Sequence[str | tuple[str, str]],
    threshold: float,
    *,
    flag: bool,
    progress: Told,
) -> LeakageReport:
    """Find overlaps; `emm1.Store.leakage` says what the arguments mean."""
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not -1 <= threshold <= 1:
        raise EmbeddingError(f"the threshold must be a cosine from -1 to 1, not {shown(threshold)}")
    compared = [_entries(store, each) for each in listed(embeddings, "embeddings")]
    found = None if against is None else read_list(against)
    source = "leakage" if found is None else f"leakage {found.name}"
    if flag:
        flags.record(store, None, source)  # so that a store for reading is refused before the work
    with store.cursor() as connection:
        _compare(connection, found, progress)
        for a, b in compared:
            for queries, base in [(a, b)] if a == b else [(a, b), (b, a)]:
                _near(store, connection, queries, base, threshold, 1 if found is None else LIST, progress)
        progress("the report", 0, 0)
        report = _report(connection, found, source)
    if flag:
        flags.record(store, report.leaking, source)
    return report


def _entries(store: Store, name: str | tuple[str, str]) -> tuple[Registered, Registered]:
    """The embeddings to compare: two, or one with itself."""
    given = (name, name) if isinstance(name, str) else name
    if not isinstance(given, tuple | list) or len(given) != 2 or not all(isinstance(each, str) for each in given):  # noqa: PLR2004
        raise EmbeddingError(f"embeddings are compared as a name, or as two names, not {shown(name)}")
    a, b = (store.registry[each] for each in given)
    dims = [store.embeddings(each.name).dim for each in (a, b)]
    if dims[0] != dims[1]:
        raise EmbeddingError(
            f"{a.name!r} has {dims[0]} dimensions and {b.name!r} has {dims[1]}: compare embeddings of one model"
        )
    return a, b


def _compare(connection: duckdb.DuckDBPyConnection, found: Listed | None, progress: Told) -> None:
    """Make the table leakage_pairs of all that is the same by name."""
    progress("files and sources", 0, 0)
    connection.register("emm1_listed", (NOTHING if found is None else found.rows).to_arrow())
    for name in ("items", "marks", "targets_of_store" if found is None else "targets_of_list", "pairs"):
        connection.execute(sql(f"leakage/{name}"))
    if found is not None:
        connection.execute(sql("leakage/listed_items"))


def _near(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    queries: Registered,
    base: Registered,
    threshold: float,
    first: int,
    progress: Told,
) -> None:
    """Add pairs of near vectors, one of which at least is of a side to look for."""
    of = {"dataset": queries.dataset, "modality": queries.modality, "first": first}
    ids = connection.execute(sql("leakage/near_targets"), of).fetchnumpy()["id"].astype("int64")
    what = f"{queries.name} near {base.name}"
    pairs = near_pairs(
        store.embeddings(queries.name), ids, store.embeddings(base.name), threshold, lambda d, t: progress(what, d, t)
    )
    connection.register("emm1_near", pairs)
    connection.execute(
        sql("leakage/near_pairs"),
        {
            "query_dataset": queries.dataset,
            "query_modality": queries.modality,
            "dataset": base.dataset,
            "modality": base.modality,
            "first": first,
        },
    )
    connection.unregister("emm1_near")


def _report(connection: duckdb.DuckDBPyConnection, found: Listed | None, source: str) -> LeakageReport:
    sides = names(None if found is None else found.name)

    def frame(name: str) -> pl.DataFrame:
        rows = pl.DataFrame(connection.sql(sql(f"leakage/{name}")).to_arrow_table())
        numbers = [column for column in ("side", "side_a", "side_b") if column in rows.columns]
        named = pl.col(numbers).replace_strict(dict(enumerate(sides)), return_dtype=pl.Enum(sides))
        return rows.with_columns(named)

    pairs = frame("all_pairs")
    return LeakageReport(
        frame("counts"),
        pairs=pairs,
        leaking=_flagged(frame("leaking")),
        clean_items=frame("clean"),
        sides=sides,
        source=source,
        listed=found,
        found=frozenset() if found is None else frozenset(pairs["id_b"].unique()),
    )


def _flagged(rows: pl.DataFrame) -> pl.DataFrame:
    """The items for training that leak, as `flags` has them."""
    in_list = ~pl.col("side_b").cast(pl.String).is_in(SIDES)
    others = pl.col("overlap_count") - 1
    detail = pl.concat_str(
        pl.col("kind").replace_strict(WHY, return_dtype=pl.String),
        pl.lit(" "),
        pl.when(in_list)
        .then(pl.format("row {} of {}", "id_b", "side_b"))
        .otherwise(pl.format("{} {} of {}", "modality_b", "id_b", "side_b")),
        pl.when(pl.col("detail").is_not_null()).then(pl.format(" ({})", "detail")).otherwise(pl.lit("")),
        pl.when(others > 0).then(pl.format(", and {} more", others)).otherwise(pl.lit("")),
    )
    return rows.select("dataset", "modality", "id", flag=pl.lit("leak"), detail=detail.str.slice(0, flags.LONGEST))
