"""The items of the Hub's files: each once, though it is in many rows, and what rows say differently of one item."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files as resources

import duckdb
from sqlglot import exp

from emm1.checks import shown
from emm1.errors import SourceError
from emm1.ingest.hub.columns import HubFile, path_columns
from emm1.ingest.hub.queries import item_columns, items, place, quoted

# Temporary tables: each id with the place of its first row and the range of the hashes of its rows; and all rows of the ids
# whose hashes differ.
SEEN, SEVERAL = "hub_seen", "hub_several"


@dataclass(frozen=True)
class FoundItems:
    """The items of a modality.

    Attributes:
        modality: the modality.
        columns: their columns in the store, besides the id.
        query: a query of ``id`` and these columns, one row for each item.
        notes: what rows say differently of one item, and unusual paths, in words.
    """

    modality: str
    columns: list[str]
    query: exp.Select
    notes: list[str]


@contextmanager
def found_items(
    connection: duckdb.DuckDBPyConnection, files: Sequence[HubFile], modality: str, known: Collection[str]
) -> Iterator[FoundItems | None]:
    """The items of a modality in the files, while the block runs; None if no file has items of it.

    Where rows differ, the first row of the first file counts.

    Args:
        connection: of the new store.
        files: the files, in order.
        modality: the modality.
        known: the columns of its table; others are left out if no item has a value.

    Raises:
        SourceError: an item has two file paths.
    """
    every = items(files, modality)
    if every is None:
        yield None
        return
    columns = item_columns(files, modality)
    try:
        connection.execute(build_query("hub_paths"))
        _create(connection, SEEN, _seen(every, columns))
        notes = [
            *_differences(connection, files, modality, every, columns),
            *_unusual_folders(connection, modality, every, columns),
        ]
        values = _values(connection, every, columns, known)
        each = exp.select(exp.column("id", table="each"), *(value.as_(quoted(name)) for name, value in values.items()))
        each = each.from_(every.subquery("each")).join(SEEN, using=["id", "place"])
        yield FoundItems(modality, list(values), each, notes)
    finally:
        connection.execute(build_query("hub_done"))


def build_query(name: str) -> str:
    """A query of the build, from its file."""
    return (resources("emm1") / "sql" / "build" / f"{name}.sql").read_text(encoding="utf-8")


def _create(connection: duckdb.DuckDBPyConnection, table: str, query: exp.Query) -> None:
    temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
    created = exp.Create(kind="TABLE", this=exp.to_table(table), expression=query, properties=temporary)
    connection.execute(created.sql("duckdb"))


def _seen(every: exp.Query, columns: Sequence[str]) -> exp.Select:
    """Each id once: numbers only, which DuckDB spills to disk, as it does not the states of aggregates over text."""
    row = exp.func("hash", *(exp.column(quoted(name)) for name in columns))
    return (
        exp.select(
            "id",
            exp.Min(this=exp.column("place")).as_("place"),
            exp.Min(this=row).as_("low"),
            exp.Max(this=row.copy()).as_("high"),
        )
        .from_(every.subquery("each"))
        .group_by("id")
    )


def _differences(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[HubFile],
    modality: str,
    every: exp.Query,
    columns: Sequence[str],
) -> list[str]:
    """What rows say differently of one item.

    Raises:
        SourceError: an item has two file paths.
    """
    differing = exp.select("id").from_(SEEN).where(exp.column("low").neq(exp.column("high")))
    if not connection.execute(differing.limit(1).sql("duckdb")).fetchall():
        return []
    several = exp.select("*", _path(columns).as_("path")).from_(every.subquery("each"))
    _create(connection, SEVERAL, several.where(exp.column("id").isin(query=differing)))
    for id_, *rows in connection.execute(build_query("hub_two_paths")).fetchall():
        first, second = (_said(files, *rows[at : at + 2]) for at in (0, 2))
        raise SourceError(
            f"{modality} {id_} has two file paths, {first} and {second}: one of the files is damaged, or they are of "
            "different versions"
        )
    return [
        f"{count:,} {modality} items differ in {name} between rows, and the first counts: {modality} {example['id']} is "
        f"{_said(files, example['before'], example['first'])} and {_said(files, example['value'], example['place'])}"
        for name, count, example in connection.execute(build_query("hub_differences")).fetchall()
    ]


def _path(columns: Sequence[str]) -> exp.Expr:
    """The path of an item's file; NULL for captions, which have none."""
    parts = [exp.column(quoted(name)) for name in path_columns(columns) if name in columns]
    if len(parts) > 1:
        slash = exp.DPipe(this=parts[0], expression=exp.Literal.string("/"))
        return exp.DPipe(this=slash, expression=parts[1])
    return parts[0] if parts else exp.cast(exp.null(), "VARCHAR")


def _said(files: Sequence[HubFile], value: str | None, number: int) -> str:
    """A value and the row that has it."""
    return f"{'NULL' if value is None else shown(value, 90)} ({place(files, number)})"


def _values(
    connection: duckdb.DuckDBPyConnection, every: exp.Query, columns: Sequence[str], known: Collection[str]
) -> dict[str, exp.Expr]:
    """The values of the store's columns, by their names."""
    values: dict[str, exp.Expr] = {name: exp.column(quoted(name)) for name in columns}
    if "file_path" in values and path_columns(columns) == ("file_path",):
        path = values.pop("file_path")
        values["save_folder"] = exp.func("path_folder", path)
        values["file_name"] = exp.func("path_name", path.copy())
    unknown = [name for name in values if name not in known]
    if unknown:
        some = [exp.func("bool_or", values[name].is_(exp.null()).not_()) for name in unknown]
        found = connection.execute(exp.select(*some).from_(every.subquery("each")).sql("duckdb")).fetchall()[0]
        for name, has_values in zip(unknown, found, strict=True):
            if not has_values:
                del values[name]
    return values


def _unusual_folders(
    connection: duckdb.DuckDBPyConnection, modality: str, every: exp.Query, columns: Sequence[str]
) -> list[str]:
    if "file_path" not in columns or path_columns(columns) != ("file_path",):
        return []
    path = exp.column("file_path")
    folder = exp.func("path_between", path)
    query = exp.select(
        folder.as_("folder"), exp.Count(this=exp.Distinct(expressions=[exp.column("id")])), exp.Min(this=path)
    )
    query = (
        query.from_(every.subquery("each")).where(folder.neq(exp.Literal.string(modality))).group_by("1").order_by("1")
    )
    return [
        f"the paths of {count:,} {modality} items have {between}/ where the store's have {modality}/, such as {shown(example, 90)}"
        for between, count, example in connection.execute(query.sql("duckdb")).fetchall()
    ]
