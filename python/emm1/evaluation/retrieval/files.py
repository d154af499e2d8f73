"""Writes the report on retrieval as files: text, a page, JSON, CSV, and its queries and hits as Parquet."""

from __future__ import annotations

import os
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emm1.evaluation.report.estimates import Estimate
from emm1.evaluation.report.folder import written
from emm1.evaluation.report.page import render, write_parts
from emm1.evaluation.retrieval import text
from emm1.evaluation.retrieval.measures import MEDIAN
from emm1.evaluation.statistics import intervals

if TYPE_CHECKING:
    from emm1.evaluation.retrieval.report import RetrievalReport
    from emm1.evaluation.retrieval.task import Side


def save(report: RetrievalReport, folder: Path) -> Path:
    """Write every file of a report, as `RetrievalReport.save` says."""
    with written(folder):
        write_parts(folder / "retrieval", str(report), to_html(report), to_dict(report))
        report.to_frame().write_csv(folder / "retrieval.csv")
        report.per_query.write_parquet(folder / "per_query.parquet")
        report.hits.write_parquet(folder / "hits.parquet")
    return folder


def to_dict(report: RetrievalReport) -> dict[str, Any]:
    """The contents of retrieval.json: an infinite median rank is null there."""
    task, rules = report.task, report.task.rules
    rows = [{name: _plain(value) for name, value in row.items()} for row in report.to_frame().iter_rows(named=True)]
    return {
        "measures": rows,
        "provenance": provenance(report),
        "coverage": vars(report.coverage),
        "protocol": {
            "pairs": task.pairs.kind,
            "meaning": task.pairs.meaning,
            "left_out": dict(task.pairs.left_out),
            "drawn_from": task.pairs.drawn_from,
            "k": list(rules.ks),
            "score": rules.metric,
            "missing": rules.missing,
            "exclude_self": rules.exclude_self,
            "where": rules.where,
            "ties": text.TIES,
        },
        "sha256": report.hashes.to_dict(),
        "intervals": {
            "level": intervals.LEVEL,
            "method": f"percentile bootstrap over clusters: {text.CLUSTERS}",
            "clusters": report.clusters,
            "resamples": rules.resamples,
            "seed": intervals.SEED,
        },
    }


def provenance(report: RetrievalReport) -> dict[str, Any]:
    """Which files were read, when, and by which version of emm1."""
    sides = {"queries": report.task.queries, "gallery": report.task.base}
    return {
        "evaluated_at": report.evaluated_at.isoformat(),
        "emm1": version("emm1"),
        **{name: _source(side) for name, side in sides.items()},
        **report.task.excluded.to_dict(),
    }


def _source(side: Side) -> dict[str, Any]:
    embeddings = side.embeddings
    return {
        "name": side.name,
        "items": side.items,
        "path": os.path.abspath(embeddings.path),
        "ids": None if embeddings.ids_path is None else os.path.abspath(embeddings.ids_path),
        "rows": len(embeddings),
        "dims": embeddings.dim,
        "dtype": str(embeddings.dtype),
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def to_html(report: RetrievalReport) -> str:
    """The report as one HTML page that needs no network and no script."""
    rows = report.to_frame().to_dicts()
    return render(
        "retrieval.html",
        title=f"{report.task.queries.name} → {report.task.base.name}",
        shown=[_line(row) for name in report.metrics for row in rows if row["metric"] == name],
        rest=[_line(row) for row in rows if row["metric"] not in report.metrics],
        protocol=text.protocol(report),
        hashes=report.hashes.to_dict(),
        coverage=report.coverage,
        drawn_from=report.task.pairs.drawn_from,
        gallery=len(report.outcome.gallery),
        provenance=provenance(report),
        evaluated=report.evaluated_at.strftime("%Y-%m-%d %H:%M"),
        sides={"Queries": report.task.queries, "Gallery": report.task.base},
        text=str(report),
    )


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """A measure as the page shows it: its numbers as they are printed, and a bar unless it is a rank."""
    name = row["metric"]
    printed = {each: text.number(name, row[each]) for each in ("value", "low", "high", "worst", "best")}
    value = row["value"]
    bar = (
        None
        if name == MEDIAN
        else Estimate(value, *(value if row[end] is None else row[end] for end in ("low", "high")))
    )
    return {"name": name, "bar": bar, "interval": row["low"] is not None, **printed}
