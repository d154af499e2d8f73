"""The evaluations of which a report on models consists: each gives rows, and writes its own report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from emm1.dataset import Split
from emm1.evaluation.eshot.comparison import EShotComparison
from emm1.evaluation.eshot.comparison import compare as compare_eshot
from emm1.evaluation.eshot.samples import samples_of
from emm1.evaluation.models.plan import Files, covered, lacking, rated_pairs
from emm1.evaluation.models.rows import ROWS
from emm1.evaluation.ratings.comparison import compare
from emm1.evaluation.ratings.report import RatingsReport, rate
from emm1.evaluation.report.folder import folders
from emm1.evaluation.retrieval.comparison import on_common
from emm1.evaluation.retrieval.report import RetrievalReport
from emm1.evaluation.retrieval.run import Options, retrieve
from emm1.store.excluded import Excluded
from emm1.store.store import Store

Progress = Callable[[str, int, int], object]
NO_TRIPLETS = "the store has no triplets"


@dataclass(frozen=True)
class Saved:
    """A report that is saved in a folder of its own.

    Attributes:
        save: writes it to the folder.
        page: the file to open first.
    """

    save: Callable[[Path], object]
    page: str


@dataclass(frozen=True)
class Part:
    """One evaluation.

    Attributes:
        rows: with the columns of `ROWS`.
        saved: its own reports, by their folders in that of the whole report.
        left_out: what could not be evaluated, and why.
    """

    rows: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ROWS))
    saved: Mapping[str, Saved] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def retrieval(
    store: Store, models: Mapping[str, Files], baseline: str | None, options: Options, progress: Progress
) -> list[Part]:
    """Retrieval both ways between captions and the paired items of their triplets, one part for each direction."""
    modalities = sorted({paired for paired, _ in rated_pairs(store)})
    if not modalities:
        return [Part(left_out=(f"retrieval: {NO_TRIPLETS}",))]
    directions = [pair for each in modalities for pair in (("text", each), (each, "text"))]
    able = [_retrieval(store, models, direction, baseline, options, progress) for direction in directions]
    none = [name for name in models if not any(name in part.rows["model"] for part in able)]
    return [
        *able,
        Part(
            left_out=tuple(
                f"retrieval, {name}: no embeddings of 1m text and another modality that has captions" for name in none
            )
        ),
    ]


def _retrieval(
    store: Store,
    models: Mapping[str, Files],
    direction: tuple[str, str],
    baseline: str | None,
    options: Options,
    progress: Progress,
) -> Part:
    query, base = direction
    reports = {}
    for name, files in models.items():
        if ("1m", query) in files and ("1m", base) in files:
            on = partial(progress, f"{name}, {query} → {base}")
            sides = files["1m", query], files["1m", base]
            reports[name] = retrieve(store, *sides, "captions", None, options, on)
    common = dict(zip(reports, on_common(list(reports.values())), strict=True))
    rows = [_retrieval_rows(name, common, reports[name].coverage.asked, baseline, options.resamples) for name in common]
    folder = f"retrieval/{query}_to_{base}"
    saved = {f"{folder}/{own}": Saved(reports[name].save, "retrieval.html") for name, own in folders(reports).items()}
    return Part(
        pl.concat(
            [
                pl.DataFrame(schema=ROWS),
                *(_in_shape(each.with_columns(query=pl.lit(query), base=pl.lit(base))) for each in rows),
            ]
        ),
        saved,
    )


def _retrieval_rows(
    name: str, reports: Mapping[str, RetrievalReport], asked: int, baseline: str | None, resamples: int
) -> pl.DataFrame:
    frame = reports[name].to_frame()
    if baseline is not None and baseline in reports and name != baseline:
        differences = reports[name].compare(reports[baseline]).to_frame()
        frame = frame.join(
            differences.select("metric", "difference", "difference_low", "difference_high", "p"),
            on="metric",
            how="left",
            maintain_order="left",
        ).with_columns(baseline=pl.lit(baseline))
    first = frame.row(0, named=True)
    intervals = _intervals(f"the bootstrap over {first['clusters']:,} clusters of queries", resamples)
    protocol = (
        f"{first['queries']:,} of {asked:,} queries, gallery {first['gallery']:,} rows{_shared(reports)}; pairs: captions and the paired "
        f"items of their triplets; {reports[name].task.rules.metric}; expectation over orders of "
        f"ties{intervals}{_tested(reports, baseline)}"
    )
    return frame.with_columns(
        model=pl.lit(name),
        evaluation=pl.lit("retrieval"),
        samples=pl.col("queries"),
        coverage=pl.lit(first["queries"] / asked),
        protocol=pl.lit(protocol),
    )


def eshot(store: Store, models: Mapping[str, Files], baseline: str | None, out: Excluded) -> Part:
    """EShot, for the models that have both of its modalities."""
    needed: list[tuple[Split, str]] = [("eshot", "audio"), ("eshot", "points")]
    without = lacking(models, needed)
    left_out = tuple(f"EShot, {name}: no embeddings of {what}" for name, what in without.items())
    samples = {
        name: (
            samples_of(store, "audio", files["eshot", "audio"], out),
            samples_of(store, "points", files["eshot", "points"], out),
        )
        for name, files in models.items()
        if name not in without
    }
    if not samples:
        return Part(left_out=left_out)
    compared = compare_eshot(samples, baseline if baseline in samples else None)
    return Part(_eshot_rows(compared, baseline), {"eshot": Saved(compared.save, "comparison.html")}, left_out)


def _eshot_rows(compared: EShotComparison, baseline: str | None) -> pl.DataFrame:
    listed = {row["modality"]: row["listed"] for row in compared.coverage.iter_rows(named=True)}
    directions = pl.col("direction").str.split("_to_").list
    frame = compared.to_frame().with_columns(
        evaluation=pl.lit("eshot"), query=directions.first(), base=directions.last(), gallery=pl.col("categories")
    )
    if baseline not in compared.reports:  # another model stood in for it
        frame = frame.with_columns(
            pl.lit(None).alias(name) for name in ("baseline", "difference", "difference_low", "difference_high", "p")
        )
    frame = frame.with_columns(listed=pl.col("query").replace_strict(listed, return_dtype=pl.Int64))
    protocol = (
        f"{{}} of {{}} samples{_shared(compared.reports)}, in {{}} categories; intervals by Wilson's score, or by a bootstrap stratified by "
        f"category for means and differences{_tested(compared.reports, baseline)}"
    )
    return _in_shape(
        frame.with_columns(
            coverage=pl.col("samples") / pl.col("listed"),
            protocol=pl.format(protocol, "samples", "listed", "categories"),
        )
    )


def ratings(store: Store, models: Mapping[str, Files], baseline: str | None, options: Options) -> Part:
    """Agreement with people, for every ordered pair of modalities that was rated."""
    pairs = rated_pairs(store)
    if not pairs:
        return Part(left_out=(f"ratings: {NO_TRIPLETS}",))
    able = {name: files for name, files in models.items() if covered(files, pairs)}
    left_out = tuple(
        f"ratings, {name}: no embeddings of two modalities that were rated together"
        for name in models
        if name not in able
    )
    reports = {
        name: rate(
            store,
            {modality: file for (dataset, modality), file in files.items() if dataset == "1m"},
            options.resamples,
            options.exclude,
            options.available,
        )
        for name, files in able.items()
    }
    parts = [_ratings_rows(reports, against, baseline, options.resamples) for against in ("paired", "caption")]
    saved = {
        f"ratings/{folder}": Saved(reports[name].save, "ratings.html") for name, folder in folders(reports).items()
    }
    return Part(pl.concat([pl.DataFrame(schema=ROWS), *parts]), saved, left_out)


def _ratings_rows(
    reports: Mapping[str, RatingsReport], against: str, baseline: str | None, resamples: int
) -> pl.DataFrame:
    frame = compare({name: report.judgements(against) for name, report in reports.items()}, baseline, resamples)
    rated = {
        (row["paired_modality"], row["annotated_modality"]): row["rows"]
        for report in reports.values()
        for row in report.coverage(against).iter_rows(named=True)
    }
    rows = [rated[pair] for pair in frame.select("paired_modality", "annotated_modality").iter_rows()]
    frame = frame.with_columns(pl.Series("rated", rows, pl.Int64))
    protocol = (
        f"{{}} of {{}} rated rows{_shared(reports)}; cosine of {against} and annotated item"
        f"{_intervals('the pigeonhole bootstrap over captions and annotated items', resamples)}"
    )
    return _in_shape(
        frame.with_columns(
            evaluation=pl.lit("ratings" if against == "paired" else "caption ratings"),
            query=pl.col("paired_modality"),
            base=pl.col("annotated_modality"),
            metric=pl.col("measure"),
            samples=pl.col("pairs"),
            coverage=pl.col("pairs") / pl.col("rated"),
            protocol=pl.format(protocol, "pairs", "rated"),
        )
    )


def _shared(models: Collection[str]) -> str:
    return ", over those that every model has" if len(models) > 1 else ""


def _intervals(method: str, resamples: int) -> str:
    return f"; intervals by {method}" if resamples else ""


def _tested(models: Collection[str], baseline: str | None) -> str:
    return "; p of McNemar's exact test" if baseline in models and len(models) > 1 else ""


def _in_shape(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of `ROWS`, with NULL in those that an evaluation does not have."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name) for name, kind in ROWS.items()
    )
