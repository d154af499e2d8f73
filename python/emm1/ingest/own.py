"""What users made in a store is carried over to the one that takes its place; what cannot be is named."""

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
from emm1.ingest.keeping import PREVIOUS, attached
from emm1.store.database import SCHEMA_VERSION, UNSIGNED
from emm1.store.extension import load_extension

# Macros of older schema versions that are no more: they are no user's.
FORMER = {"embeddings_called", "registered_embeddings", "rooted_path", "store_file", "unknown_embedding"}
# What says nothing of an object: DuckDB could not go on.
UNRELATED = (duckdb.OutOfMemoryException, duckdb.InterruptException, duckdb.FatalException, duckdb.InternalException)


class Key(NamedTuple):
    """What names an object: two may have one name if they are of different kinds."""

    kind: str
    schema: str | None
    name: str

    def __str__(self) -> str:
        """For people."""
        kind = "macro" if self.kind == "MACRO TABLE" else self.kind.lower()
        return f"{kind} {self.name}" if self.schema in (None, "main") else f"{kind} {self.schema}.{self.name}"


@dataclass(frozen=True)
class Made:
    """An object of a database, and how it was made: the statement, as far as DuckDB says, and the comment."""

    key: Key
    sql: str | None
    comment: str | None


@dataclass
class Own:
    """What users made in a store.

    Attributes:
        carried: what was made anew in the store that takes its place.
        lost: what could not be, and why.
    """

    carried: list[Key] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What to tell about it."""
        kept = f"carried over what you had made: {_listed(map(str, self.carried))}"
        gone = [f"dropped: {what} ({why})" for what, why in self.lost.items()]
        return [kept, *gone] if self.carried else gone


def carry_over(connection: duckdb.DuckDBPyConnection, store: Path, folder: Path, *, drop: bool) -> Own:
    """Make anew what users made in a store: schemas, types, sequences, tables, views, macros, indexes.

    Args:
        connection: of the new store, which is whole but for that.
        store: the store that it is to take the place of.
        folder: for what is written on the way.
        drop: go on without what cannot be carried over.

    Raises:
        StoreError: something cannot be carried over, and is not to be dropped; names all of it.
    """
    with attached(connection, store):
        before, now = _catalog(connection, PREVIOUS), _catalog(connection, None)
        schema_version, emm1_version = _versions(connection)
        older = schema_version < SCHEMA_VERSION
        same = not older and emm1_version == version("emm1")
        own = Own(lost=_replaced(before, now, same=same) | _columns_added(connection))
    former = FORMER if older else set()
    theirs = [made for key, made in before.items() if key not in now and key.name not in former]
    if any(made.key.kind.startswith("MACRO") for made in theirs):
        texts = _macros(store, _name(connection), folder / "macros")
        theirs = [replace(made, sql=made.sql or texts.get(made.key)) for made in theirs]
    if theirs:
        with attached(connection, store):
            _make_all(connection, theirs, own)
    if own.lost and not drop:
        listing = "".join(f"\n  {what}: {why}" for what, why in own.lost.items())
        raise StoreError(
            f"{store} holds objects of its users that cannot be carried over to the new store:{listing}\n"
            "It was not changed. Save what you need, then go on without these",
            drop_own=True,
        )
    return own


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    most = 10
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _text(name: str) -> str:
    return (files("emm1") / "sql" / "build" / name).read_text(encoding="utf-8")


def _catalog(connection: duckdb.DuckDBPyConnection, database: str | None) -> dict[Key, Made]:
    """Everything that is not DuckDB's own in a database; None for the one in use."""
    rows = connection.execute(_text("catalog.sql"), {"database": database or _name(connection)}).fetchall()
    return {Key(*names): Made(Key(*names), sql, comment) for *names, sql, comment in rows}


def _name(connection: duckdb.DuckDBPyConnection) -> str:
    """What DuckDB calls the new store, and called the store before: their files have one name."""
    ((name,),) = connection.execute("SELECT current_database()").fetchall()
    return str(name)


def _versions(connection: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    """The schema version of the store before, and the version of emm1 that made it."""
    table = exp.table_("emm1_store", db="main", catalog=PREVIOUS)
    query = exp.select("schema_version", "emm1_version").from_(table)
    ((schema_version, emm1_version),) = connection.execute(query.sql("duckdb")).fetchall()
    return schema_version, emm1_version


def _replaced(before: dict[Key, Made], now: dict[Key, Made], *, same: bool) -> dict[str, str]:
    """Objects of emm1's that a user put others in place of: CREATE OR REPLACE takes the comment away.

    IMPORT DATABASE takes all comments away, which says nothing of any object.

    Args:
        before: of the store before.
        now: of the new store.
        same: one version of emm1 made both, and so the same comments.
    """
    shared = [key for key in before if key in now and now[key].comment is not None]
    if all(before[key].comment is None for key in shared):
        return {}
    return {
        f"your {key}": "emm1 makes one of this name: rename yours (or, if you only changed the comment of emm1's, your comment is not kept)"
        for key in shared
        if before[key].comment is None or (same and before[key].comment != now[key].comment)
    }


def _columns_added(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Columns that a user added to tables of emm1's: those that no published file had."""
    parameters = {"previous": PREVIOUS, "published": PUBLISHED}
    return {
        f"column {column} of {schema}.{table}": "columns added to the tables of emm1 are not carried over: keep yours in a table of "
        "your own, with the ids"
        for schema, table, column in connection.execute(_text("added_columns.sql"), parameters).fetchall()
    }


def _macros(store: Path, name: str, folder: Path) -> dict[Key, str]:
    """The statements that make a store's macros, with their parameters' defaults, which only EXPORT tells.

    EXPORT writes every row too, so it gets an empty copy, of the same name, which defaults may say. A DuckDB of its own
    makes it: some versions cannot copy a type that is made of another type, and end.

    Args:
        store: its file.
        name: what DuckDB calls it.
        folder: for what EXPORT writes.
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


def _macro(statement: str) -> tuple[Key | None, str]:
    """The name of what a statement makes; None where that is no macro."""
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
    return Key(kind, schema, name), statement


def _make_all(connection: duckdb.DuckDBPyConnection, theirs: list[Made], own: Own) -> None:
    """Make objects, retrying those that fail because another is missing, until no more can be made."""
    while theirs:
        why: dict[Key, str] = {}
        for made in theirs:
            kind, schema, name = made.key
            stored = _stored_columns(connection, str(schema), name) if kind == "TABLE" else []
            try:
                with _all_or_nothing(connection):
                    _make(connection, made, stored)
            except UNRELATED:
                raise
            except duckdb.Error as error:
                if isinstance(error, duckdb.IOException) and kind == "TABLE":
                    raise  # the disk is full
                why[made.key] = str(error).splitlines()[0]
            else:
                own.carried.append(made.key)
        if len(why) == len(theirs):
            own.lost |= {f"your {key}": text for key, text in why.items()}
            return
        theirs = [made for made in theirs if made.key in why]


@contextmanager
def _all_or_nothing(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _make(connection: duckdb.DuckDBPyConnection, made: Made, stored: Iterable[str]) -> None:
    """Make one object, with the rows of the stored columns where it is a table, and its comments."""
    kind, schema, name = made.key
    if kind == "SCHEMA":
        whole = exp.Table(db=exp.to_identifier(name, quoted=True))
        connection.execute(exp.Create(this=whole, kind=kind).sql("duckdb"))
    elif kind == "TYPE":
        _make_type(connection, made.key)
    elif made.sql is None:
        raise duckdb.CatalogException(
            "this version of DuckDB cannot export how it was made: keep your own copy of its definition"
        )
    elif kind == "SEQUENCE":  # its statement does not say the schema
        with _in_schema(connection, str(schema)):
            connection.execute(made.sql)
    else:
        connection.execute(made.sql)
    if kind == "TABLE":
        _copy_rows(connection, str(schema), name, stored)
    if made.comment is not None:
        _comment(connection, kind, exp.table_(name, db=schema, quoted=True), made.comment)
    if kind in ("TABLE", "VIEW"):
        for column, comment in _columns(connection, str(schema), name, "comment"):
            if comment is not None:
                _comment(connection, "COLUMN", exp.column(column, table=name, db=schema, quoted=True), comment)


def _make_type(connection: duckdb.DuckDBPyConnection, key: Key) -> None:
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
    """Fill a table with the rows that it had; generated columns are computed anew.

    Where a foreign key refers to the table itself, a row sees only those that earlier statements wrote: one at a time.
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
    """The columns of a table of the store before, but for generated ones.

    DuckDB lists a default and what generates a column alike, but says, before it says that the store is open for
    reading only, that nothing can be put into the latter.
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
    """The columns of a table or view of the store before, each with what DuckDB says of it."""
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
