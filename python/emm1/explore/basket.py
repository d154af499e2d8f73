"""A basket: items that somebody gathered, to be shown together and to be taken along as a file of their ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from io import BytesIO

import duckdb

from emm1.dataset import Split
from emm1.errors import StoreError
from emm1.explore.items import Item, items, sql

Named = tuple[Split, str, int]


class Format(StrEnum):
    """Files that a basket is exported as."""

    csv = "csv"
    parquet = "parquet"


TYPES = {Format.csv: "text/csv; charset=utf-8", Format.parquet: "application/vnd.apache.parquet"}


def key(named: Named) -> str:
    """An item as addresses name it.

    >>> key(("100m", "image", 7))
    '100m.image.7'
    """
    return ".".join(map(str, named))


def find(connection: duckdb.DuckDBPyConnection, basket: Sequence[Named]) -> list[Item]:
    """The items of a basket, in its order."""
    known = {kind: items(connection, *kind, ids) for kind, ids in _by_kind(basket).items()}
    return [known[dataset, modality][number] for dataset, modality, number in basket]


def exported(connection: duckdb.DuckDBPyConnection, basket: Sequence[Named], format: Format) -> bytes:  # noqa: A002 - as options have it
    """A file with the columns dataset, modality and id, in the order of the basket, as `Store.add_flags` reads it.

    Raises:
        emm1.errors.StoreError: an id that no item of the store has.
    """
    import polars as pl  # noqa: PLC0415 - takes longer to import than the rest to start

    for (dataset, modality), ids in _by_kind(basket).items():
        wanted = {"dataset": dataset, "modality": modality, "ids": ids}
        for (number,) in connection.execute(sql("unknown_items"), wanted).fetchall():
            raise StoreError(f"the store has no {modality} {number} of {dataset}: take it out of the basket")
    schema = {"dataset": pl.String, "modality": pl.String, "id": pl.Int32}
    frame, file = pl.DataFrame(basket, schema, orient="row"), BytesIO()
    if format is Format.csv:
        frame.write_csv(file)
    else:
        frame.write_parquet(file)
    return file.getvalue()


def _by_kind(basket: Iterable[Named]) -> dict[tuple[Split, str], list[int]]:
    found: dict[tuple[Split, str], list[int]] = {}
    for dataset, modality, number in basket:
        found.setdefault((dataset, modality), []).append(number)
    return found
