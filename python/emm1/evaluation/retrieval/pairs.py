"""The right answers of queries: read from a file or a frame, and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from emm1.arguments import at_least_one
from emm1.errors import EmbeddingError
from emm1.evaluation.statistics.intervals import SEED
from emm1.tables import first, frame_of, integers, read

KEYS = ("query_id", "id")
GRADE = "grade"
SCHEMA = {"query_id": pl.Int64, "id": pl.Int64, GRADE: pl.Int64}


@dataclass(frozen=True)
class Pairs:
    """Queries and their answers.

    Attributes:
        frame: query_id, id, grade, each pair once, sorted; the answer is right if the grade is at least 1, and judged but not right
            if it is 0.
        kind: what they are called: ``captions`` and so on, or the name of a file.
        meaning: a sentence on what they measure; empty if it is not known.
        left_out: how many rows of the source are no pairs, by reason.
        drawn_from: how many queries the pairs were of before some were drawn; None if these are all.
    """

    frame: pl.DataFrame
    kind: str
    meaning: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)
    drawn_from: int | None = None

    def sample(self, count: int | None) -> Pairs:
        """The pairs of some queries, drawn at random; of all queries if there are not more, or if `count` is None.

        The same queries are drawn from the same ids, with one version of NumPy, so that models can be compared.

        >>> pairs = pairs_of({"query_id": [7, 8, 9], "id": [3, 1, 2]})
        >>> pairs.sample(2).frame["query_id"].to_list(), pairs.sample(2).drawn_from, pairs.sample(3).drawn_from
        ([8, 9], 3, None)
        """
        ids = self.frame["query_id"].unique().sort()
        if count is None or at_least_one(count, "sample") >= len(ids):
            return self
        places = np.random.default_rng(SEED).choice(len(ids), count, replace=False)
        kept = self.frame.filter(pl.col("query_id").is_in(ids.gather(places).implode()))
        return replace(self, frame=kept, drawn_from=len(ids))


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
        return Pairs(_checked(read(Path(source), "pairs"), str(source)), Path(source).name)
    return Pairs(_checked(frame_of(source, "pairs", KEYS), "the pairs"), "given")


def _checked(frame: pl.DataFrame, what: str) -> pl.DataFrame:
    """Pairs with the right columns, sorted; `what` names them in messages."""
    for name in KEYS:
        if name not in frame.columns:
            raise EmbeddingError(
                f"{what} has no column {name}: it needs query_id and id, and may have grade; it has {', '.join(frame.columns)}"
            )
    columns = [integers(frame[name], what) for name in KEYS]
    grades = integers(frame[GRADE], what) if GRADE in frame.columns else pl.repeat(1, len(frame), eager=True)
    pairs = pl.DataFrame([*columns, grades.cast(pl.Int64).alias(GRADE)])
    if pairs.is_empty():
        raise EmbeddingError(f"{what} has no rows: give the right answers of each query")
    if (row := first(pairs[GRADE] < 0)) is not None:
        raise EmbeddingError(
            f"{what}: the grade {pairs[GRADE][row]}, in row {row + 1}, is negative: 0 is not right, 1 or more is"
        )
    if (row := first(~pairs.select(pl.struct(KEYS).is_first_distinct()).to_series())) is not None:
        query, answer, _ = pairs.row(row)
        raise EmbeddingError(
            f"{what}: the query {query} with the id {answer}, in row {row + 1}, is there twice: give each pair once"
        )
    return pairs.sort(KEYS)
