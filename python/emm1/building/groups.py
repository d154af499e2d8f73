"""Load a file of groups the fast way: 264 MB of digits, parsed natively. What is not plainly that goes the general way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1._native import parse_integers
from emm1.building.tables import read_header

if TYPE_CHECKING:
    from emm1.building.sources import Source

Columns = dict[str, NDArray[np.int32]]
NAMES = {
    "encord_text_id",
    "encord_video_id",
    "encord_audio_id",
    "encord_image_id",
    "encord_points_id",
    "nn_index",
}
# Rows that one DuckDB thread takes at a time: a row group.
BATCH = 122_880


def parse_groups(source: Source) -> Columns | None:
    """The columns of a file of groups, where every field is digits, the rank is the folder's and captions ascend.

    None where anything is otherwise: the general loader then reads the file, and says what is wrong if it is.
    """
    header = read_header(source.path)
    if set(header) != NAMES or len(header) != len(NAMES):
        return None
    # Not mapped: a file that shrinks under a map ends the process.
    data = source.path.read_bytes()
    start = data.find(b"\n") + 1 or len(data)
    parsed = parse_integers(np.frombuffer(data, np.uint8)[start:], len(header))
    if parsed is None:
        return None
    columns = dict(zip(header, parsed, strict=True))
    captions = columns["encord_text_id"]
    if not (columns["nn_index"] == source.rank).all() or not (captions[1:] > captions[:-1]).all():
        return None
    return columns


def insert_groups(connection: duckdb.DuckDBPyConnection, columns: Columns) -> int:
    """Append parsed groups to their table; returns the number of rows."""
    table = pa.table(columns)
    batches = pa.Table.from_batches(table.to_batches(max_chunksize=BATCH), schema=table.schema)
    connection.register("parsed_groups", batches)
    connection.execute("INSERT INTO e_mm1_100m.groups BY NAME FROM parsed_groups")
    connection.unregister("parsed_groups")
    return len(columns["nn_index"])
