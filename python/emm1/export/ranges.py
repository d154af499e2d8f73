"""Rows of the groups in parts, a range of captions each, so that a join needs the texts of one part at a time."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import duckdb
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant

# Captions of a part: their texts take some 80 MB in a join.
CAPTIONS = 500_000
CAPTION = "encord_text_id"
GROUPS = {
    ("", "groups"),
    ("", "group_captions"),
    ("main", "groups"),
    ("main", "group_captions"),
    ("e_mm1_100m", "groups"),
}
# What may be in a query of which each row can be had by itself: no functions, for some give other values when called again.
PLAIN = {"BETWEEN", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "OPERATOR", "STAR"}


def in_ranges(
    connection: duckdb.DuckDBPyConnection, query: str, rows: duckdb.DuckDBPyRelation, captions: int = CAPTIONS
) -> list[duckdb.DuckDBPyRelation]:
    """The rows of a query in parts: all of them are each row once.

    All of a join's smaller sides have to fit into memory, or both sides go to the disk: of the groups with captions and paths,
    that is 19 GB. Without its captions the rest fits. A query that orders its rows, or that does more than select columns and rows of
    the groups, stays as it is.

    Args:
        connection: the connection of the rows, in a transaction if there are others that write.
        query: the query.
        rows: its rows, or some of them.
        captions: about how many captions the rows of a part have.
    """
    kinds = dict(zip(rows.columns, map(str, rows.types), strict=True))
    if kinds.get(CAPTION) != "INTEGER" or not _selects_groups(connection, query):
        return [rows]
    text = connection.table("e_mm1_100m.text")
    ((count, low, high),) = text.aggregate(f"count(*), min({CAPTION}), max({CAPTION})").fetchall()
    parts = -(-count // captions)
    if parts <= 1:
        return [rows]
    bounds = [Constant(low + (high - low) * part // parts) for part in range(1, parts)]
    column = Column(CAPTION)
    first = rows.filter(column.isnull() | (column < bounds[0]))
    between = [rows.filter((column >= low) & (column < high)) for low, high in pairwise(bounds)]
    return [first, *between, rows.filter(column >= bounds[-1])]


def _selects_groups(connection: duckdb.DuckDBPyConnection, query: str) -> bool:
    """Whether a query only selects columns and rows of the groups, in any order."""
    ((text,),) = connection.execute("SELECT json_serialize_sql($query)", {"query": query}).fetchall()
    node = json.loads(text)["statements"][0]["node"]
    table = node.get("from_table", {})
    return (
        node["type"] == "SELECT_NODE"
        and table["type"] == "BASE_TABLE"
        and (table["schema_name"].casefold(), table["table_name"].casefold()) in GROUPS
        and node["aggregate_handling"] == "STANDARD_HANDLING"
        and not any(node[key] for key in ("modifiers", "group_expressions", "having", "qualify", "sample"))
        and not (node["cte_map"]["map"] or table["sample"])
        and _is_plain(node)
    )


def _is_plain(node: Any) -> bool:
    if isinstance(node, dict):
        return node.get("class", "STAR") in PLAIN and all(map(_is_plain, node.values()))
    return not isinstance(node, list) or all(map(_is_plain, node))
