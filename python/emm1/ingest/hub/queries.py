"""Queries of the Hub's Parquet files, whose columns may differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

from sqlglot import exp, parse_one

from emm1.ingest.hub.columns import IDS, TIMES, HubFile, Side

READ = "SELECT * FROM read_parquet([''], hive_partitioning = false)"
READ_NUMBERED = "SELECT * FROM read_parquet([''], hive_partitioning = false, file_row_number = true)"
# A place says where an item is, as one number: the file in the list, its row, the side of the row.
ROWS, SIDES = 2**40, 2


def read_parquet(*paths: Path, numbered: bool = False) -> exp.Select:
    """All rows of files that have the same columns; `numbered` adds ``file_row_number``, from 0."""
    query = parse_one(READ_NUMBERED if numbered else READ, into=exp.Select, dialect="duckdb")
    for array in list(query.find_all(exp.Array)):
        array.set("expressions", [exp.Literal.string(str(path)) for path in paths])
    return query


def in_order(files: Iterable[HubFile]) -> list[HubFile]:
    """The files with those that have the same columns next to each other."""
    return [file for alike in _alike(files) for file in alike]


def _alike(files: Iterable[HubFile]) -> list[list[HubFile]]:
    """Files with the same columns, which one scan reads: DuckDB runs the parts of a UNION at once, and each takes memory."""
    found: dict[tuple[tuple[str, str], ...], list[HubFile]] = {}
    for file in files:
        found.setdefault(file.types, []).append(file)
    return [*found.values()]


def place(files: Sequence[HubFile], number: int) -> str:
    """The name of a row, from a place in files that are `in_order`."""
    file, rest = divmod(int(number), ROWS * SIDES)
    return f"{files[file].path}, row {rest // SIDES + 1}"


def item_columns(files: Iterable[HubFile], modality: str) -> list[str]:
    """The columns that any of the files has about items of a modality, besides their ids."""
    return sorted({name for file in files for side in file.sides if side.may_have(modality) for name in side.columns})


def items(files: Sequence[HubFile], modality: str) -> exp.Query | None:
    """The items of a modality in all rows of the files, as ``id``, `item_columns` and ``place``; an item is in many rows.

    Rows without an id, and rows that say nothing but the id, have no item.

    Args:
        files: the files, `in_order`.
        modality: the modality.

    Returns:
        The query; None if no file has items of the modality.
    """
    columns = item_columns(files, modality)
    groups = _alike(files)
    offsets = accumulate((len(alike) for alike in groups), initial=0)
    queries = [
        _items_of(alike, side, modality, columns, _place(offset, number))
        for offset, alike in zip(offsets, groups, strict=False)
        for number, side in enumerate(side for side in alike[0].sides if side.may_have(modality))
    ]
    return together(queries) if queries else None


def _items_of(files: Sequence[HubFile], side: Side, modality: str, columns: Sequence[str], at: exp.Expr) -> exp.Select:
    values = [_value(side, name).as_(quoted(name)) for name in columns]
    said = exp.or_(*(exp.column(quoted(name)).is_(exp.null()).not_() for name in side.columns.values()))
    key = exp.column(quoted(side.key))
    query = read_parquet(*(file.path for file in files), numbered=True)
    query = query.select(exp.cast(key, "INTEGER").as_("id"), *values, at.as_("place"), append=False)
    query = query.where(key.is_(exp.null()).not_(), said)
    if side.modality_column is not None:
        query = query.where(exp.column(side.modality_column).eq(exp.Literal.string(modality)))
    return query


def _place(offset: int, side: int) -> exp.Expr:
    file = exp.cast(exp.column("file_index"), "BIGINT") + offset
    return exp.paren(exp.paren(file) * ROWS + exp.column("file_row_number")) * SIDES + side


def _value(side: Side, name: str) -> exp.Expr:
    found = exp.column(quoted(side.columns[name])) if name in side.columns else exp.null()
    return exp.cast(found, "DOUBLE" if name in TIMES else "VARCHAR")


def rows_of(file: HubFile, ranks: Sequence[int] | None = None) -> exp.Select:
    """The rows of a file in the table of groups or triplets, with its unknown columns; of the groups, some ranks."""
    values = [exp.cast(exp.column(quoted(name)), _type_of(name)).as_(quoted(name)) for name in file.rows]
    query = read_parquet(file.path).select(*values, append=False)
    if ranks is not None:
        query = query.where(exp.column("nn_index").isin(*(exp.Literal.number(rank) for rank in ranks)))
    return query


def _type_of(name: str) -> str:
    if name in ("nn_index", "annotation"):
        return "SMALLINT"
    return "INTEGER" if name in IDS else "VARCHAR"


def placed(files: Sequence[HubFile], names: Sequence[str]) -> exp.Query:
    """Columns that all of the files have, with the place of each row; the files are `in_order`."""
    groups = _alike(files)
    offsets = accumulate((len(alike) for alike in groups), initial=0)
    columns = [exp.column(quoted(name)) for name in names]
    return together(
        [
            read_parquet(*(file.path for file in alike), numbered=True).select(
                *columns, _place(offset, 0).as_("place"), append=False
            )
            for offset, alike in zip(offsets, groups, strict=False)
        ]
    )


def together(queries: Sequence[exp.Query]) -> exp.Query:
    """The rows of all of the queries."""
    return exp.union(*queries, distinct=False) if len(queries) > 1 else queries[0]


def quoted(name: str) -> exp.Identifier:
    """A name in double quotes."""
    return exp.to_identifier(name, quoted=True)
