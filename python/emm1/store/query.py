"""What a caller may run as a query: one statement that only reads."""

from __future__ import annotations

import json
import re

import duckdb

from emm1.checks import check_text, shown
from emm1.errors import StoreError

NAME = re.compile(r"\s*(?:(\w+)\.)?(\w+)\s*")


def check_query(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Refuse what is not one query; returns whether it orders its rows.

    Raises:
        emm1.errors.StoreError: it is none, several, or a statement that does something else.
    """
    ((text,),) = connection.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchall()
    parsed = json.loads(text)
    if parsed["error"]:
        if parsed["error_type"] == "not implemented":
            raise StoreError(
                "one query is wanted, which begins with SELECT, FROM or WITH, not a statement that does something else"
            )
        raise StoreError(f"the query cannot be run: {parsed['error_message']}")
    statements = parsed["statements"]
    if len(statements) != 1:
        raise StoreError(f"one query is wanted, not {len(statements)}")
    return any(modifier["type"] == "ORDER_MODIFIER" for modifier in statements[0]["node"]["modifiers"])


def query_of(text: str) -> str:
    """A query as it is, or the query for all rows of a table or view that is named.

    >>> query_of("e_mm1_100m.text"), query_of("SELECT 1")
    ('SELECT * FROM "e_mm1_100m"."text"', 'SELECT 1')
    """
    if not isinstance(text, str) or not text.strip():
        raise StoreError(f"a query or the name of a table or view is wanted, not {shown(text)}")
    check_text(text, StoreError)
    named = NAME.fullmatch(text)
    if named is None:
        return text
    from sqlglot import exp

    return exp.select("*").from_(exp.table_(named[2], db=named[1], quoted=True)).sql("duckdb")
