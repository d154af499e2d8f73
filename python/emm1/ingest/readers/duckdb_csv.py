"""Read any CSV file with DuckDB's reader: every value checked, unknown columns kept. It decides what is an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb
from sqlglot import exp, parse_one

from emm1.dataset import KEYS
from emm1.errors import SourceError
from emm1.ingest.columns import Column, has_rows
from emm1.ingest.diagnose import first_defect
from emm1.ingest.fingerprint import Digest, fingerprint
from emm1.ingest.readers.contract import NewStore, ReadResult
from emm1.ingest.sources import Source
from emm1.store.integrity import duplicates

# An empty field is NULL, a quoted empty one '', as Polars reads them; nothing is guessed.
READ_CSV = parse_one(
    """
    SELECT * FROM read_csv($path, columns = $columns, header = true, auto_detect = false, delim = ',',
        quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, strict_mode = true)
    """,
    dialect="duckdb",
)


def read_csv(new_store: NewStore, sources: Sequence[Source]) -> list[ReadResult] | None:
    """Append the rows of a file to its table.

    Returns:
        The result; None if there are several files, because each needs its own statement.

    Raises:
        SourceError: the file is not as expected; the message gives line, column and remedy.
    """
    if len(sources) > 1:
        return None
    (source,) = sources
    digest = new_store.begin(source)
    try:
        rows = _insert(new_store, source)
    except duckdb.IOException:
        fingerprint(source, Digest())  # says so if compressed data is not whole
        raise
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.ConstraintException) as error:
        raise SourceError(diagnosis(new_store, source) or f"{source.path}: {str(error).splitlines()[0]}") from error
    # DuckDB reads no row, and reports nothing, where an unquoted name of the header contains a quote.
    if not rows and has_rows(source.path):
        what = "no row could be read: look for stray quotes in the header"
        raise SourceError(diagnosis(new_store, source) or f"{source.path}, line 1: {what}")
    key = KEYS.get((source.split, source.table))
    if key and duplicates(new_store.connection, f"{source.schema}.{source.table}", key, source.rank):
        raise SourceError(diagnosis(new_store, source) or f"{source.path}: an id in column {key} appears twice")
    return [ReadResult(rows, fingerprint(source, digest))]


def diagnosis(new_store: NewStore, source: Source) -> str | None:
    """What is wrong with a file, as a message for people; None if nothing is found."""
    expected = {column.header: column.expected for column in new_store.columns[source.name]}
    if "annotation" in expected:
        query = "SELECT annotation::VARCHAR FROM e_mm1_1m.annotation_mapping"
        codes = {code for (code,) in new_store.connection.execute(query).fetchall()}
        expected["annotation"] = replace(expected["annotation"], allowed=codes or None)
    return first_defect(source.path, expected)


def _insert(new_store: NewStore, source: Source) -> int:
    columns = new_store.columns[source.name]
    query = READ_CSV.copy()
    query.set("expressions", [_value(source, column) for column in columns])
    insert = exp.Insert(this=exp.table_(source.table, db=source.schema), expression=query, by_name=True)
    types = {column.header: "VARCHAR" for column in columns}
    parameters = {"path": str(source.path), "columns": types}
    return int(new_store.connection.execute(insert.sql("duckdb"), parameters).fetchall()[0][0])


def _value(source: Source, column: Column) -> exp.Expr:
    """The expression that turns a field of the file into a value of the table."""
    field: exp.Expr = exp.column(exp.to_identifier(column.header, quoted=True))
    if column.expected.type in ("INTEGER", "SMALLINT"):
        field = exp.func("required_integer_field" if column.expected.required else "integer_field", field)
    elif column.expected.type == "DOUBLE":
        field = exp.func("number_field", field)
    if column.name == "nn_index":
        field = exp.func("rank_field", field, exp.Literal.number(source.rank or 0))
    elif column.name in ("paired_modality", "annotated_modality"):
        field = exp.func("triplet_modality_field", field)
    return exp.alias_(field, exp.to_identifier(column.name, quoted=True))
