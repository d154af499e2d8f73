"""Run SQL in whichever DuckDB is found first: JSON in, a database and statements, and JSON out, the rows of each."""

import json
import sys

import duckdb


def main() -> None:
    database, *statements = json.load(sys.stdin)
    config: dict[str, str | bool | int | float | list[str]] = {"allow_unsigned_extensions": True}
    with duckdb.connect(database, read_only=database != ":memory:", config=config) as connection:
        results = [connection.execute(statement).fetchall() for statement in statements]
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
