"""Where tables are shown: a terminal, which `emm1.cli.tables` draws for, or a pipe or a file, which gets lines with tabs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from emm1.streams import printable

Row = Sequence[str | None]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its name.
        type: the name of its type, shown under its name; '' to show none.
        number: whether its values are numbers, which are aligned on the right and never cut.
        count: whether its values get thousands separators on a terminal.
        text: whether its values are prose, which may be folded onto several lines.
    """

    name: str
    type: str = ""
    number: bool = False
    count: bool = False
    text: bool = True


@dataclass(frozen=True)
class Screen:
    """A terminal.

    Attributes:
        width: cells in a line.
        height: number of lines.
        encoding: how text is encoded.
        styled: whether it shows bold and dim text.
    """

    width: int
    height: int
    encoding: str = "utf-8"
    styled: bool = False

    def shown(self, text: str) -> str:
        """Text as it appears: on one line, with stand-ins for what the encoding lacks."""
        text = printable(text, lines=False)
        return text if text.isascii() else text.encode(self.encoding, "emm1").decode(self.encoding)


def screen_of(stream: TextIO) -> Screen | None:
    """The terminal that a stream writes to; None if it is none."""
    if not stream.isatty():
        return None
    size = shutil.get_terminal_size()
    styled = not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in {"dumb", None}
    return Screen(size.columns, size.lines, stream.encoding, styled)


def tabbed(names: Sequence[str], rows: Iterable[Row], null: str) -> Iterator[str]:
    r"""The lines of a table for a pipe or a file: names, then rows, nothing cut.

    >>> list(tabbed(["id", "caption"], [("7", "two\nlines"), ("8", None)], "NULL"))
    ['id\tcaption', '7\ttwo\\nlines', '8\tNULL']
    """
    yield "\t".join(printable(name, lines=False) for name in names)
    for row in rows:
        yield "\t".join(null if value is None else printable(value, lines=False) for value in row)
