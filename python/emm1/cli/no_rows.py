"""Why a query has no rows, where that can be told cheaply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from sqlglot import exp

# The table that decides whether a view or macro has rows.
SOURCES = {
    "groups": "e_mm1_100m.groups",
    "group_captions": "e_mm1_100m.groups",
    "groups_of": "e_mm1_100m.groups",
    "triplets": "e_mm1_1m.triplets",
    "triplets_between": "e_mm1_1m.triplets",
    "eshot_categories": "eshot.categories",
}
# Tables that commands fill, and how.
FILLED = {
    "embeddings": "no embeddings are registered: emm1 embeddings add",
    "splits": "the store is not split yet: emm1 split",
    "maps": "no map is made yet: emm1 map",
    "media_status": "no media files are checked yet",
    "flags": "no item has a flag yet: emm1 flags add",
    "caption_index": "the captions have no index yet: emm1 index captions",
    "caption_words": "the captions have no index yet: emm1 index captions",
    "caption_postings": "the captions have no index yet: emm1 index captions",
}
# Values that are listed if none is near.
LISTED = 10


def reasons(connection: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    """Reasons why a query, or a condition of a search, finds no rows; none if nothing is obvious.

    Args:
        connection: a connection to the store.
        text: a query, or an expression.
    """
    from sqlglot import parse_one
    from sqlglot.errors import SqlglotError

    found: dict[str, None] = {}  # in order, each once
    with suppress(SqlglotError, duckdb.Error):
        query = parse_one(text, dialect="duckdb")
        for finding in (_unknown_values, _ids_without_vectors, _empty_tables):
            found |= dict.fromkeys(finding(connection, query))
    return list(found)


def _unknown_values(connection: duckdb.DuckDBPyConnection, query: exp.Expr) -> Iterator[str]:
    """Comparisons of an ENUM column with a value that the ENUM does not have: DuckDB finds no rows, and no error."""
    from sqlglot import exp

    enums = _enum_columns(connection)
    for comparison in query.find_all(exp.EQ, exp.In):
        sides = [comparison.this, *comparison.args.get("expressions", []), comparison.args.get("expression")]
        names = {side.name.lower() for side in sides if isinstance(side, exp.Column)} & enums.keys()
        for side in sides:
            if not isinstance(side, exp.Literal) or not side.is_string:
                continue
            for name in names:
                if side.name not in enums[name]:
                    yield f"'{side.name}' is not a {name}{_near(side.name, enums[name])}"


def _enum_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The values of each ENUM column, by its name: the store has one ENUM for each concept."""
    columns = connection.execute(
        """
        SELECT DISTINCT ON (column_name) column_name, schema_name || '."' || replace(table_name, '"', '""') || '"'
        FROM duckdb_columns()
        WHERE database_name = current_database() AND schema_name IN ('e_mm1_100m', 'e_mm1_1m', 'eshot')
            AND data_type LIKE 'ENUM(%'
        """
    ).fetchall()
    types = {name: connection.table(table).select(name).types[0] for name, table in columns}
    return {name: [str(value) for value in dict(kind.children)["values"]] for name, kind in types.items()}  # type: ignore[union-attr]


def _near(value: str, values: list[str]) -> str:
    """The values that someone may have meant.

    >>> _near("coco", ["AudioCaps", "COCO"]), _near("x", ["AudioCaps", "COCO"])
    (", but 'COCO' is", '; it is one of AudioCaps, COCO')
    """
    folded = {each.casefold(): each for each in values}
    near = get_close_matches(value.casefold(), folded)
    near += [each for each in folded if value.casefold() in each and each not in near]
    if near:
        listed = ", ".join(f"'{folded[each]}'" for each in near[:LISTED])
        return f", but {listed} {'is' if len(near) == 1 else 'are'}"
    more = ", …" if len(values) > LISTED else ""
    return f"; it is one of {', '.join(values[:LISTED])}{more}"


def _ids_without_vectors(connection: duckdb.DuckDBPyConnection, query: exp.Expr) -> Iterator[str]:
    """Calls of embedding() with an id that has no vector: a search by NULL finds nothing."""
    from sqlglot import exp

    for call in query.find_all(exp.Anonymous):
        if call.name.lower() != "embedding" or not all(isinstance(each, exp.Literal) for each in call.expressions):
            continue
        name, item = (each.name for each in call.expressions)
        if connection.execute("SELECT embedding($name, $id::BIGINT) IS NULL", {"name": name, "id": item}).fetchall()[0][
            0
        ]:
            yield f"the embeddings '{name}' have no vector with the id {item}"


def _empty_tables(connection: duckdb.DuckDBPyConnection, query: exp.Expr) -> Iterator[str]:
    from sqlglot import exp

    for table in query.find_all(exp.Table):
        function = table.this.name if isinstance(table.this, exp.Anonymous) else ""
        name = f"{table.db}.{table.name}" if table.db else SOURCES.get(function or table.name, table.name)
        if name in FILLED and not connection.table(name).limit(1).fetchall():
            yield FILLED[name]
        schema, _, bare = name.rpartition(".")
        if (
            schema in {"e_mm1_100m", "e_mm1_1m", "eshot"}
            and not connection.table(f'{schema}."{bare}"').limit(1).fetchall()
        ):
            yield f"{name} is empty in this store: its file was not there, or left out, when the store was built"
