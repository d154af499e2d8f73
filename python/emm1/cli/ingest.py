"""The commands that make stores: build, upgrade."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from emm1.cli import show
from emm1.cli.parameters import StorePath, numbers
from emm1.cli.screen import screen_of
from emm1.dataset import Split, check_ranks, check_splits
from emm1.store.database import SCHEMA_VERSION

if TYPE_CHECKING:
    from emm1.ingest.report import BuildReport
    from emm1.store.integrity import Orphans

DropOwn = Annotated[
    bool, typer.Option("--drop-own", help="Go on even if some of what you made in STORE cannot be kept.")
]


def build(
    root: Annotated[
        Path,
        typer.Argument(
            metavar="ROOT", help="The dataset's clone, its datasets folder, or a copy; or the Hub's Parquet files."
        ),
    ],
    store: StorePath,
    ranks: Annotated[
        str | None, typer.Option(help="Ranks of the groups, e.g. 1-16 or 1,2,5. [default: all there]")
    ] = None,
    splits: Annotated[str | None, typer.Option(help="Of 100m,1m,eshot. [default: all there]")] = None,
    groups: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Groups of your own, from `emm1 groups make`, in place of those in ROOT."),
    ] = None,
    media_root: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the media. [default: ROOT]")] = None,
    memory_limit: Annotated[str, typer.Option(help="What all of it may use; DuckDB gets half.")] = "2GB",
    threads: Annotated[int | None, typer.Option(min=1, help="[default: all cores]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Read every file, whatever the store has already.")] = False,
    drop_own: DropOwn = False,
    switch_triplet_columns: Annotated[
        bool,
        typer.Option("--switch-triplet-columns", help="Read a triplets.csv of 2025-10-15 as the corrected one."),
    ] = False,
) -> None:
    """Build a store from the published files, CSV and JSON or Parquet, or bring one up to date: what did not change is kept.

    Example: `emm1 build E-MM1/datasets emm1.duckdb --ranks 1-4`
    """
    from emm1.ingest.run import build_store

    wanted_ranks = None if ranks is None else check_ranks(numbers(ranks, "--ranks"))
    wanted_splits = None if splits is None else check_splits([cast("Split", s.strip()) for s in splits.split(",")])
    with show.progress("bytes") as progress:
        report = build_store(
            root,
            store,
            ranks=wanted_ranks,
            splits=wanted_splits,
            groups=groups,
            media_root=media_root,
            memory_limit=memory_limit,
            threads=threads,
            force=force,
            drop_own=drop_own,
            switch_triplet_columns=switch_triplet_columns,
            progress=progress,
        )
    _show_report(report)


def _show_report(report: BuildReport) -> None:
    if report.up_to_date:
        show.say(f"{report.path} is up to date: none of its {len(report.kept)} files changed")
    else:
        _show_changes(report)
    for warning in report.warnings:
        show.warn(f"warning: {warning}")
    if report.older_triplets:
        show.warn("note: --switch-triplet-columns switches the columns of triplets.csv")


def _show_changes(report: BuildReport) -> None:
    for line in show.table(["table", "rows"], report.rows.items(), ["rows"], screen_of(sys.stdout)):
        show.put(line)
    if report.kept:
        show.say(f"kept: {len(report.kept)} files; read: {', '.join(report.read) or 'none'}")
    if report.dropped:
        show.say(f"dropped: {', '.join(report.dropped)}")
    for text in [*report.notes, *(_orphan_text(result) for result in report.orphans if result.missing)]:
        show.say(f"note: {text}")
    if report.missing:
        show.say(f"not there: {', '.join(report.missing)}")
    show.say(f"{report.path}: {show.size(report.bytes)} in {report.seconds:.1f} s")


def _orphan_text(result: Orphans) -> str:
    return (
        f"{result.missing:,} of {result.checked:,} ids in {result.reference} have no row in {result.reference.target}"
    )


def upgrade(
    store: StorePath,
    memory_limit: Annotated[str, typer.Option(help="What all of it may use; DuckDB gets half.")] = "2GB",
    drop_own: DropOwn = False,
) -> None:
    """Bring a store that an older emm1 built up to date, without the published files; embeddings stay registered.

    Example: `emm1 upgrade emm1.duckdb`
    """
    from emm1.ingest.upgrade import upgrade_store

    notes: list[str] = []
    with show.progress() as progress:
        before = upgrade_store(
            store, memory_limit=memory_limit, drop_own=drop_own, tell=notes.append, progress=progress
        )
    if before == SCHEMA_VERSION:
        show.say(f"{store} is up to date: schema version {before}")
    else:
        for note in notes:
            show.say(f"note: {note}")
        show.say(f"{store}: schema version {before} became {SCHEMA_VERSION}")
