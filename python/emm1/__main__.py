"""``emm1`` or ``python -m emm1``: the command line as a process: streams, signals, errors and exit status."""

from __future__ import annotations

import sys
import warnings

from emm1 import streams
from emm1.errors import EmbeddingsWarning, Error
from emm1.interrupts import STATUS, Interrupts

USAGE = 2


def main() -> None:
    """Run the command line; it exits with 0 for success, 1 for wrong data or a wrong request, 2 for usage, 130 for Ctrl-C."""
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
        interrupts.received = True
    if interrupts.received:
        status = _failed("interrupted", STATUS)
    sys.exit(status)


def run(interrupts: Interrupts) -> int:
    """Run the command that the arguments name, report what goes wrong, and return the exit status.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, whatever the command did.
    """
    # Slow to import, so imported when Ctrl-C is already handled.
    import duckdb

    from emm1.cli import app, show
    from emm1.versions import untested

    warnings.showwarning = lambda message, category, *_: show.warn(f"{_label(category)}: {show.told(message)}")
    try:
        return int(app(standalone_mode=False) or 0)
    except Exception as error:
        if interrupts.received:
            raise KeyboardInterrupt from None
        if isinstance(error, Error | UnicodeError):
            return _failed(show.told(error))
        if isinstance(error, duckdb.Error):
            newer = untested()
            return _failed(f"{error}\nemm1: {newer}" if newer else error)
        if isinstance(error, OSError):
            file = f"{error.filename}: " if error.filename is not None else ""
            return _failed(f"{file}{error.strerror or error}")
        if hasattr(error, "format_message"):  # an error of click, which newer versions of typer vendor
            return _usage_error(error)
        if newer := untested():
            error.add_note(newer)
        raise


def _label(category: type[Warning]) -> str:
    """The label of a warning: one about embeddings is only a note, because the answer stays the same."""
    return "note" if issubclass(category, EmbeddingsWarning) else "warning"


def _usage_error(error: Exception) -> int:
    for name in ("message", "param_hint"):
        if isinstance(text := getattr(error, name, None), str):
            setattr(error, name, streams.printable(text))
    error.show()  # type: ignore[attr-defined]
    return int(getattr(error, "exit_code", USAGE))


def _failed(reason: object, status: int = 1) -> int:
    """Print why the command ends; returns the exit status."""
    print(f"emm1: {streams.printable(reason)}", file=sys.stderr)  # noqa: T201
    return status


if __name__ == "__main__":
    main()
