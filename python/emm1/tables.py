"""Tables that users give: files of rows, or frames of any library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from emm1.checks import check_regular, shown
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.lazy import LazyModule

if TYPE_CHECKING:
    import polars as pl
else:
    pl = LazyModule("polars")

# What reads a file. Text is read as text, so that nothing is rounded before it is checked, and a label 007 stays one.
READERS = {
    ".csv": "FROM read_csv(?, all_varchar = true, header = true)",
    ".tsv": "FROM read_csv(?, all_varchar = true, header = true, delim = '\t')",
    ".json": "FROM read_json(?)",
    ".jsonl": "FROM read_json(?)",
    ".ndjson": "FROM read_json(?)",
    ".parquet": "FROM read_parquet(?)",
}
COMPRESSED = {".gz", ".zst"}
# DuckDB reads every file that matches a name with these.
PATTERN = "*?["
INTEGER = r"^\s*[+-]?[0-9]+\s*$"


def is_table(source: object) -> bool:
    """Whether a source is named like a file of rows, or is a path.

    >>> is_table("pairs.csv.gz"), is_table("captions")
    (True, False)
    """
    if isinstance(source, os.PathLike):
        return True
    return isinstance(source, str) and (_suffix(Path(source)) in READERS or not {os.sep, os.altsep}.isdisjoint(source))


def _suffix(path: Path) -> str:
    return (Path(path.stem) if path.suffix.lower() in COMPRESSED else path).suffix.lower()


def read(path: Path, what: str) -> pl.DataFrame:
    r"""The rows of a file.

    Args:
        path: .csv, .tsv, .json, .jsonl, .ndjson (these also as .gz or .zst) or .parquet.
        what: what the rows are, for messages.

    Raises:
        EmbeddingError: another kind of file, or one that cannot be read.
        FileNotFoundError: there is no such file.

    >>> path = getfixture("tmp_path") / "labels [1].csv"
    >>> _ = path.write_text("id,label\n7,007\n")
    >>> read(path, "labels").rows()
    [('7', '007')]
    """
    check_regular(path)
    reader = READERS.get(_suffix(path))
    if reader is None:
        raise EmbeddingError(f"{path} is no file of {what}: it must end in {', '.join(READERS)}")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    literal = "".join(f"[{each}]" if each in PATTERN else each for each in str(path))
    try:
        with duckdb.connect() as connection:
            return pl.DataFrame(connection.sql(reader, params=[literal]).to_arrow_table())
    except duckdb.Error as error:
        raise EmbeddingError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def frame_of(source: Any, what: str, columns: Sequence[str]) -> pl.DataFrame:
    """A frame of any library, a relation of DuckDB, or a mapping of names to columns.

    Args:
        source: the frame.
        what: what the rows are, for messages.
        columns: the columns that they should have, for messages.

    Raises:
        EmbeddingError: it is something else.

    >>> frame_of({"id": [1]}, "pairs", ["id"]).rows()
    [(1,)]
    """
    try:
        if isinstance(source, duckdb.DuckDBPyRelation):
            return pl.DataFrame(source.to_arrow_table())
        return source if isinstance(source, pl.DataFrame) else pl.DataFrame(source)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise EmbeddingError(
            f"{what} must be a frame with the columns {' and '.join(columns)}, not {shown(source)}"
        ) from error


def integers(column: pl.Series, what: str) -> pl.Series:
    """A column as int64; nothing is rounded.

    Args:
        column: integers, whole numbers of any type, or their text.
        what: what the rows are, for messages.

    Raises:
        EmbeddingError: a value is missing, or is no integer of 64 bits; the message names its row.

    >>> integers(pl.Series("id", ["7", " +8 "]), "labels").to_list()
    [7, 8]
    """
    if column.dtype.is_integer():
        cast = column.cast(pl.Int64, strict=False)
    elif column.dtype.is_float() or column.dtype.is_decimal():
        whole = pl.select(pl.when(column == column.floor()).then(column)).to_series()
        cast = whole.cast(pl.Int64, strict=False)
    else:
        text = column.cast(pl.String, strict=False)
        cast = pl.select(pl.when(text.str.contains(INTEGER)).then(text.str.strip_chars())).to_series()
        cast = cast.str.strip_prefix("+").cast(pl.Int64, strict=False)
    if (row := first(cast.is_null())) is not None:
        where = f"in row {row + 1} of the column {column.name}"
        if column[row] is None:
            raise EmbeddingError(f"{what}: the value {where} is missing")
        raise EmbeddingError(f"{what}: {column[row]!r}, {where}, is not an integer of 64 bits")
    return cast.alias(column.name)


def first(mask: pl.Series) -> int | None:
    """The first row for which something is true; None if there is none.

    >>> first(pl.Series([False, True])), first(pl.Series([False]))
    (1, None)
    """
    return mask.arg_max() if mask.any() else None
