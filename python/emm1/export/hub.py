"""The rows of groups or triplets in the columns of the dataset's edition on the Hub."""

from __future__ import annotations

import re
from importlib.resources import files

import duckdb
import pyarrow as pa

from emm1.dataset import GROUP_COLUMNS, TRIPLET_COLUMNS
from emm1.errors import StoreError

# The column that says in which file a row is; it is not in the files.
FILE = "emm1_file"
# Ids and times are int64 there, and texts large_string.
NUMBERS = re.compile(r"encord_.*_id|nn_index|annotation|(.*_)?(start|end)_time(_.*)?")


def hub_rows(connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The rows with all that the Hub's edition joins in, and the name of the file of each.

    Args:
        connection: the connection of the rows.
        relation: rows with the published columns of the groups or of the triplets; others are left out.

    Raises:
        StoreError: these columns are not there.
    """
    columns = {name.casefold() for name in relation.columns}
    for name, needed in (("hub_groups", GROUP_COLUMNS), ("hub_triplets", TRIPLET_COLUMNS)):
        if columns >= {*needed}:
            query = (files("emm1") / "sql" / "export" / f"{name}.sql").read_text(encoding="utf-8")
            emm1_rows = relation  # noqa: F841 - DuckDB finds it by its name; a view could not be made in a store for reading
            return connection.sql(query)
    raise StoreError(
        "the edition of the Hub has the groups and the triplets, so the rows need the columns "
        f"{', '.join(GROUP_COLUMNS)}, or {', '.join(TRIPLET_COLUMNS)}"
    )


def hub_type(name: str, kind: pa.DataType) -> pa.DataType:
    """The type that a column has on the Hub.

    >>> hub_type("nn_index", pa.int16()), hub_type("caption", pa.string())
    (DataType(int64), DataType(large_string))
    """
    if NUMBERS.fullmatch(name) and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return pa.int64()
    return pa.large_string() if pa.types.is_string(kind) and name != FILE else kind
