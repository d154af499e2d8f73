"""The command line: ``emm1``."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import TextIO

import duckdb
import typer

from emm1.cli import data, embeddings, extension, query, show, sql
from emm1.errors import EmbeddingsWarning, Error
from emm1.versions import untested

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


def main() -> None:
    """Run the command line: exit 0 done, 1 the data or the request is wrong, 2 usage, 130 Ctrl-C."""
    warnings.showwarning = _warn
    try:
        app()
        sys.stdout.flush()
    except (Error, duckdb.Error) as error:
        print(f"emm1: {error}", file=sys.stderr)  # noqa: T201 - the one message
        if not isinstance(error, Error) and (newer := untested()):
            print(f"emm1: {newer}", file=sys.stderr)  # noqa: T201 - likewise
        sys.exit(1)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        if newer := untested():
            error.add_note(newer)
        raise


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """What is to be said of embeddings, as a note; any other warning as Python shows it."""
    if issubclass(category, EmbeddingsWarning):
        show.warn(f"note: {message}")
    else:
        _show_warning(message, category, filename, lineno, file, line)


_show_warning = warnings.showwarning
