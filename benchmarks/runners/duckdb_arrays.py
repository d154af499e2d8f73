"""DuckDB: a table of arrays and array_inner_product, one query at a time."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.contenders import Search
from benchmarks.data import PART, Vectors


def start(path: Path, threads: int) -> Search:
    file = path.with_suffix(".duckdb")
    dims = np.load(path, mmap_mode="r").shape[1]
    if not file.exists():
        fill(file, np.load(path, mmap_mode="r"))
    connection = duckdb.connect(str(file), config={"threads": threads}, read_only=True)
    statement = f"""SELECT number FROM vectors
        ORDER BY array_inner_product(vector, $query::FLOAT[{dims}]) DESC, number LIMIT $k"""

    def search(queries: Vectors, k: int) -> Vectors:
        found = [
            connection.execute(statement, {"query": query.tolist(), "k": k}).fetchnumpy()["number"]
            for query in np.atleast_2d(queries)
        ]
        return np.array(found).reshape(*queries.shape[:-1], k)

    return search


def fill(file: Path, vectors: Vectors) -> None:
    new = file.with_suffix(".new.duckdb")
    new.unlink(missing_ok=True)
    with duckdb.connect(str(new)) as connection:
        connection.execute(f"CREATE TABLE vectors (number INTEGER, vector FLOAT[{vectors.shape[1]}])")
        for begin in range(0, len(vectors), PART):
            part = vectors[begin : begin + PART]
            arrays = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), part.shape[1])
            batch = pa.table({"number": range(begin, begin + len(part)), "vector": arrays})
            connection.register("batch", batch)
            connection.execute("INSERT INTO vectors FROM batch")
    new.rename(file)
