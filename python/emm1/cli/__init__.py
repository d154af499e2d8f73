"""The commands of the command line; ``emm1.__main__`` runs them."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from emm1.cli import (
    curation,
    duplicates,
    embed,
    embeddings,
    eshot,
    evaluate,
    explore,
    export,
    extension,
    flags,
    groups,
    index,
    ingest,
    knn,
    leakage,
    licenses,
    media,
    ratings,
    retrieval,
    sample,
    search,
    show,
    sql,
    store,
    zero_shot,
)
from emm1.cli import map as maps
from emm1.cli.commands import Commands

app = Commands("E-MM1 as one DuckDB file, with exact top-k similarity.")


def _show_version(wanted: bool) -> None:
    if wanted:
        show.say(f"emm1 {metadata.version('emm1')}")
        raise typer.Exit


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version of emm1 and exit."),
    ] = False,
) -> None:
    pass


app.command()(sample.sample)
app.command()(ingest.build)
app.command()(ingest.upgrade)
app.command()(store.info)
app.command()(store.check)
app.command()(sql.sql)
app.add_typer(embeddings.app, name="embeddings")
app.add_typer(media.app, name="media")
app.command()(embed.embed)
app.add_typer(index.app, name="index")
app.command()(search.search)
app.command()(knn.knn)
app.command("knn merge")(knn.merge)
app.command()(evaluate.evaluate)
app.command()(eshot.eshot)
app.command()(ratings.ratings)
app.command()(retrieval.retrieval)
app.command()(zero_shot.zero_shot)
app.add_typer(groups.app, name="groups")
app.command()(curation.split)
app.command()(curation.negatives)
app.command()(duplicates.duplicates)
app.command()(leakage.leakage)
app.command("map")(maps.map_)
app.command()(licenses.licenses)
app.add_typer(flags.app, name="flags")
app.command()(export.export)
app.command()(export.lake)
app.command()(explore.explore)
app.command()(extension.extension)
