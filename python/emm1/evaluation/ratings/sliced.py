"""The report on agreement with people, with the values of a column beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from emm1.evaluation.ratings import text
from emm1.evaluation.report.folder import written
from emm1.evaluation.report.text import heading

if TYPE_CHECKING:
    from emm1.evaluation.ratings.report import RatingsReport


class Sliced:
    """A report whose rows are those of `RatingsReport.by`; its text and its files have both."""

    def __init__(self, report: RatingsReport, column: str) -> None:
        self._report = report
        self._column = column

    def __str__(self) -> str:
        return "\n".join([str(self._report), *self._lines()])

    def to_frame(self) -> pl.DataFrame:
        """The measures for each value of the column."""
        return self._report.by(self._column)

    def save(self, folder: str | Path) -> Path:
        """Write the files of the report, with the slices in ratings.txt and in by.csv, in which `against` comes first."""
        path = self._report.save(folder)
        with written(path):
            (path / "ratings.txt").write_text(f"{self}\n", encoding="utf-8")
            frames = [frame.select(pl.lit(name).alias("against"), pl.all()) for name, frame in self._frames.items()]
            pl.concat(frames).write_csv(path / "by.csv")
        return path

    @cached_property
    def _frames(self) -> dict[str, pl.DataFrame]:
        return {against: self._report.by(self._column, against) for against in text.TITLES}

    def _lines(self) -> Iterator[str]:
        for against, frame in self._frames.items():
            if not frame.is_empty():
                yield from heading(f"{text.TITLES[against]}, by {self._column}")
                yield from text.slices(frame)
