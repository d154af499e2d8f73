"""The right answers of queries: read from a file or a frame, and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from emm1.checks import check_regular, shown
from emm1.errors import EmbeddingError, FileNotFoundError

KEYS = ("query_id", "id")
GRADE = "grade"
SCHEMA = {"query_id": pl.Int64, "id": pl.Int64, GRADE: pl.Int64}
# What reads a file of pairs. Text is read as text, so that nothing is rounded before it is checked.
READERS = {
    ".csv": "FROM read_csv(?, all_varchar = true, header = true)",
    ".tsv": "FROM read_csv(?, all_varchar = true, header = true, delim = '\t')",
    ".json": "FROM read_json(?)",
    ".jsonl": "FROM read_json(?)",
    ".ndjson": "FROM read_json(?)",
    ".parquet": "FROM read_parquet(?)",
}
COMPRESSED = {".gz", ".zst"}
INTEGER = r"^\s*[+-]?[0-9]+\s*$"


@dataclass(frozen=True)
class Pairs:
    """Queries and their answers.

    Attributes:
        frame: query_id, id, grade, each pair once, sorted; the answer is right if the grade is at least 1, and judged but not right
            if it is 0.
        kind: what they are called: ``captions`` and so on, or the name of a file.
        meaning: a sentence on what they measure; empty if it is not known.
        left_out: how many rows of the source are no pairs, by reason.
    """

    frame: pl.DataFrame
    kind: str
    meaning: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)


def pairs_of(source: Any) -> Pairs:
    """Pairs from a file or a frame.

    Args:
        source: a file (.csv, .tsv, .json, .jsonl, .ndjson, .parquet), or a frame of Polars, pandas, Arrow or DuckDB, or a mapping of
            names to columns: query_id, id, and optionally grade, which is 1 if it is not given. All are integers.

    Raises:
        EmbeddingError: a column is missing, a value is no integer, a grade is negative, a pair is there twice, or there are none.

    >>> pairs_of({"query_id": [7, 7], "id": [3, 1]}).frame.rows()
    [(7, 1, 1), (7, 3, 1)]
    >>> pairs_of({"query_id": [7], "id": [0.5]})
    Traceback (most recent call last):
    emm1.errors.EmbeddingError: the pairs: 0.5, in row 1 of the column id, is not an integer of 64 bits
    """
    if isinstance(source, str | os.PathLike):
        return Pairs(_checked(_read(Path(source)), str(source)), Path(source).name)
    return Pairs(_checked(_frame(source), "the pairs"), "given")


def is_pairs_file(source: object) -> bool:
    """Whether a source is named like a file of pairs, or is a path.

    >>> is_pairs_file("pairs.csv.gz"), is_pairs_file("captions")
    (True, False)
    """
    if isinstance(source, os.PathLike):
        return True
    return isinstance(source, str) and (_suffix(Path(source)) in READERS or os.sep in source)


def _suffix(path: Path) -> str:
    return (Path(path.stem) if path.suffix.lower() in COMPRESSED else path).suffix.lower()


def _read(path: Path) -> pl.DataFrame:
    check_regular(path)
    reader = READERS.get(_suffix(path))
    if reader is None:
        raise EmbeddingError(f"{path} is no file of pairs: it must end in {', '.join(READERS)}")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with duckdb.connect() as connection:
            rows = connection.sql(reader, params=[str(path)])
            return pl.DataFrame(rows.to_arrow_table())
    except duckdb.Error as error:
        raise EmbeddingError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def _frame(source: Any) -> pl.DataFrame:
    try:
        if isinstance(source, duckdb.DuckDBPyRelation):
            return pl.DataFrame(source.to_arrow_table())
        frame = source if isinstance(source, pl.DataFrame) else pl.DataFrame(source)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise EmbeddingError(f"pairs must be a frame with the columns query_id and id, not {shown(source)}") from error
    return frame


def _checked(frame: pl.DataFrame, what: str) -> pl.DataFrame:
    """Pairs with the right columns, sorted; `what` names them in messages."""
    for name in KEYS:
        if name not in frame.columns:
            raise EmbeddingError(
                f"{what} has no column {name}: it needs query_id and id, and may have grade; it has {', '.join(frame.columns)}"
            )
    columns = [_integers(frame[name], what) for name in KEYS]
    grades = _integers(frame[GRADE], what) if GRADE in frame.columns else pl.repeat(1, len(frame), eager=True)
    pairs = pl.DataFrame([*columns, grades.cast(pl.Int64).alias(GRADE)])
    if pairs.is_empty():
        raise EmbeddingError(f"{what} has no rows: give the right answers of each query")
    if (row := _first(pairs[GRADE] < 0)) is not None:
        raise EmbeddingError(
            f"{what}: the grade {pairs[GRADE][row]}, in row {row + 1}, is negative: 0 is not right, 1 or more is"
        )
    if (row := _first(~pairs.select(pl.struct(KEYS).is_first_distinct()).to_series())) is not None:
        query, answer, _ = pairs.row(row)
        raise EmbeddingError(
            f"{what}: the query {query} with the id {answer}, in row {row + 1}, is there twice: give each pair once"
        )
    return pairs.sort(KEYS)


def _integers(column: pl.Series, what: str) -> pl.Series:
    """A column as int64; nothing is rounded."""
    if column.dtype.is_integer():
        cast = column.cast(pl.Int64, strict=False)
    elif column.dtype.is_float() or column.dtype.is_decimal():
        whole = column.cast(pl.Float64)
        cast = pl.select(pl.when(whole == whole.floor()).then(whole)).to_series().cast(pl.Int64, strict=False)
    else:
        text = column.cast(pl.String, strict=False)
        cast = pl.select(pl.when(text.str.contains(INTEGER)).then(text.str.strip_chars())).to_series()
        cast = cast.str.strip_prefix("+").cast(pl.Int64, strict=False)
    if (row := _first(cast.is_null())) is not None:
        where = f"in row {row + 1} of the column {column.name}"
        if column[row] is None:
            raise EmbeddingError(f"{what}: the value {where} is missing")
        raise EmbeddingError(f"{what}: {column[row]!r}, {where}, is not an integer of 64 bits")
    return cast.alias(column.name)


def _first(mask: pl.Series) -> int | None:
    """The first row for which something is true."""
    return mask.arg_max() if mask.any() else None
