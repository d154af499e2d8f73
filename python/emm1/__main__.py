"""``emm1``, also ``python -m emm1``: the command line as a process, its streams, signals, errors and exit status."""

from __future__ import annotations

import sys
import warnings

from emm1 import streams
from emm1.errors import EmbeddingsWarning, Error
from emm1.interrupts import STATUS, Interrupts

USAGE = 2


def main() -> None:
    """Run the command line: exit 0 done, 1 the data or the request is wrong, 2 usage, 130 Ctrl-C."""
    interrupts = Interrupts()
    try:
        with interrupts.listening():
            streams.prepare()
            status = run(interrupts)
            sys.stdout.flush()
    except streams.ReaderGoneError:
        status = 0
    except Error as error:
        status = _failed(error)
    except KeyboardInterrupt:
        interrupts.heard = True
    if interrupts.heard:
        status = _failed("interrupted", STATUS)
    sys.exit(status)


def run(interrupts: Interrupts) -> int:
    """Run the command that the arguments name, and say what went wrong; its exit status.

    Raises:
        KeyboardInterrupt: there was a Ctrl-C, whatever came of it.
    """
    # Slow to import, so Ctrl-C is heard first.
    import duckdb

    from emm1.cli import app, show
    from emm1.versions import untested

    warnings.showwarning = lambda message, category, *_: show.warn(f"{_kind_of(category)}: {message}")
    try:
        return int(app(standalone_mode=False) or 0)
    except Exception as error:
        if interrupts.heard:
            raise KeyboardInterrupt from None
        if isinstance(error, Error | UnicodeError):
            return _failed(error)
        if isinstance(error, duckdb.Error):
            newer = untested()
            return _failed(f"{error}\nemm1: {newer}" if newer else error)
        if isinstance(error, OSError):
            named = f"{error.filename}: " if error.filename is not None else ""
            return _failed(f"{named}{error.strerror or error}")
        if hasattr(error, "format_message"):  # of click, which newer typers carry within themselves
            return _misused(error)
        if newer := untested():
            error.add_note(newer)
        raise


def _kind_of(category: type[Warning]) -> str:
    """What a warning is called: what is said of embeddings changes no answer."""
    return "note" if issubclass(category, EmbeddingsWarning) else "warning"


def _misused(error: Exception) -> int:
    from typer import rich_utils

    for name in ("message", "param_hint"):
        if isinstance(said := getattr(error, name, None), str):
            setattr(error, name, streams.printable(said))
    rich_utils.rich_format_error(error)  # type: ignore[arg-type]
    return int(getattr(error, "exit_code", USAGE))


def _failed(reason: object, status: int = 1) -> int:
    """Say in one message why the command ends."""
    print(f"emm1: {streams.printable(reason)}", file=sys.stderr)  # noqa: T201
    return status


if __name__ == "__main__":
    main()
