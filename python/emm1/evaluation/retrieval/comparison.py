"""Two models that answered the same queries: paired differences with intervals, and the queries that changed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from emm1.checks import shown
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.evaluation.report.estimates import defined
from emm1.evaluation.report.folder import written
from emm1.evaluation.report.text import NONE, heading, p_value
from emm1.evaluation.retrieval import text
from emm1.evaluation.retrieval.answers import Real, Whole
from emm1.evaluation.retrieval.measures import MEDIAN, WHOLE
from emm1.evaluation.retrieval.protocol import Hashes
from emm1.evaluation.retrieval.summary import LEAST_CLUSTERS, PER_QUERY, draws, overall
from emm1.evaluation.retrieval.task import carry_out
from emm1.evaluation.statistics.bootstrap import percentiles
from emm1.evaluation.statistics.significance import mcnemar

if TYPE_CHECKING:
    from emm1.evaluation.retrieval.report import RetrievalReport

SCHEMA = {
    "metric": pl.String,
    "value": pl.Float64,
    "baseline": pl.Float64,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "only_model": pl.Int64,
    "only_baseline": pl.Int64,
    "p": pl.Float64,
    "queries": pl.Int64,
    "gallery": pl.Int64,
    "clusters": pl.Int64,
}
HIT = 0.5  # a query is a hit if it is one in more than half of all orders of ties


@dataclass(frozen=True)
class Answered:
    """What is compared of a report, which may have been saved before.

    Attributes:
        name: the embeddings of queries and gallery.
        hashes: what must be the same.
        per_query: as `RetrievalReport.per_query`.
        gallery: the number of rows that were searched.
    """

    name: str
    hashes: Hashes
    per_query: pl.DataFrame
    gallery: int

    @property
    def values(self) -> dict[str, Real]:
        """Each measure of each query, by the names of the report and in its order; ranks are infinite where there are none."""
        frame = self.per_query.with_columns(pl.col("rank").fill_null(np.inf))
        at_k = [name for name in frame.columns if "@" in name]
        return {name: frame[PER_QUERY.get(name, name)].to_numpy() for name in (*at_k, *WHOLE)}


@dataclass(frozen=True, eq=False)
class RetrievalComparison:
    """Two models on the same queries, gallery and right answers: `str(comparison)` is its text; `RetrievalReport.compare` gives it."""

    model: Answered
    baseline: Answered
    resamples: int
    metrics: Sequence[str]

    def to_frame(self) -> pl.DataFrame:
        """All measures that both have.

        Returns:
            One row for each: metric; value and baseline of the two models; difference: value − baseline, with the bounds of its 95 %
            interval by the paired bootstrap, difference_low and difference_high; for hit@K only_model and only_baseline: the queries
            that are a hit for one of them only, and p, of McNemar's exact test; queries, gallery and clusters.
        """
        return self._frame

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("", "model", "baseline", "difference", "95% interval", "gained", "lost", "p")]
        rows += [_cells(row) for row in self.to_frame().iter_rows(named=True) if row["metric"] in self.metrics]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
        first = self.to_frame().row(0, named=True)
        return "\n".join(
            [
                *heading(f"Retrieval compared: {self.model.name}"),
                *table,
                "",
                f"Baseline: {self.baseline.name}",
                f"Queries: {first['queries']:,}, the same of both",
                f"Gallery: {first['gallery']:,} rows, the same of both",
                f"Ties: {text.TIES}",
                f"Intervals: paired, {text.bootstrap(first['clusters'], self.resamples)}",
                "Gained and lost: queries that are a hit for one of the two only; p of McNemar's exact test, which takes queries to be independent",
            ]
        )

    def flips(self, k: int) -> pl.DataFrame:
        """The queries that are a hit among the first k for one of the two models only: query_id, model and baseline (whether it is).

        A hit is one in more than half of all orders of ties.

        Raises:
            EmbeddingError: k is not one of the cut-offs of both.
        """
        name = f"hit@{k}"
        if any(name not in each.values for each in (self.model, self.baseline)):
            known = ", ".join(
                each.removeprefix("hit@") for each in self.to_frame()["metric"] if each.startswith("hit@")
            )
            raise EmbeddingError(f"k is {k!r}: both were evaluated at {known}")
        hits = {each: getattr(self, each).values[name] > HIT for each in ("model", "baseline")}
        frame = pl.DataFrame({"query_id": self.model.per_query["query_id"], **hits})
        return frame.filter(pl.col("model") != pl.col("baseline"))

    def save(self, folder: str | Path) -> Path:
        """Write comparison.txt, comparison.json and comparison.csv to a folder, and return it.

        Raises:
            emm1.errors.Error: the folder is a file, or cannot be written.
        """
        where = Path(folder)
        with written(where):
            (where / "comparison.txt").write_text(f"{self}\n", encoding="utf-8")
            self.to_frame().write_csv(where / "comparison.csv")
            rows = [
                {k: None if v in {np.inf, -np.inf} else v for k, v in row.items()} for row in self.to_frame().to_dicts()
            ]
            parts = {
                "model": self.model.name,
                "baseline": self.baseline.name,
                "sha256": self.model.hashes.to_dict(),
                "measures": rows,
            }
            tables = json.dumps(parts, ensure_ascii=False, indent=2)
            (where / "comparison.json").write_text(f"{tables}\n", encoding="utf-8")
        return where

    @cached_property
    def _frame(self) -> pl.DataFrame:
        model, baseline = self.model.values, self.baseline.values
        names = [name for name in model if name in baseline]
        model, baseline = ({name: values[name] for name in names} for values in (model, baseline))
        cluster = np.unique(self.model.per_query["cluster"].to_numpy(), return_inverse=True)[1]
        clusters = int(cluster.max()) + 1
        bounds = _bounds(model, baseline, cluster, self.resamples if clusters >= LEAST_CLUSTERS else 0)
        rows = []
        for name in names:
            value, other = overall(name, model[name]), overall(name, baseline[name])
            only = [(model[name] > HIT) & (baseline[name] <= HIT), (baseline[name] > HIT) & (model[name] <= HIT)]
            flips = [int(each.sum()) for each in only] if name.startswith("hit@") else None
            low, high = bounds.get(name, (None, None))
            rows.append(
                {
                    "metric": name,
                    "value": value,
                    "baseline": other,
                    "difference": _difference(value, other),
                    "difference_low": low,
                    "difference_high": high,
                    "only_model": flips and flips[0],
                    "only_baseline": flips and flips[1],
                    "p": flips and mcnemar(*flips),
                    "queries": len(cluster),
                    "gallery": self.model.gallery,
                    "clusters": clusters,
                }
            )
        return pl.DataFrame(rows, schema=SCHEMA)


def compare(
    model: RetrievalReport, baseline: RetrievalReport | str | os.PathLike[str], common: bool
) -> RetrievalComparison:
    """Compare two reports; `RetrievalReport.compare` says how."""
    if not isinstance(baseline, str | os.PathLike | type(model)):
        raise EmbeddingError(
            f"a report is compared with another on retrieval, or with the folder that one was saved to, not {shown(baseline)}"
        )
    if common:
        if isinstance(baseline, str | os.PathLike):
            raise EmbeddingError(
                "a saved report cannot be run again: compare it without common=True, or evaluate its model again"
            )
        model, baseline = on_common([model, baseline])
    sides = (
        _answered(model),
        _saved(Path(baseline)) if isinstance(baseline, str | os.PathLike) else _answered(baseline),
    )
    differing = sides[0].hashes.differing(sides[1].hashes)
    if differing:
        raise EmbeddingError(
            f"{sides[0].name} and {sides[1].name} cannot be compared: they differ in {_and(differing)}. {_how(model, baseline, differing)}"
        )
    return RetrievalComparison(*sides, model.task.rules.resamples, model.metrics)


def _answered(report: RetrievalReport) -> Answered:
    name = f"{report.task.queries.name} → {report.task.base.name}"
    return Answered(name, report.hashes, report.per_query, len(report.outcome.gallery))


def _saved(folder: Path) -> Answered:
    try:
        parts = json.loads((folder / "retrieval.json").read_text(encoding="utf-8"))
        per_query = pl.read_parquet(folder / "per_query.parquet")
        name = " → ".join(parts["provenance"][side]["name"] for side in ("queries", "gallery"))
        return Answered(name, Hashes(**parts["sha256"]), per_query, parts["measures"][0]["gallery"])
    except OSError as error:
        raise FileNotFoundError(f"{folder} holds no saved report on retrieval: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise EmbeddingError(f"{folder} does not hold a report on retrieval as this version writes it") from error


def on_common(reports: Sequence[RetrievalReport]) -> list[RetrievalReport]:
    """Reports again, on the rows of the gallery, the queries and the pairs that all of them have; as they are if these are the same.

    Raises:
        EmbeddingError: they have nothing in common.
    """
    if len({report.hashes for report in reports}) <= 1:
        return list(reports)
    gallery = reduce(np.intersect1d, (report.outcome.gallery for report in reports))
    queries = reduce(np.intersect1d, (report.outcome.query_ids for report in reports))
    pairs = reports[0].outcome.pairs
    for report in reports[1:]:
        pairs = pairs.join(report.outcome.pairs, on=["query_id", "id", "grade"], how="semi", maintain_order="left")
    pairs = pairs.filter(pl.Series(np.isin(pairs["query_id"].to_numpy(), queries)))
    if pairs.is_empty() or not len(gallery):
        raise EmbeddingError(
            f"the reports have {len(gallery):,} rows of the gallery, {len(queries):,} queries and {len(pairs):,} pairs in common: "
            "there is nothing to compare"
        )
    return [_again(report, pairs, gallery) for report in reports]


def _again(report: RetrievalReport, pairs: pl.DataFrame, gallery: Whole) -> RetrievalReport:
    task = replace(report.task, pairs=replace(report.task.pairs, frame=pairs), among=gallery)
    return replace(report, task=task, outcome=carry_out(task))


def _how(model: RetrievalReport, baseline: RetrievalReport | str | os.PathLike[str], differing: list[str]) -> str:
    """What to do about it."""
    if "protocol" in differing:
        return "Evaluate both with the same exclude_self"
    if isinstance(baseline, str | os.PathLike):
        return "Evaluate the other model again, and compare both on what they have in common with common=True"
    counts = []
    for what, ids in (("gallery", "gallery"), ("queries", "query_ids")):
        if what in differing:
            first, second = (getattr(report.outcome, ids) for report in (model, baseline))
            counts.append(f"{what}: {len(first):,} and {len(second):,}, {len(np.intersect1d(first, second)):,} in both")
    listed = f" ({'; '.join(counts)})" if counts else ""
    return f"Compare them on what they have in common with common=True{listed}"


def _bounds(
    model: Mapping[str, Real], baseline: Mapping[str, Real], cluster: Whole, resamples: int
) -> dict[str, tuple[float | None, float | None]]:
    """The intervals of the differences: both models are resampled by the same draws."""
    if not resamples:
        return {}
    first, second = (draws(values, cluster, resamples) for values in (model, baseline))
    found: dict[str, tuple[float | None, float | None]] = {}
    for name, drawn in first.items():
        with np.errstate(invalid="ignore"):  # infinite ranks of both
            difference = drawn - second[name]
        if np.isnan(difference).any():
            found[name] = (None, None)
        else:
            low, high = percentiles(difference)
            found[name] = (float(low), float(high))
    return found


def _difference(value: float, other: float) -> float | None:
    with np.errstate(invalid="ignore"):
        return defined(float(np.subtract(value, other)))


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    name, low, high = row["metric"], row["difference_low"], row["difference_high"]
    interval = NONE if low is None else f"{_signed(name, low)} to {_signed(name, high)}"
    flips = [NONE if row[each] is None else f"{row[each]:,}" for each in ("only_model", "only_baseline")]
    values = [text.number(name, row[each]) for each in ("value", "baseline")]
    p = NONE if row["p"] is None else p_value(row["p"])
    return (name, *values, _signed(name, row["difference"]), interval, *flips, p)


def _signed(metric: str, value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return NONE
    return f"{value:+.1f}" if metric == MEDIAN else f"{value:+.4f}"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
