"""The rows of every evaluation in one shape: a number, how sure it is, what it is about, and how it compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

ROWS = {
    "model": pl.String,
    "evaluation": pl.String,
    "query": pl.String,
    "base": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "samples": pl.Int64,
    "gallery": pl.Int64,
    "coverage": pl.Float64,
    "baseline": pl.String,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "p": pl.Float64,
    "protocol": pl.String,
}
# What tables for people show, by evaluation; the rows have every metric.
SHOWN: Mapping[str, Mapping[str, str]] = {
    "retrieval": {"hit@1": "hit@1", "hit@10": "hit@10", "MRR": "MRR"},
    "ratings": {"auc_mean": "AUC mean", "somers_d": "Somers' D"},
    "caption ratings": {"auc_mean": "AUC mean", "somers_d": "Somers' D"},
    "eshot": {
        "top1_accuracy": "top-1 accuracy",
        "top5_accuracy": "top-5 accuracy",
        "top1_category_mean": "top-1 mean over categories",
    },
}
NAMES = {
    "retrieval": "Retrieval",
    "ratings": "Ratings",
    "caption ratings": "Caption ratings",
    "eshot": "EShot",
}


@dataclass(frozen=True)
class Line:
    """A metric of the tables for people: its rows by model; models without it have none."""

    metric: str
    rows: Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class Block:
    """The metrics of one evaluation in one direction.

    Attributes:
        evaluation: a key of `NAMES`.
        query: the modality that asks, or the paired one.
        base: the modality that is searched, or the annotated one.
        protocol: what was evaluated, and how.
        lines: the metrics that people see.
    """

    evaluation: str
    query: str
    base: str
    protocol: str
    lines: list[Line] = field(repr=False)

    @property
    def name(self) -> str:
        """The evaluation, as people call it."""
        return NAMES[self.evaluation]

    @property
    def title(self) -> str:
        """The evaluation and its direction."""
        return f"{self.name}: {self.query} → {self.base}"


def blocks(rows: pl.DataFrame) -> Iterator[Block]:
    """The rows as tables for people, in the order of the rows."""
    for (evaluation, query, base), own in rows.group_by("evaluation", "query", "base", maintain_order=True):
        shown = SHOWN[str(evaluation)]
        lines = [
            Line(
                name,
                {row["model"]: row for row in own.filter(metric=metric).iter_rows(named=True)},
            )
            for metric, name in shown.items()
        ]
        protocol = "; ".join(own["protocol"].unique(maintain_order=True))
        yield Block(str(evaluation), str(query), str(base), protocol, [line for line in lines if line.rows])
