"""How results are shown: tables that fit the terminal, whole where the output is a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

# A pipe has no width: nothing is cut there.
WIDE = 1000


def console() -> Console:
    """Standard output, as wide as its terminal."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, emoji=False, markup=False)


def warn(text: str) -> None:
    """A line on standard error."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"emm1: {text}")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right, and have separators."""
    listed = [list(row) for row in rows]
    shown = Table(title=title or None, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for i, name in enumerate(columns):
        number = any(isinstance(row[i], int | float) for row in listed)
        shown.add_column(name, justify="right" if number else "left", overflow="ellipsis")
    for row in listed:
        shown.add_row(*(_text(value) for value in row))
    console().print(shown)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def size(count: int) -> str:
    """A number of bytes, in the unit that reads best."""
    value = float(count)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.4g} {unit}"
        value /= 1000
    return f"{value:.4g} GB"
