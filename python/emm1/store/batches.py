"""Rows of a relation, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa


def batches(relation: duckdb.DuckDBPyRelation, rows: int) -> pa.RecordBatchReader:
    """A reader of at most so many rows at a time, as the query gives them; DuckDB before 1.5 has it under another name."""
    read = getattr(duckdb.DuckDBPyRelation, "to_arrow_reader", None) or duckdb.DuckDBPyRelation.fetch_arrow_reader
    return cast("pa.RecordBatchReader", read(relation, rows))
