"""The page about SQL: from the catalog of a store, and from the comments of the extension's functions."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
from docs.generate.markdown import page, table

from emm1.dataset import SCHEMAS

FUNCTIONS = Path(__file__).parents[2] / "rust/emm1-duckdb/src/functions"
# A module of functions says what they are in its first lines: `emm1_ids(file) -> BIGINT[]`: the ids of a file.
DESCRIBED = re.compile(r"`(emm1_\w+)(\([^`]*\)) -> ([^`]+)`: (.+?)(?=(?: - `emm1_)|$)")
# The comment of what only macros of a store use begins with it.
INTERNAL = "Internal: "
ABOUT = (
    "Every table, view, macro and function that a store and the extension have. [The guide](../guide/sql.md) has examples, and\n"
    "[says](../guide/sql.md#arguments) how arguments and results behave; [the store](../format/store.md) is specified as a format.\n"
    "`duckdb_tables()`, `duckdb_views()`, `duckdb_columns()` and `duckdb_functions()` give the same comments in every client."
)
ON_NAMES = "On registered names. An argument may be given by its name."
ON_FILES = (
    "A file is a path to [an embedding file](../guide/embeddings.md), or `FILE?ids=IDS?codes=CODES`;\n"
    "[the guide](../guide/sql.md#functions-on-files) says more. Metrics are `cosine`, `dot` and `l2`."
)


def sql_page(store: Path) -> str:
    """The page.

    Args:
        store: a store, whatever rows it has.
    """
    with duckdb.connect(str(store), read_only=True) as connection:
        macros = [*_macros(connection)]
        tables = [*_tables(connection)]
    functions = [
        (f"`{name}{parameters}`", f"`{result}`", text[0].upper() + text[1:])
        for name, parameters, result, text in described()
        if not text.startswith(INTERNAL)
    ]
    internal = [name.partition("(")[0] for name, comment in macros if comment.startswith(INTERNAL)]
    internal += [name for name, _, _, text in described() if text.startswith(INTERNAL)]
    return page(
        "SQL reference",
        ABOUT,
        [
            "## Tables and views",
            *tables,
            "## Macros",
            ON_NAMES,
            table(("macro", "gives"), ((f"`{name}`", text) for name, text in macros if not text.startswith(INTERNAL))),
            "## Functions on files",
            ON_FILES,
            table(("function", "returns", "gives"), functions),
            "## Internal",
            f"What only the macros use: {', '.join(f'`{name}`' for name in internal)}.",
        ],
    )


def described() -> Iterator[tuple[str, str, str, str]]:
    """The functions of the extension: name, parameters, type of the result, and what they give."""
    for path in sorted(FUNCTIONS.glob("*.rs")):
        lines = path.read_text(encoding="utf-8").splitlines()
        text = " ".join(line.removeprefix("//!").strip() for line in lines if line.startswith("//!"))
        yield from (found.groups() for found in DESCRIBED.finditer(text))  # type: ignore[misc]


def _tables(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    enums = {
        "ENUM(" + ", ".join("'" + label.replace("'", "''") + "'" for label in labels) + ")": name
        for name, labels in connection.execute(
            "SELECT type_name, labels FROM duckdb_types() WHERE NOT internal"
        ).fetchall()
    }
    query = """
        FROM (
            SELECT schema_name, table_name AS name, 'table' AS kind, comment FROM duckdb_tables() WHERE NOT internal
            UNION ALL
            SELECT schema_name, view_name, 'view', comment FROM duckdb_views() WHERE NOT internal
        ) ORDER BY list_position($schemas, schema_name), kind, name"""
    order = ["main", *SCHEMAS.values()]
    for schema, name, kind, comment in connection.execute(query, {"schemas": order}).fetchall():
        columns = connection.execute(
            "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? ORDER BY column_index",
            [schema, name],
        ).fetchall()
        full = name if schema == "main" else f"{schema}.{name}"
        rows = ((f"`{column}`", enums.get(of_type, of_type), said) for column, of_type, said in columns)
        yield f"### `{full}` ({kind})\n\n{comment}.\n\n{table(('column', 'type', 'meaning'), rows)}"


def _macros(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """The macros of a store with their parameters, as their errors write these, and their comments."""
    query = """
        SELECT function_name, parameters, macro_definition, comment FROM duckdb_functions()
        WHERE NOT internal AND function_type IN ('macro', 'table_macro') ORDER BY function_name"""
    found = connection.execute(query).fetchall()
    definitions = "\n".join(definition for _, _, definition, _ in found)
    for name, parameters, _, comment in found:
        typed = re.search(rf"\b{name}\(([^']*)\): ", definitions)
        yield f"{name}({typed[1] if typed else ', '.join(parameters)})", comment
