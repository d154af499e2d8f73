"""What is wrong with the values of a Hub file, found before anything is read from it: the first such row is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from emm1.checks import shown
from emm1.dataset import FILE_MODALITIES, RANKS
from emm1.errors import SourceError
from emm1.ingest.diagnose import LIMITS
from emm1.ingest.hub.columns import IDS, HubFile, path_columns
from emm1.ingest.hub.queries import quoted, read_parquet


@dataclass(frozen=True)
class Defect:
    """A kind of defect: the column that has it, the condition of rows that have it, and what the value should be."""

    column: str
    condition: exp.Expr
    should: str


def refuse_defects(connection: duckdb.DuckDBPyConnection, file: HubFile) -> None:
    """Refuse a file with a value that the store's tables cannot hold.

    Raises:
        SourceError: there is one; the message names its first row and column.
    """
    kinds = [*_defects(file)]
    row = exp.column("file_row_number")
    firsts = [exp.Filter(this=exp.Min(this=row), expression=exp.Where(this=kind.condition)) for kind in kinds]
    query = read_parquet(file.path, numbered=True)
    found = connection.execute(query.select(*firsts, append=False).sql("duckdb")).fetchall()[0]
    if all(first is None for first in found):
        return
    first, kind = min((first, number) for number, first in enumerate(found) if first is not None)
    defect = kinds[kind]
    value = query.select(exp.cast(_column(defect.column), "VARCHAR"), append=False).where(row.eq(first))
    ((text,),) = connection.execute(value.sql("duckdb")).fetchall()
    what = "no value, and one is needed" if text is None else f"{shown(text)} {defect.should}"
    raise SourceError(f"{file.path}, row {first + 1}, column {defect.column}: {what}")


def _defects(file: HubFile) -> Iterator[Defect]:
    for name in sorted(IDS.intersection(file.rows)):
        yield from _of_number(name, "INTEGER")
    if file.split == "100m":
        yield _absent("encord_text_id")
        yield from _of_number("nn_index", "SMALLINT", required=True)
        ranks = exp.column("nn_index").isin(*(exp.Literal.number(rank) for rank in RANKS))
        yield Defect("nn_index", ranks.not_(), f"is not a rank: {RANKS[0]} (nearest) to {RANKS[-1]}")
    else:
        yield from _of_number("annotation", "SMALLINT", required=True)
        for name in ("paired_modality", "annotated_modality"):
            known = exp.cast(_column(name), "VARCHAR").isin(*map(exp.Literal.string, FILE_MODALITIES))
            yield _absent(name)
            yield Defect(name, known.not_(), f"is not a modality ({', '.join(sorted(FILE_MODALITIES))})")
    for side in file.sides:
        if path_columns(side.columns) == ("file_path",) and "file_path" in side.columns:
            path = exp.cast(_column(side.columns["file_path"]), "VARCHAR")
            parts = exp.func("regexp_full_match", path, exp.Literal.string("[^/]+/.+/[^/]+"), exp.Literal.string("s"))
            yield Defect(side.columns["file_path"], parts.not_(), "is not save_folder/modality/file_name")


def _of_number(name: str, kind: str, *, required: bool = False) -> Iterator[Defect]:
    value = _column(name)
    limit = LIMITS[kind]
    if required:
        yield _absent(name)
    yield Defect(name, value.neq(exp.func("trunc", value)), "is not an integer")
    inside = exp.Between(this=value, low=exp.Literal.number(-limit), high=exp.Literal.number(limit - 1))
    yield Defect(name, exp.not_(inside), f"is out of range for {kind}")


def _absent(name: str) -> Defect:
    return Defect(name, _column(name).is_(exp.null()), "")


def _column(name: str) -> exp.Column:
    return exp.column(quoted(name))
