"""Runs the statements of tests/sql/functions*.test in DuckDB with the extension under valgrind, which checks every access.

Run by hand (`PYTHONPATH=. python tests/campaigns/memory.py`); needs valgrind and takes some minutes. Only errors with a
frame of the extension in their stack count, not those inside Python, NumPy or DuckDB.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tests.python.store.test_sql import records, write_small_files

from emm1 import Embeddings
from emm1.store.extension import PATH

FUNCTIONS = sorted((Path(__file__).parents[1] / "sql").glob("functions*.test"))
CHILD = """
import duckdb, json, sys
connection = duckdb.connect(config={"allow_unsigned_extensions": True, "threads": 4})
connection.load_extension(sys.argv[1])
done = failed = 0
for sql in json.load(open(sys.argv[2])):
    try:
        connection.execute(sql).fetchall()
        done += 1
    except duckdb.Error:
        failed += 1
connection.close()
print(done, "statements answered,", failed, "refused")
"""


def statements(folder: Path) -> list[str]:
    """The statements of the test, and some over more rows than a chunk, with and without codes."""
    all_records = (record for file in FUNCTIONS for record in records(file, {"EMM1_FILES": folder}))
    made = [record.sql for record in all_records if record.only in (None, "extension")]
    large = folder / "large.npy"
    np.save(large, np.random.default_rng(1).normal(size=(3000, 40)).astype(np.float32))
    Embeddings(large).build_codes()
    for file in (large, f"{large}?codes="):
        made += [
            f"SELECT emm1_topk('{file}', vector, 5, 'cosine') FROM emm1_scan('{large}')",
            f"SELECT emm1_within('{file}', vector, 0.4, 'cosine') FROM emm1_scan('{large}') LIMIT 50",
            f"SELECT sum(score) FROM emm1_knn('{file}', '{file}', k := 3)",
            f"SELECT len(emm1_ids('{file}')), emm1_vector('{file}', i % 3100) FROM range(5000) t(i)",
            f"SELECT i % 7, emm1_centroid('{file}', i) FROM range(3000) t(i) GROUP BY ALL",
        ]
    return [sql for sql in made if sql and "external_access" not in sql]


def of_extension(report: str) -> Iterator[str]:
    """The errors of a report that have a frame of the extension in their stack."""
    for error in re.split(r"^==\d+== \n", report, flags=re.MULTILINE):
        if re.search(r"(Invalid|uninitialised|Mismatched|overlap)", error) and "emm1.duckdb_extension" in error:
            yield error


def main() -> None:
    """Run all statements and print the errors."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_small_files(folder)
        (folder / "statements.json").write_text(json.dumps(statements(folder)), encoding="utf-8")
        valgrind = ["valgrind", "--leak-check=no", "--num-callers=40", f"--log-file={folder / 'report'}"]
        child = [sys.executable, "-c", CHILD, str(PATH), str(folder / "statements.json")]
        environment = {**os.environ, "PYTHONMALLOC": "malloc", "EMM1_SIMD": os.environ.get("EMM1_SIMD", "avx2")}
        subprocess.run([*valgrind, *child], check=True, env=environment)
        report = (folder / "report").read_text(encoding="utf-8")
    errors = list(of_extension(report))
    print(*errors, sep="\n")
    print(len(errors), "errors of the extension;", report.strip().splitlines()[-1])
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
