"""What a store holds, as the page shows it: items by their ids, captions in order, groups and rated triplets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

import duckdb
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from duckdb import FunctionExpression as Function
from duckdb import StarExpression as Star

from emm1.dataset import FILE_MODALITIES, KEYS, SCHEMAS, Split

# An item that is connected with very many others is shown with the first of them.
CONNECTED = 20


@dataclass(frozen=True)
class Item:
    """An item of a split.

    Attributes:
        dataset: the split.
        modality: its modality.
        id: its id, unique within both.
        columns: its published columns, without the id; empty if the store has no row for it.
        path: where its file is; None if the store has no path.
    """

    dataset: Split
    modality: str
    id: int
    columns: dict[str, Any] = field(default_factory=dict)
    path: str | None = None


@dataclass(frozen=True)
class Group:
    """The neighbours of a caption at one rank; None where the published row has none."""

    nn_index: int
    items: dict[str, Item | None]


@dataclass(frozen=True)
class Triplet:
    """A rated triplet, and its place in the published file."""

    place: int
    caption: Item | None
    paired: Item | None
    annotated: Item | None
    annotation: int | None
    label: str | None


@dataclass(frozen=True)
class Span:
    """Which rows of an order are wanted.

    Attributes:
        after: only those whose id or place comes after this one.
        before: the last ones whose id or place comes before this one, whatever `after` is; None for the first ones.
        limit: at most so many.
    """

    after: int = -1
    before: int | None = None
    limit: int = CONNECTED


@dataclass(frozen=True)
class Chosen:
    """Which neighbours of a caption are wanted: those of a rank, of a modality, or of both; None stands for all."""

    nn_index: int | None = None
    modality: str | None = None


EVERY_NEIGHBOUR = Chosen()


@dataclass(frozen=True)
class Wanted:
    """Which triplets are wanted; None stands for any.

    Attributes:
        span: which places in the published file.
        paired: modality of the paired item.
        annotated: modality of the rated item.
        label: the rating in words.
        source_dataset: where the rated item comes from.
        dataset_license: its licence.
        about: modality and id of an item that they contain, in any place.
    """

    span: Span = Span()
    paired: str | None = None
    annotated: str | None = None
    label: str | None = None
    source_dataset: str | None = None
    dataset_license: str | None = None
    about: tuple[str, int] | None = None


def items(
    connection: duckdb.DuckDBPyConnection, dataset: Split, modality: str, ids: Iterable[int | None]
) -> dict[int, Item]:
    """The items of some ids; an id without a row is an item without columns."""
    wanted = sorted({number for number in ids if number is not None})
    if not wanted:
        return {}
    rows = _table(connection, dataset, modality).filter(
        Column(KEYS[dataset, modality]).isin(*(Constant(number) for number in wanted))
    )
    known = {item.id: item for item in _read(connection, rows, dataset, modality)}
    return {number: known.get(number) or Item(dataset, modality, number) for number in wanted}


def captions(connection: duckdb.DuckDBPyConnection, dataset: Split, span: Span) -> list[Item]:
    """Captions in the order of their ids."""
    rows = _spanned(_table(connection, dataset, "text"), KEYS[dataset, "text"], span)
    return sorted(_read(connection, rows, dataset, "text"), key=lambda item: item.id)


def beside(
    connection: duckdb.DuckDBPyConnection, dataset: Split, modality: str, number: int
) -> tuple[int | None, int | None]:
    """The ids of the items before and after an item, in the order of ids; None where there is none."""
    key = KEYS[dataset, modality]
    ids = _table(connection, dataset, modality).select(Column(key))
    spans = (Span(before=number, limit=1), Span(after=number, limit=1))
    before, after = ([found for (found,) in _spanned(ids, key, span).fetchall()] for span in spans)
    return next(iter(before), None), next(iter(after), None)


def groups(connection: duckdb.DuckDBPyConnection, caption: int, chosen: Chosen) -> list[Group]:
    """The groups of a caption, from the nearest neighbours on."""
    modalities = [name for name in FILE_MODALITIES if chosen.modality in {None, name}]
    condition = Column("encord_text_id") == Constant(caption)
    if chosen.nn_index is not None:
        condition &= Column("nn_index") == Constant(chosen.nn_index)
    names = ("nn_index", *(f"encord_{modality}_id" for modality in modalities))
    table = connection.table("e_mm1_100m.groups").filter(condition)
    rows = table.select(*map(Column, names)).order("nn_index").fetchall()
    found = {
        modality: items(connection, "100m", modality, (row[place] for row in rows))
        for place, modality in enumerate(modalities, 1)
    }
    return [
        Group(index, {modality: found[modality].get(number) for modality, number in zip(found, numbers, strict=True)})
        for index, *numbers in rows
    ]


def captions_near(connection: duckdb.DuckDBPyConnection, modality: str, number: int) -> list[tuple[int, Item]]:
    """Captions that have an item of E-MM1:100M as a neighbour, with its rank, the nearest first: at most `CONNECTED`."""
    table = connection.table("e_mm1_100m.groups").filter(Column(f"encord_{modality}_id") == Constant(number))
    rows = table.select(Column("nn_index"), Column("encord_text_id")).order("nn_index, encord_text_id").limit(CONNECTED)
    ranked = rows.fetchall()
    found = items(connection, "100m", "text", (caption for _, caption in ranked))
    return [(rank, found[caption]) for rank, caption in ranked if caption is not None]


def triplets(connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> list[Triplet]:
    """Rated triplets in the order of the published file."""
    rows = connection.sql(sql("triplets")).filter(_condition(wanted))
    if wanted.source_dataset is not None or wanted.dataset_license is not None:
        rows = rows.set_alias("t").join(
            _rated(connection, wanted).set_alias("i"),
            "t.annotated_modality = i.modality::VARCHAR AND t.encord_annotated_id = i.id",
            how="semi",
        )
    found = sorted(_spanned(rows, "place", wanted.span).fetchall())
    texts = items(connection, "1m", "text", (row[1] for row in found))
    by_modality = {
        modality: items(
            connection,
            "1m",
            modality,
            (number for row in found for kind, number in (row[2:4], row[4:6]) if kind == modality),
        )
        for modality in FILE_MODALITIES
    }
    return [
        Triplet(
            place,
            texts.get(caption),
            by_modality.get(paired, {}).get(paired_id),
            by_modality.get(annotated, {}).get(annotated_id),
            annotation,
            label,
        )
        for place, caption, paired, paired_id, annotated, annotated_id, annotation, label in found
    ]


def triplet_choices(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The values of each filter of triplets: `label`, `source_dataset` and `dataset_license`."""
    ((labels, sources, licenses),) = connection.execute(sql("triplet_choices")).fetchall()
    return {"label": labels or [], "source_dataset": sources or [], "dataset_license": licenses or []}


def categories(connection: duckdb.DuckDBPyConnection, modality: str, number: int) -> list[str]:
    """The categories of a sample of EShot."""
    table = connection.table("eshot.categories")
    rows = table.filter((Column("modality") == Constant(modality)) & (Column("eshot_id") == Constant(number)))
    return [str(category) for (category,) in rows.select(Column("category")).order("category").fetchall()]


def _condition(wanted: Wanted) -> duckdb.Expression:
    condition = Constant(True)
    for column, value in (
        ("paired_modality", wanted.paired),
        ("annotated_modality", wanted.annotated),
        ("annotation_label", wanted.label),
    ):
        if value is not None:
            condition &= Column(column) == Constant(value)
    if wanted.about is not None:
        modality, number = wanted.about
        if modality == "text":
            return condition & (Column("encord_text_id") == Constant(number))
        paired, annotated = (
            (Column(f"{role}_modality") == Constant(modality)) & (Column(f"encord_{role}_id") == Constant(number))
            for role in ("paired", "annotated")
        )
        condition &= paired | annotated
    return condition


def _rated(connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> duckdb.DuckDBPyRelation:
    """The items of E-MM1:1M from a source or with a licence."""
    condition = Column("dataset") == Constant("1m")
    for column in ("source_dataset", "dataset_license"):
        value = getattr(wanted, column)
        if value is not None:
            condition &= Column(column) == Constant(value)
    return connection.view("assets").filter(condition).select(Column("modality"), Column("id"))


def _spanned(rows: duckdb.DuckDBPyRelation, column: str, span: Span) -> duckdb.DuckDBPyRelation:
    """The rows of a span, by a column; the last ones first if they come before something."""
    if span.before is None:
        return rows.filter(Column(column) > Constant(span.after)).order(column).limit(span.limit)
    return rows.filter(Column(column) < Constant(span.before)).order(f"{column} DESC").limit(span.limit)


def _table(connection: duckdb.DuckDBPyConnection, dataset: Split, modality: str) -> duckdb.DuckDBPyRelation:
    return connection.table(f"{SCHEMAS[dataset]}.{modality}")


def _read(
    connection: duckdb.DuckDBPyConnection, rows: duckdb.DuckDBPyRelation, dataset: Split, modality: str
) -> list[Item]:
    """The items of rows of their table."""
    names, key = rows.columns, KEYS[dataset, modality]
    path = Constant(None)
    if modality in FILE_MODALITIES:
        ((root,),) = connection.sql("SELECT media_root()").fetchall()
        # As `media_path` does, which looks the root up for every row.
        path = Function("media_in", Constant(root), Column("save_folder"), Constant(modality), Column("file_name"))
    found = []
    for place, *values in rows.select(path, Star()).fetchall():
        columns = {name: _plain(value) for name, value in zip(names, values, strict=True)}
        found.append(Item(dataset, modality, columns.pop(key), columns, place))
    return found


def _plain(value: Any) -> Any:
    """A value that JSON has: none for NaN and infinities."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, int | str) else str(value)


@cache
def sql(name: str) -> str:
    """A query of sql/explore."""
    return (files("emm1") / "sql" / "explore" / f"{name}.sql").read_text(encoding="utf-8")
