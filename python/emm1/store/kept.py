"""The rows of a query without those that name an item that is excluded: for exports and for training."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import duckdb
import numpy as np
from duckdb import CaseExpression, Expression
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from duckdb import FunctionExpression as Function

from emm1.dataset import KEYS, MODALITIES_OF, SCHEMAS, SPLITS, Split
from emm1.errors import StoreError
from emm1.store.excluded import Excluded, Ids

# The splits of views and macros whose names do not say it.
VIEWS = {
    "groups": "100m",
    "group_captions": "100m",
    "triplets": "1m",
    "triplets_between": "1m",
    "eshot_categories": "eshot",
}
# Columns of ids beside the column that has their modality.
PAIRED = (("encord_paired_id", "paired_modality"), ("encord_annotated_id", "annotated_modality"))
ESHOT, ANY = (("eshot_id", "modality"),), (("id", "modality"),)


class Named(NamedTuple):
    """A column of ids, and items that it may name.

    Attributes:
        key: the column.
        split: the dataset of the items.
        modality: their modality.
        kind: the column that says in which rows it is of this modality; None if it is in all.
        dataset: likewise of the dataset.
    """

    key: str
    split: Split
    modality: str
    kind: str | None
    dataset: str | None


def kept(
    connection: duckdb.DuckDBPyConnection, query: str, excluded: Excluded, parameters: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyRelation:
    """The rows of a query that name no excluded item, in the order of the query.

    The items of a row are those in its columns ``encord_text_id`` and so on, ``encord_paired_id`` and
    ``encord_annotated_id`` beside their modalities, ``eshot_audio_id`` and ``eshot_point_id``, and ``id`` or ``eshot_id`` beside
    ``modality``. Ids are unique within a dataset only: it is in the column ``dataset``, or is that of the tables and views of the
    query if all are of one. A row of ``SELECT *`` from any table or view of items, groups or triplets says which items it names.

    Args:
        connection: a connection to the store, on which the rows are read.
        query: one query.
        excluded: what `emm1.store.excluded.excluded` gives.
        parameters: those of the query, by their names.

    Raises:
        StoreError: the rows name no items, or it is not known of which dataset they are.
        duckdb.Error: the query fails.
    """
    relation = connection.sql(query, params=dict(parameters) if parameters else None)
    if not excluded:
        return relation
    try:
        names = named_items(connection, query, relation.columns)
    except StoreError as error:
        raise StoreError(f"nothing can be excluded, as {error}") from error
    for named in names:
        for condition in _out(named, excluded):
            relation = relation.filter(~condition)
    return relation


def named_items(connection: duckdb.DuckDBPyConnection, query: str, columns: list[str]) -> list[Named]:
    """The columns of ids of a query, once for each dataset and modality that their items may be of.

    Raises:
        StoreError: there are none, or it is not known of which dataset the items are; what it says completes a sentence.
    """
    own = {name.casefold(): name for name in columns}
    if len(own) < len(columns):
        twice = next(name for i, name in enumerate(columns) if name.casefold() in map(str.casefold, columns[:i]))
        raise StoreError(f"two columns of the query are called {twice}: name one of them differently with AS")
    dataset = own.get("dataset")
    found = [
        Named(own[key], split, modality, kind and own[kind], None if key.startswith("eshot") else dataset)
        for split in SPLITS
        for modality in MODALITIES_OF[split]
        for key, kind in _columns(split, modality, told=dataset is not None)
        if key in own and (kind is None or kind in own)
    ]
    if not found:
        raise StoreError(
            "the rows of the query name no items: select their ids too, as in encord_image_id, or in id beside "
            "dataset and modality"
        )
    if dataset is not None or {named.split for named in found} == {"eshot"}:
        return found
    splits = _splits_of(connection, query) - {"eshot"}
    if len(splits) != 1:
        raise StoreError(
            "it is not known of which dataset the ids of the query are: select a column dataset too, with "
            "'100m' or '1m' in it"
        )
    return [named for named in found if named.split in {"eshot", *splits}]


def _columns(split: Split, modality: str, *, told: bool) -> Iterator[tuple[str, str | None]]:
    """The names of columns that may have ids of a dataset and modality, with those that say so; `told` if the dataset is one of them."""
    yield KEYS[split, modality], None
    yield from ESHOT if split == "eshot" else PAIRED if modality != "text" else ()
    yield from ANY if told else ()


def _splits_of(connection: duckdb.DuckDBPyConnection, query: str) -> set[str]:
    """The splits of the tables, views and macros that a query names."""
    ((text,),) = connection.execute("SELECT json_serialize_sql($query)", {"query": query}).fetchall()
    by_schema = {schema: split for split, schema in SCHEMAS.items()}
    found: set[str | None] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                found.add(by_schema.get(node["schema_name"].casefold()) or VIEWS.get(node["table_name"].casefold()))
            elif node.get("type") == "TABLE_FUNCTION":
                found.add(VIEWS.get(str(node["function"].get("function_name")).casefold()))
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(json.loads(text))
    return {split for split in found if split}


def _out(named: Named, excluded: Excluded) -> Iterator[Expression]:
    """When a row names an excluded item in a column of ids: true or false, never NULL."""
    column, flagged = Column(named.key), excluded.flagged(named.split, named.modality)
    conditions = [is_among(column, flagged)] if len(flagged) else []
    if excluded.needs_checked(named.modality):
        conditions.append(column.isnotnull() & ~is_among(column, excluded.well(named.split, named.modality)))
    for condition in conditions:
        whole = condition
        for name, value in ((named.dataset, named.split), (named.kind, named.modality)):
            if name is not None:
                whole = whole & (Column(name).cast("VARCHAR") == Constant(value))
        yield CaseExpression(whole, Constant(True)).otherwise(Constant(False))


def is_among(column: Expression, ids: Ids) -> Expression:
    """Whether a column has one of some ids, which ascend.

    The ids are a constant string of bits. A join would be as quick, but gives the rows in another order.
    """
    if not len(ids):
        return Constant(False)
    low, high = int(ids[0]), int(ids[-1])
    marked = np.zeros(high - low + 1, np.bool_)
    marked[ids - low] = True
    bits = Constant(np.packbits(marked).tobytes()).cast("BIT")
    found = Function("get_bit", bits, (column - Constant(low)).cast("INTEGER")) == Constant(1)
    within = (column >= Constant(low)) & (column <= Constant(high))
    return CaseExpression(within, found).otherwise(Constant(False))
