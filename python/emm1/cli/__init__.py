"""The commands of the command line; ``emm1.__main__`` runs them."""

from __future__ import annotations

import typer

from emm1.cli import data, embeddings, extension, query, sql

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    add_completion=False,
    help="E-MM1 as one DuckDB file, with exact top-k similarity.",
)
app.command()(data.sample)
app.command()(data.build)
app.command()(data.upgrade)
app.command()(data.info)
app.command()(data.check)
app.command()(sql.sql)
app.add_typer(embeddings.app, name="embeddings")
app.command()(query.search)
app.command()(query.knn)
app.command()(query.eshot)
app.command()(extension.extension)
