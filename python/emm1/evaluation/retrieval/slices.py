"""The measures for parts of the queries: those with one value in a column of their info rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from emm1.errors import EmbeddingError
from emm1.evaluation.report.folder import written
from emm1.evaluation.report.text import NONE
from emm1.evaluation.report.words import WORDS, word_ranges
from emm1.evaluation.retrieval import text
from emm1.evaluation.retrieval.summary import SCHEMA

if TYPE_CHECKING:
    from emm1.evaluation.retrieval.report import RetrievalReport


@dataclass(frozen=True, eq=False)
class Slices:
    """A report and the same for each value of a column of the queries' info rows: `str(slices)` is its text."""

    report: RetrievalReport
    column: str

    def to_frame(self) -> pl.DataFrame:
        """The columns of `RetrievalReport.to_frame` for each value of the column, which comes first, as text.

        The coverage is the share of the queries with this value that count; a value none of whose queries counts has NULL in place of
        numbers.
        """
        return self._frame

    def __str__(self) -> str:
        return "\n".join([str(self.report), *self._lines()])

    def save(self, folder: str | Path) -> Path:
        """Write the files of the report, with the slices in retrieval.txt and in by.csv; returns the folder."""
        where = self.report.save(folder)
        with written(where):
            (where / "retrieval.txt").write_text(f"{self}\n", encoding="utf-8")
            self.to_frame().write_csv(where / "by.csv")
        return where

    def _lines(self) -> Iterator[str]:
        for (value,), rows in self.to_frame().group_by(self.column, maintain_order=True):
            row = rows.row(0, named=True)
            asked = round(row["queries"] / row["coverage"]) if row["coverage"] else None
            counted = f"{row['queries']:,} of {asked:,} queries" if asked else "no query counts"
            yield from ("", f"[{self.column}: {NONE if value is None else value}] {counted}")
            yield from text.table(rows.to_dicts(), self.report.metrics)

    @cached_property
    def _frame(self) -> pl.DataFrame:
        report, outcome = self.report, self.report.outcome
        values = values_of(report, self.column)
        counted = np.isin(outcome.asked, outcome.query_ids)
        frames = []
        for value in values.unique().sort(nulls_last=True):
            of = values.eq_missing(value).to_numpy()
            rows = report.measured.rows(report.task.rules.resamples, of[counted])
            frame = pl.DataFrame(rows, schema_overrides={n: t for n, t in SCHEMA.items() if n in rows[0]})
            whole = {"gallery": len(outcome.gallery), "coverage": counted[of].mean()}
            frame = frame.with_columns(**{name: pl.lit(number) for name, number in whole.items()})
            frames.append(frame.select(pl.lit(value, pl.String).alias(self.column), *SCHEMA))
        return pl.concat(frames)


def values_of(report: RetrievalReport, column: str) -> pl.Series:
    """The value of a column for each query that was asked, as text.

    Raises:
        EmbeddingError: the queries are of a file, so that they have no info rows, or there is no such column.
    """
    store, entry = report.task.store, report.task.queries.entry
    if store is None or entry is None:
        raise EmbeddingError(
            f"slices need the info rows of the queries, which are not known of the file {report.task.queries.name}: register it"
        )
    with store.cursor() as connection:
        info = connection.table(entry.table)
        wanted = "caption" if column == WORDS else column
        if wanted not in info.columns:
            words = f"{WORDS}, or " if "caption" in info.columns else ""
            raise EmbeddingError(f"no column {column!r} in {entry.table}: {words}one of {', '.join(info.columns)}")
        rows = info.select(*dict.fromkeys([entry.key, wanted])).to_arrow_table()
    frame = pl.DataFrame(rows).with_columns(pl.col(entry.key).cast(pl.Int64))
    asked = pl.DataFrame({entry.key: report.outcome.asked})
    found = asked.join(frame, on=entry.key, how="left", maintain_order="left")[wanted]
    return word_ranges(found) if column == WORDS else found.cast(pl.String).rename(column)
