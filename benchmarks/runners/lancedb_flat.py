"""LanceDB: a table without an index, one query at a time. It uses as many threads as the process has processors."""

from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa

from benchmarks.contenders import Search
from benchmarks.data import PART, Vectors


def start(path: Path, _threads: int) -> Search:
    database = lancedb.connect(path.with_suffix(".lancedb"))
    if "vectors" not in database.list_tables().tables:
        vectors = np.load(path, mmap_mode="r")
        kind = pa.list_(pa.from_numpy_dtype(vectors.dtype), vectors.shape[1])
        schema = pa.schema([("row", pa.int64()), ("vector", kind)])
        parts = (
            pa.record_batch([pa.array(range(begin, begin + len(part))), fixed(part)], schema=schema)
            for begin in range(0, len(vectors), PART)
            for part in (vectors[begin : begin + PART],)
        )
        database.create_table("vectors", parts, schema=schema)
    table = database.open_table("vectors")

    def search(queries: Vectors, k: int) -> Vectors:
        found = [
            table.search(query).distance_type("dot").limit(k).select(["row", "_distance"]).to_arrow()["row"].to_numpy()
            for query in np.atleast_2d(queries)
        ]
        return np.array(found).reshape(*queries.shape[:-1], k)

    return search


def fixed(part: Vectors) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), part.shape[1])
