"""Carries users' objects over to the store that replaces theirs, and names those that cannot be carried over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import duckdb
from sqlglot import exp, tokenize

from emm1.errors import StoreError
from emm1.ingest.enums import PUBLISHED
from emm1.ingest.own_tables import names_of_users
from emm1.ingest.reuse import PREVIOUS, attached, versions_of_previous
from emm1.store.database import SCHEMA_VERSION, UNSIGNED
from emm1.store.extension import load_extension

# Macros that only older schema versions have: no user made them.
FORMER = {"embeddings_called", "registered_embeddings", "rooted_path", "store_file", "unknown_embedding"}
RENAME = "emm1 makes a table of this name: rename yours"
# Errors that are not about an object: DuckDB could not continue.
UNRELATED = (duckdb.OutOfMemoryException, duckdb.InterruptException, duckdb.FatalException, duckdb.InternalException)


class ObjectName(NamedTuple):
    """Identifies an object: objects of different kinds may have the same name."""

    kind: str
    schema: str | None
    name: str

    def __str__(self) -> str:
        """For people."""
        kind = "macro" if self.kind == "MACRO TABLE" else self.kind.lower()
        return f"{kind} {self.name}" if self.schema in (None, "main") else f"{kind} {self.schema}.{self.name}"


@dataclass(frozen=True)
class CatalogEntry:
    """An object of a database, with the statement that makes it, where DuckDB knows it, and its comment."""

    key: ObjectName
    sql: str | None
    comment: str | None


@dataclass
class CarriedOver:
    """What users made in a store.

    Attributes:
        carried: what was made again in the store that replaces it.
        lost: what could not be, and why.
    """

    carried: list[ObjectName] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What to tell about it."""
        kept = f"carried over what you had made: {_listed(map(str, self.carried))}"
        gone = [f"dropped: {what} ({why})" for what, why in self.lost.items()]
        return [kept, *gone] if self.carried else gone


def carry_over(connection: duckdb.DuckDBPyConnection, store: Path, folder: Path, *, drop: bool) -> CarriedOver:
    """Recreate users' objects in the new store: schemas, types, sequences, tables, views, macros, indexes.

    Args:
        connection: to the new store, which is complete otherwise.
        store: the store that it will replace.
        folder: for temporary files.
        drop: go on without what cannot be carried over.

    Raises:
        StoreError: something cannot be carried over, and `drop` is not set; names all of it.
    """
    with attached(connection, store):
        before, now = _catalog(connection, PREVIOUS), _catalog(connection, None)
        schema_version, emm1_version = versions_of_previous(connection)
        older = schema_version < SCHEMA_VERSION
        same = not older and emm1_version == version("emm1")
        users = names_of_users(connection)
        in_the_way = {
            key
            for key in before
            if key.kind in ("TABLE", "VIEW") and key.schema == "main" and key.name.lower() in users
        }
        lost = _replaced(before, now, same=same) | _columns_added(connection, users)
        carried_over = CarriedOver(lost=lost | {f"your {key}": RENAME for key in in_the_way})
    former = FORMER if older else set()
    entries = [
        entry for key, entry in before.items() if key not in now and key.name not in former and key not in in_the_way
    ]
    if any(entry.key.kind.startswith("MACRO") for entry in entries):
        texts = _macros(store, _name(connection), folder / "macros")
        entries = [replace(entry, sql=entry.sql or texts.get(entry.key)) for entry in entries]
    if entries:
        with attached(connection, store):
            _make_all(connection, entries, carried_over)
    if carried_over.lost and not drop:
        listing = "".join(f"\n  {what}: {why}" for what, why in carried_over.lost.items())
        raise StoreError(
            f"{store} holds objects of its users that cannot be carried over to the new store:{listing}\n"
            "It was not changed. Save what you need, then go on without these",
            drop_own=True,
        )
    return carried_over


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    most = 10
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _text(name: str) -> str:
    return (files("emm1") / "sql" / "build" / name).read_text(encoding="utf-8")


def _catalog(connection: duckdb.DuckDBPyConnection, database: str | None) -> dict[ObjectName, CatalogEntry]:
    """Everything in a database except DuckDB's own objects; None is the database in use."""
    rows = connection.execute(_text("catalog.sql"), {"database": database or _name(connection)}).fetchall()
    return {ObjectName(*names): CatalogEntry(ObjectName(*names), sql, comment) for *names, sql, comment in rows}


def _name(connection: duckdb.DuckDBPyConnection) -> str:
    """DuckDB's name for the new store and for the previous one: their files have the same name."""
    ((name,),) = connection.execute("SELECT current_database()").fetchall()
    return str(name)


def _replaced(
    before: dict[ObjectName, CatalogEntry], now: dict[ObjectName, CatalogEntry], *, same: bool
) -> dict[str, str]:
    """emm1's objects that a user replaced: CREATE OR REPLACE drops the comment.

    IMPORT DATABASE drops all comments, which says nothing about any object.

    Args:
        before: the objects of the previous store.
        now: those of the new store.
        same: whether the same version of emm1 made both, with the same comments.
    """
    shared = [key for key in before if key in now and now[key].comment is not None]
    if all(before[key].comment is None for key in shared):
        return {}
    return {
        f"your {key}": "emm1 makes one of this name: rename yours (or, if you only changed the comment of emm1's, your comment is not kept)"
        for key in shared
        if before[key].comment is None or (same and before[key].comment != now[key].comment)
    }


def _columns_added(connection: duckdb.DuckDBPyConnection, users: set[str]) -> dict[str, str]:
    """Columns that a user added to emm1's tables: no published file had them.

    Args:
        connection: to the new store; the previous one is attached.
        users: names of emm1's tables and columns that a user had given to others before.
    """
    parameters = {"previous": PREVIOUS, "published": PUBLISHED, "users": sorted(users)}
    return {
        f"column {column} of {schema}.{table}": "columns added to the tables of emm1 are not carried over: keep yours in a table of "
        "your own, with the ids"
        for schema, table, column in connection.execute(_text("added_columns.sql"), parameters).fetchall()
    }


def _macros(store: Path, name: str, folder: Path) -> dict[ObjectName, str]:
    """The statements that make a store's macros, with the defaults of their parameters, which only EXPORT writes.

    EXPORT writes every row too, so it is given an empty copy, under the same name, which defaults may contain. The copy
    is made in a separate DuckDB instance: some versions fail fatally on a type that is made of another type.

    Args:
        store: its file.
        name: DuckDB's name for it.
        folder: where EXPORT writes.
    """
    empty, before = (exp.to_identifier(database, quoted=True).sql("duckdb") for database in (name, PREVIOUS))
    with duckdb.connect(config={**UNSIGNED}) as connection:
        load_extension(connection)
        try:
            connection.execute(exp.Command(this="ATTACH", expression=f"':memory:' AS {empty}").sql("duckdb"))
            with attached(connection, store):
                copy = exp.Command(this="COPY FROM DATABASE", expression=f"{before} TO {empty} (SCHEMA)")
                connection.execute(copy.sql("duckdb"))
            for schema, table in _referring_to_themselves(connection, name):  # EXPORT refuses these
                refused = exp.table_(table, db=schema, catalog=name, quoted=True).sql("duckdb")
                connection.execute(exp.Command(this="DROP TABLE", expression=refused).sql("duckdb"))
            place = exp.Literal.string(str(folder)).sql("duckdb")
            connection.execute(exp.Command(this="EXPORT DATABASE", expression=f"{empty} TO {place}").sql("duckdb"))
        except duckdb.Error:
            return {}
        statements = connection.extract_statements((folder / "schema.sql").read_text(encoding="utf-8"))
    found = (_macro(statement.query) for statement in statements)
    return {key: text for key, text in found if key is not None}


def _macro(statement: str) -> tuple[ObjectName | None, str]:
    """The name of the macro that a statement creates; None if it creates something else."""
    tokens = [token.text for token in tokenize(statement, "duckdb")]
    if tokens[:2] != ["CREATE", "MACRO"]:
        return None, statement
    schema, name = ("main", tokens[2]) if tokens[3] != "." else (tokens[2], tokens[4])
    begin = tokens.index("(")
    depth = 0
    for end in range(begin, len(tokens)):
        depth += (tokens[end] == "(") - (tokens[end] == ")")
        if not depth:
            break
    kind = "MACRO TABLE" if tokens[end + 1 : end + 3] == ["AS", "TABLE"] else "MACRO"
    return ObjectName(kind, schema, name), statement


def _make_all(connection: duckdb.DuckDBPyConnection, entries: list[CatalogEntry], carried_over: CarriedOver) -> None:
    """Create objects, and retry those that failed as long as others succeed: one may need another."""
    while entries:
        why: dict[ObjectName, str] = {}
        for entry in entries:
            kind, schema, name = entry.key
            stored = _stored_columns(connection, str(schema), name) if kind == "TABLE" else []
            try:
                with _all_or_nothing(connection):
                    _make(connection, entry, stored)
            except UNRELATED:
                raise
            except duckdb.Error as error:
                if isinstance(error, duckdb.IOException) and kind == "TABLE":
                    raise  # the disk is full
                why[entry.key] = str(error).splitlines()[0]
            else:
                carried_over.carried.append(entry.key)
        if len(why) == len(entries):
            carried_over.lost |= {f"your {key}": text for key, text in why.items()}
            return
        entries = [entry for entry in entries if entry.key in why]


@contextmanager
def _all_or_nothing(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _make(connection: duckdb.DuckDBPyConnection, entry: CatalogEntry, stored: Iterable[str]) -> None:
    """Create one object with its comments; a table also with the rows of its stored columns."""
    kind, schema, name = entry.key
    if kind == "SCHEMA":
        whole = exp.Table(db=exp.to_identifier(name, quoted=True))
        connection.execute(exp.Create(this=whole, kind=kind).sql("duckdb"))
    elif kind == "TYPE":
        _make_type(connection, entry.key)
    elif entry.sql is None:
        raise duckdb.CatalogException(
            "this version of DuckDB cannot export how it was made: keep your own copy of its definition"
        )
    elif kind == "SEQUENCE":  # its statement lacks the schema
        with _in_schema(connection, str(schema)):
            connection.execute(entry.sql)
    else:
        connection.execute(entry.sql)
    if kind == "TABLE":
        _copy_rows(connection, str(schema), name, stored)
    if entry.comment is not None:
        _comment(connection, kind, exp.table_(name, db=schema, quoted=True), entry.comment)
    if kind in ("TABLE", "VIEW"):
        for column, comment in _columns(connection, str(schema), name, "comment"):
            if comment is not None:
                _comment(connection, "COLUMN", exp.column(column, table=name, db=schema, quoted=True), comment)


def _make_type(connection: duckdb.DuckDBPyConnection, key: ObjectName) -> None:
    before = exp.table_(key.name, db=key.schema, catalog=PREVIOUS, quoted=True)
    typeof = exp.select(exp.func("typeof", exp.Cast(this=exp.null(), to=before)))
    ((text,),) = connection.execute(typeof.sql("duckdb")).fetchall()
    name = exp.table_(key.name, db=key.schema, quoted=True)
    connection.execute(exp.Create(kind="TYPE", this=name, expression=exp.var(text)).sql("duckdb"))


@contextmanager
def _in_schema(connection: duckdb.DuckDBPyConnection, schema: str) -> Iterator[None]:
    connection.execute("SET schema = ?", [exp.to_identifier(schema, quoted=True).sql("duckdb")])
    try:
        yield
    finally:
        connection.execute("SET schema = 'main'")


def _copy_rows(connection: duckdb.DuckDBPyConnection, schema: str, table: str, names: Iterable[str]) -> None:
    """Fill a table with the rows that it had; generated columns are computed again.

    Where a foreign key refers to the table itself, rows are copied one at a time: a row sees only those that earlier
    statements wrote.
    """
    columns = [exp.to_identifier(name, quoted=True) for name in names]
    before = exp.table_(table, db=schema, catalog=PREVIOUS, quoted=True)
    rows = exp.select(*map(exp.column, columns)).from_(before)
    into = exp.Schema(this=exp.table_(table, db=schema, quoted=True), expressions=columns)
    if (schema, table) not in _referring_to_themselves(connection, PREVIOUS):
        connection.execute(exp.Insert(this=into, expression=rows).sql("duckdb"))
        return
    one = exp.Insert(this=into, expression=rows.where("rowid = ?")).sql("duckdb")
    order = exp.select("rowid").from_(before).order_by("rowid").sql("duckdb")
    for place in connection.execute(order).fetchall():
        connection.execute(one, place)


def _referring_to_themselves(connection: duckdb.DuckDBPyConnection, database: str) -> list[tuple[str, str]]:
    """The tables with a foreign key to themselves: schema and name."""
    query = (
        exp.select("schema_name", "table_name")
        .from_(exp.func("duckdb_constraints"))
        .where("constraint_type = 'FOREIGN KEY' AND referenced_table = table_name AND database_name = $database")
    )
    return connection.execute(query.sql("duckdb"), {"database": database}).fetchall()


def _stored_columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[str]:
    """The columns of a table of the previous store, without generated ones.

    DuckDB lists a default and the expression of a generated column alike. An insert tells them apart: it is refused for a
    generated column before it is refused because the store is open read-only.
    """
    stored = []
    for column, default in _columns(connection, schema, table, "column_default"):
        into = exp.Schema(
            this=exp.table_(table, db=schema, catalog=PREVIOUS, quoted=True),
            expressions=[exp.to_identifier(column, quoted=True)],
        )
        try:
            if default is not None:
                connection.execute(exp.Insert(this=into, expression=exp.select("NULL")).sql("duckdb"))
        except duckdb.BinderException:
            continue
        except duckdb.Error:
            pass
        stored.append(column)
    return stored


def _columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str, what: str) -> list[tuple[str, str | None]]:
    """The columns of a table or view of the previous store, each with one attribute of `duckdb_columns`."""
    query = (
        exp.select("column_name", what)
        .from_(exp.func("duckdb_columns"))
        .where("database_name = $database AND schema_name = $schema AND table_name = $table")
        .order_by("column_index")
    )
    parameters = {"database": PREVIOUS, "schema": schema, "table": table}
    return connection.execute(query.sql("duckdb"), parameters).fetchall()


def _comment(connection: duckdb.DuckDBPyConnection, kind: str, name: exp.Expression, comment: str) -> None:
    text = exp.Literal.string(comment)
    connection.execute(exp.Comment(this=name, kind=kind, expression=text).sql("duckdb"))
