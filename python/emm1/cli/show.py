"""Shows results: tables are fitted to a terminal, but not cut in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from emm1.cli.screen import Column, Screen, tabbed
from emm1.errors import CodesError, CodesWarning, Error
from emm1.streams import printable

REGISTER_AGAIN = "`emm1 embeddings add --replace`"


def say(text: object = "") -> None:
    """Print one or more lines to standard output."""
    print(printable(text))  # noqa: T201 - the purpose of this function


def lines(text: object, screen: Screen | None = None) -> list[str]:
    """The lines of a text, with control characters made visible; on a terminal folded between words."""
    shown = printable(text).split("\n")
    if screen is None:
        return shown
    from emm1.cli.tables import fold

    return [part for line in shown for part in fold(line, screen.width)]


def put(line: str) -> None:
    """Print a line in which control characters are visible already."""
    print(line)  # noqa: T201 - the purpose of this function


def warn(text: object) -> None:
    """Print a line to standard error."""
    print(f"emm1: {printable(text)}", file=sys.stderr)  # noqa: T201


def told(said: object) -> str:
    """An error or a warning of the library, with the options of the command line in place of arguments.

    >>> told(Error("build it anew", force=True)), told(Error("build without them", splits=["100m"], ranks=[1, 2]))
    ('build it anew: --force', 'build without them: --splits 100m --ranks 1,2')
    """
    if isinstance(said, CodesError | CodesWarning):
        return f"{said}; on the command line: {REGISTER_AGAIN}"
    if not isinstance(said, Error) or not said.arguments:
        return str(said)
    options = " ".join(_option(name, value) for name, value in said.arguments.items())
    return f"{said.reason}: {options}"


def _option(name: str, value: object) -> str:
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return flag
    return f"{flag} {','.join(map(str, value)) if isinstance(value, list) else value}"


@contextmanager
def progress(unit: str = "rows") -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on a terminal that can move its cursor, nothing in a pipe.

    Call it with what is being done, the amount done and the total (0 if that is unknown), several times a second: the rate and
    the time left are computed from the calls. A new total, or an amount below the last one, begins another step.

    Args:
        unit: what is counted; ``bytes`` are shown as kB, MB or GB.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") in {"dumb", None}:
        yield lambda _what, _done, _total: None
        return
    from emm1.cli.bar import bar

    with bar(size if unit == "bytes" else lambda count: f"{float(f'{count:.3g}'):,.0f} {unit}") as shown:
        yield shown


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], counts: Sequence[str], screen: Screen | None
) -> list[str]:
    r"""The lines of a small table, whole.

    Args:
        columns: names of the columns.
        rows: the rows.
        counts: columns of numbers, which get thousands separators on a terminal.
        screen: the terminal; None for a pipe or a file.

    >>> table(["table", "rows"], [("eshot.audio", 1758)], ["rows"], None)[1].split("\t")
    ['eshot.audio', '1758']
    """
    texts = [[None if value is None else str(value) for value in row] for row in rows]
    if screen is None:
        return list(tabbed(columns, texts, ""))
    drawn = [Column(name, number=name in counts, count=name in counts) for name in columns]
    from emm1.cli.tables import draw

    return draw(drawn, texts, screen, "", whole=True).lines


def size(count: int) -> str:
    """A number of bytes in the most readable unit."""
    value = float(count)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.4g} {unit}"
        value /= 1000
    return f"{value:.4g} GB"
