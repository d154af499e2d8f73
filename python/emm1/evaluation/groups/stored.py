"""Reads the groups of a store, those of some captions at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from emm1.dataset import GROUP_COLUMNS, RANKS, check_ranks
from emm1.errors import StoreError
from emm1.store.store import Store

TEXT, RANK = "encord_text_id", "nn_index"
# The name under which a query finds the wanted captions.
WANTED = "emm1_wanted_captions"


def ranks_in(store: Store, wanted: Sequence[int] | None) -> list[int]:
    """The ranks of the groups in a store; with `wanted`, only those, all of which must be there.

    Raises:
        StoreError: there are no groups, or none of a wanted rank, or no rank is wanted.
    """
    chosen = None if wanted is None else check_ranks(wanted)
    with store.cursor() as connection:
        query = exp.select(RANK).distinct().from_(_groups()).order_by(RANK)
        held = [rank for (rank,) in connection.execute(query.sql("duckdb")).fetchall()]
    if not held:
        raise StoreError(f"{store.path} holds no groups: build it with e-mm1_100m/nn_1 to nn_{RANKS[-1]}")
    absent = sorted(set(chosen or ()) - set(held))
    if absent:
        raise StoreError(
            f"{store.path} holds no groups of rank {', '.join(map(str, absent))}: it has {', '.join(map(str, held))}"
        )
    return held if chosen is None else chosen


def captions_of(connection: duckdb.DuckDBPyConnection, ranks: Sequence[int]) -> NDArray[np.int64]:
    """The captions that have groups of these ranks, ascending, int64."""
    query = exp.select(TEXT).distinct().from_(_groups()).where(exp.column(RANK).isin(*ranks), _given(TEXT))
    ids = connection.sql(query.sql("duckdb")).to_arrow_table().column(0).to_numpy()
    return np.sort(ids).astype(np.int64)


def count_of(connection: duckdb.DuckDBPyConnection, ranks: Sequence[int]) -> int:
    """How many groups of these ranks there are that have a caption."""
    query = exp.select(exp.Count(this=exp.Star())).from_(_groups()).where(exp.column(RANK).isin(*ranks), _given(TEXT))
    ((count,),) = connection.execute(query.sql("duckdb")).fetchall()
    return int(count)


def groups_of(
    connection: duckdb.DuckDBPyConnection, captions: NDArray[np.int64], ranks: Sequence[int], *, some: bool = False
) -> pa.Table:
    """The groups of captions, by caption and rank.

    Args:
        connection: a connection that no one else uses.
        captions: ids, ascending.
        ranks: the ranks.
        some: leave out the groups of other captions between these. Otherwise all between the first and the last are given, faster.
    """
    # The range lets DuckDB skip the blocks of rows with other captions.
    low, high = (exp.Literal.number(int(captions[place])) for place in (0, -1))
    query = exp.select(*GROUP_COLUMNS).from_(_groups()).order_by(TEXT, RANK)
    query = query.where(
        exp.Between(this=exp.column(TEXT), low=low, high=high),
        exp.column(RANK).isin(*ranks),
    )
    if some:
        connection.register(WANTED, pa.table({"id": captions}))
        query = query.where(exp.column(TEXT).isin(query=exp.select("id").from_(WANTED)))
    return connection.sql(query.sql("duckdb")).to_arrow_table()


def version_of_groups(store: Store) -> str:
    """A digest that changes when the files that the groups come from change."""
    with store.cursor() as connection:
        source = exp.column("source").like(exp.Literal.string("%/data_groups.csv"))
        query = exp.select("source", "sha256").from_("provenance").where(source).order_by("source")
        return hashlib.sha256(repr(connection.execute(query.sql("duckdb")).fetchall()).encode()).hexdigest()


def _groups() -> exp.Table:
    return exp.table_("groups", db="e_mm1_100m")


def _given(column: str) -> exp.Expr:
    return exp.column(column).is_(exp.null()).not_()
