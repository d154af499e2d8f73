"""The commands of the command line; ``emm1.__main__`` runs them."""

from __future__ import annotations

from emm1.cli import embeddings, evaluation, extension, ingest, sample, search, sql, store
from emm1.cli.commands import Commands

app = Commands("E-MM1 as one DuckDB file, with exact top-k similarity.")
app.command()(sample.sample)
app.command()(ingest.build)
app.command()(ingest.upgrade)
app.command()(store.info)
app.command()(store.check)
app.command()(sql.sql)
app.add_typer(embeddings.app, name="embeddings")
app.command()(search.search)
app.command()(search.knn)
app.command()(evaluation.eshot)
app.command()(extension.extension)
