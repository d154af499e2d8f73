"""Runs SQL in the installed DuckDB: reads a database and statements as JSON, and prints the rows of each as JSON."""

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
