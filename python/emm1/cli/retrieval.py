"""The command retrieval."""

from __future__ import annotations

from shutil import rmtree
from typing import TYPE_CHECKING, Annotated

import typer

from emm1.cli import show
from emm1.cli.parameters import (
    AddressOption,
    AvailableOption,
    EngineOption,
    ExcludeOption,
    MergeOption,
    ShardOption,
    StorePath,
    engine_of,
    flags_of,
    metric_of,
    shard_or_merge,
)
from emm1.cli.reports import Report, ReportFormat, ReportOutput, show_report
from emm1.store.opening import open as open_store

if TYPE_CHECKING:
    from emm1.store.store import Store


def retrieval(
    store: StorePath,
    queries: Annotated[
        str, typer.Argument(metavar="QUERIES", help="Vectors to search by: a registered name, or a file.")
    ],
    base: Annotated[str, typer.Argument(metavar="BASE", help="The gallery, all of whose rows are searched, likewise.")],
    pairs: Annotated[
        str,
        typer.Option(
            metavar="KIND|FILE",
            help="The right answers: captions, groups, triplets, same-id, or a file with query_id, id and optionally grade.",
        ),
    ] = "captions",
    k: Annotated[str, typer.Option("--k", "-k", metavar="K,…", help="The cut-offs of the measures.")] = "1,5,10",
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC,…",
            help="The measures to show: hit, recall, precision, nDCG, each also as hit@5; MRR, mAP, R-precision, median_rank; all. "
            "[default: hit, nDCG at the largest K, mAP, median_rank]",
        ),
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="Search only items of the gallery whose info row fulfils this.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Also for each value of a column: caption_words, or a column of the queries' info rows.",
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(metavar="exclude|fail", help="Whether missing vectors are left out and counted, or are an error."),
    ] = "exclude",
    exclude_self: Annotated[
        bool, typer.Option("--exclude-self", help="Leave out the row with the query's own id.")
    ] = False,
    metric: Annotated[
        str | None, typer.Option(help="The score: cosine, dot or l2. [default: as BASE is registered]")
    ] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Resamples for the 95% intervals; 0 for none.")] = 1000,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Ask only N of the queries, drawn at random. [default: all]")
    ] = None,
    exclude: ExcludeOption = None,
    available: AvailableOption = False,
    shard: ShardOption = None,
    merge: MergeOption = False,
    engine: EngineOption = None,
    address: AddressOption = None,
    format: ReportFormat = None,  # noqa: A002 - the option
    output: ReportOutput = None,
) -> None:
    """Show how high the right answers of each query rank among all rows of a gallery.

    Example: `emm1 retrieval emm1.duckdb text_1m image_1m --pairs captions --output report`
    """
    from emm1.evaluation.retrieval.run import Options, retrieve_shard
    from emm1.evaluation.retrieval.slices import Slices
    from emm1.parts import parts_beside

    score = metric_of(metric)
    if missing not in {"exclude", "fail"}:
        raise typer.BadParameter(f"{missing!r} is neither exclude nor fail", param_hint="--missing")
    cutoffs = cutoffs_of(k)
    names = None if metrics is None else [name.strip() for name in metrics.split(",")]
    own = shard_or_merge(shard, merge=merge)
    chosen = engine_of(engine, address, shard, merge=merge)
    shared = output if own or merge or chosen else None
    if (own or merge or chosen) and shared is None:
        raise typer.BadParameter(
            "says where the report of all parts goes, which are kept beside it", param_hint="--output"
        )
    if shared and not merge:
        with open_store(store, read_only=True) as opened, show.progress("answers") as progress:
            options = Options(
                cutoffs, names, score, missing, exclude_self, resamples, sample, flags_of(exclude), available
            )
            retrieve_shard(
                opened,
                queries,
                base,
                pairs,
                where,
                options,
                parts_beside(shared),
                own or (1, 1),
                lambda done, of: progress("ranking", done, of),
                chosen,
            )
    if own:
        show.say(f"{output}.parts: shard {shard} is done")
        return

    def evaluated(opened: Store) -> Report:
        with show.progress("answers") as progress:
            report = opened.retrieval(
                queries,
                base,
                pairs,
                cutoffs,
                where=where,
                metrics=names,
                metric=score,
                missing=missing,
                exclude_self=exclude_self,
                resamples=resamples,
                sample=sample,
                exclude=flags_of(exclude),
                available=available,
                parts=parts_beside(shared) if shared else None,
                progress=lambda done, of: progress("ranking", done, of),
            )
        return report if by is None else Slices(report, by)

    show_report(store, evaluated, format, output, "retrieval.html")
    if shared:
        rmtree(parts_beside(shared))


def cutoffs_of(text: str) -> list[int]:
    """The numbers of K,K,….

    Raises:
        typer.BadParameter: the text is something else.

    >>> cutoffs_of("1, 5,10")
    [1, 5, 10]
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise typer.BadParameter(
            f"{text!r} is not a list of whole numbers of at least 1, such as 1,5,10", param_hint="--k"
        )
    return [int(part) for part in parts]
