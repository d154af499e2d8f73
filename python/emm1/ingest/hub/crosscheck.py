"""Compares what the Hub's files hold with tables that were filled from CSV files, and counts the differences."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
from sqlglot import exp

from emm1.checks import shown
from emm1.dataset import GROUP_COLUMNS, KEYS, SCHEMAS, TRIPLET_COLUMNS, Split
from emm1.ingest.hub.columns import TIMES, HubFile
from emm1.ingest.hub.found import FoundItems
from emm1.ingest.hub.queries import quoted, rows_of, together


def differing_items(connection: duckdb.DuckDBPyConnection, split: Split, found: FoundItems) -> list[str]:
    """How the items found differ from those of a table; columns that only one edition has are not compared."""
    table, key = exp.table_(found.modality, db=SCHEMAS[split]), KEYS[split, found.modality]
    has = connection.table(f"{SCHEMAS[split]}.{found.modality}").columns
    names = [name for name in found.columns if name in has]
    id_, id_of_table = exp.column("id", table="h"), exp.column(key, table="t")
    counts = [_count(id_of_table.is_(exp.null()))]
    for name in names:
        theirs = exp.column(quoted(name), table="h")
        ours = exp.cast(exp.column(quoted(name), table="t"), "DOUBLE" if name in TIMES else "VARCHAR")
        differ = theirs.neq(ours)  # neither is NULL
        values = [exp.cast(value, "VARCHAR") for value in (id_, theirs, ours)]
        one = exp.and_(id_of_table.is_(exp.null()).not_(), theirs.is_(exp.null()).neq(ours.is_(exp.null())))
        counts += [_count(differ), _only(exp.func("arg_min", exp.Array(expressions=values), id_), differ), _count(one)]
    query = exp.select(*counts).from_(found.query.subquery("h"))
    query = query.join(exp.alias_(table, "t", table=True), on=id_of_table.eq(id_), join_type="left")
    absent, *each = connection.execute(query.sql("duckdb")).fetchall()[0]
    notes = [f"{absent:,} {found.modality} ids are not in its info file"] if absent else []
    for name, count, first, one in zip(names, each[::3], each[1::3], each[2::3], strict=True):
        if count:
            number, theirs, ours = first
            notes.append(
                f"{count:,} {found.modality} items differ in {name}: {found.modality} {number} is {shown(theirs, 90)}, and "
                f"{shown(ours, 90)} in CSV"
            )
        if one:
            notes.append(f"{one:,} {found.modality} items have {name} in one of the editions only")
    return notes


def _count(condition: exp.Expr) -> exp.Expr:
    return _only(exp.Count(this=exp.Star()), condition)


def _only(aggregate: exp.Expr, condition: exp.Expr) -> exp.Expr:
    return exp.Filter(this=aggregate, expression=exp.Where(this=condition))


def differing_triplets(connection: duckdb.DuckDBPyConnection, files: Sequence[HubFile]) -> list[str]:
    """How the triplets of the files differ from those of the table, as multisets."""
    theirs = together([_known(rows_of(file), TRIPLET_COLUMNS) for file in files])
    return _differing(connection, "triplets", theirs, exp.select(*TRIPLET_COLUMNS).from_("e_mm1_1m.triplets"))


def differing_groups(connection: duckdb.DuckDBPyConnection, files: Sequence[HubFile], rank: int) -> list[str]:
    """How the groups of a rank differ from those of the table, in the columns that all of the files have."""
    columns = [name for name in GROUP_COLUMNS if all(name in file.rows for file in files)]
    theirs = together([_known(rows_of(file, [rank]), columns) for file in files])
    ours = exp.select(*columns).from_("e_mm1_100m.groups").where(exp.column("nn_index").eq(rank))
    return _differing(connection, f"groups of rank {rank}", theirs, ours)


def _known(rows: exp.Query, columns: Sequence[str]) -> exp.Select:
    return exp.select(*columns).from_(rows.subquery("rows"))


def _differing(connection: duckdb.DuckDBPyConnection, what: str, theirs: exp.Query, ours: exp.Query) -> list[str]:
    notes = []
    for one, other, where in ((theirs, ours, "not in CSV"), (ours, theirs, "in CSV only")):
        left = exp.except_(*(exp.select("*").from_(rows.subquery("rows")) for rows in (one, other)), distinct=False)
        query = exp.select(exp.Count(this=exp.Star())).from_(left.subquery("differing"))
        ((count,),) = connection.execute(query.sql("duckdb")).fetchall()
        if count:
            notes.append(f"{count:,} {what} are {where}")
    return notes
