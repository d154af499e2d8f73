"""Draws tables that fit a terminal: columns share its width, and rows its height."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from rich.cells import cell_len, chop_cells, set_cell_size

from emm1.cli.screen import Column, Row, Screen

# Blanks between two columns.
GAP = 2
# A column of text is left out rather than narrower than this.
NARROWEST = 16
# Names of types up to this length are not cut: varchar, smallint.
SHORT_TYPE = 8
# Rows that are counted; of a longer result only the first rows are shown.
MOST_ROWS = 100_000
# Lines of a screen, beside the header, that are not rows: its rule, the footer, and the shell's next prompt.
OTHER_LINES = 3
FEWEST_ROWS = 4
BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def clipped(line: str, screen: Screen) -> str:
    """A line of text cut at the edge of a screen."""
    return _cut(screen.shown(line), screen.width, screen.shown("…"), path=False)


@dataclass
class Drawn:
    """A table that is drawn.

    Attributes:
        lines: its lines.
        rows: how many rows it has; more than MOST_ROWS if they were not all counted.
        shown: how many of its rows are shown.
        columns: how many of its columns are shown.
    """

    lines: list[str]
    rows: int
    shown: int
    columns: int

    def summary(self, columns: int) -> str:
        """How many rows and columns there are, and how many of them are shown.

        >>> Drawn([], 1234, 40, 2).summary(3), Drawn([], 1, 1, 2).summary(2)
        ('1,234 rows (40 shown), 3 columns (2 shown)', '1 row')
        """
        rows = f"more than {MOST_ROWS:,} rows" if self.rows > MOST_ROWS else _counted(self.rows, "row")
        parts = [rows + (f" ({self.shown:,} shown)" if self.shown < self.rows else "")]
        if self.columns < columns:
            parts.append(f"{_counted(columns, 'column')} ({self.columns:,} shown)")
        return ", ".join(parts)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def draw(columns: Sequence[Column], rows: Iterable[Row], screen: Screen, null: str, *, whole: bool = False) -> Drawn:
    r"""Draw a table.

    Args:
        columns: the columns; there is at least one.
        rows: the rows, of which only those that are shown are kept.
        screen: what it has to fit: columns in the middle are left out, and rows in the middle.
        null: what is shown for NULL.
        whole: whether to show every row, even if that takes more than one screen.

    >>> rows = [("7", "a dog barks at the moon")]
    >>> print(*draw([Column("id", number=True), Column("caption")], rows, Screen(20, 24), "").lines, sep="\n")
    id  caption
    ──  ────────────────
     7  a dog barks at
        the moon
    """
    most = None if whole else max(screen.height - OTHER_LINES - 1, FEWEST_ROWS)
    head, tail, total = _ends(rows, most)
    table = _Table(columns, [_cells(columns, row, screen) for row in [*head, *tail]], screen, null)
    lines = table.header()
    room = max(screen.height - OTHER_LINES + 1 - len(lines), FEWEST_ROWS)
    top = None if whole or total <= room else table.keep(room - 1, both=total <= MOST_ROWS)
    limit = table.lines_of_a_cell(room) if top is None else 1
    body = [table.row(i, limit) for i in range(len(table.rows))]
    if top is not None:
        body.insert(top, table.omission())
    lines += [line for row in body for line in row]
    return Drawn(lines, total, len(table.rows), len(table.shown))


def _ends(rows: Iterable[Row], most: int | None) -> tuple[list[Row], list[Row], int]:
    """The first rows and the last ones, together at most `most` with a line between them, and the number of all."""
    left = iter(rows)
    if most is None:
        every = list(left)
        return every, [], len(every)
    first = list(islice(left, most))
    at_top = most // 2
    at_end = most - 1 - at_top
    last = deque(first[at_top:], maxlen=at_end)
    total = len(first)
    for row in left:
        last.append(row)
        total += 1
        if total > MOST_ROWS:
            return first[:-1], [], total
    return (first, [], total) if total == len(first) else (first[:at_top], list(last), total)


def _cells(columns: Sequence[Column], row: Row, screen: Screen) -> list[str | None]:
    return [
        None if value is None else f"{int(value):,}" if column.count else screen.shown(value)
        for column, value in zip(columns, row, strict=True)
    ]


class _Table:
    """Cells with the widths of their columns.

    Attributes:
        rows: the cells.
        shown: positions of the columns that are shown.
    """

    def __init__(self, columns: Sequence[Column], rows: list[list[str | None]], screen: Screen, null: str) -> None:
        self.rows = rows
        self._columns = columns
        self._screen = screen
        self._null = null
        self._ellipsis = screen.shown("…")
        self._names = [screen.shown(column.name) for column in columns]
        self.shown, self._widths = self._layout()
        self._omits = next((at for at, i in enumerate(self.shown) if i != at), None)

    def _layout(self) -> tuple[list[int], list[int]]:
        """Which columns fit, and their widths."""
        narrow, wide, full = [], [], []
        for i, column in enumerate(self._columns):
            cells = max((cell_len(self._text(row[i])) for row in self.rows), default=0)
            # The first column usually says what a row is about.
            least = NARROWEST if i else max(NARROWEST, self._screen.width * 2 // 5)
            header = max(min(_folded_in_two(self._names[i]), NARROWEST), min(len(column.type), SHORT_TYPE), 1)
            narrow.append(max(header, cells if column.number else min(cells, least)))
            wide.append(max(header, cells))
            full.append(max(cells, cell_len(self._names[i]), min(len(column.type), NARROWEST)))
        shown = list(range(len(narrow)))
        needed = sum(narrow) + GAP * (len(shown) - 1)
        while needed > self._screen.width and len(shown) > 1:
            if len(shown) == len(narrow):
                needed += len(self._ellipsis) + GAP
            needed -= narrow[shown.pop(len(shown) // 2)] + GAP
        widths = [narrow[i] for i in shown]
        left = self._screen.width - needed
        if left < 0:
            widths[0] = max(widths[0] + left, 1)
        left = _widen(widths, [wide[i] for i in shown], left)
        for at, i in enumerate(shown):  # names that need not be folded, then
            if 0 < full[i] - widths[at] <= left:
                left -= full[i] - widths[at]
                widths[at] = full[i]
        return shown, widths

    def header(self) -> list[str]:
        """The lines of the names, of the types if there are any, and a rule."""
        names = [fold(self._names[i], width, _parts(self._names[i])) for i, width in self._sized()]
        lines = self._lines(names, BOLD, bottom=True)
        if self._columns[0].type:
            lines += self._lines([[self._columns[i].type] for i, _ in self._sized()], DIM)
        return lines + self._lines([["─" * width] for width in self._widths], DIM, omission="─")

    def keep(self, rows: int, *, both: bool) -> int:
        """Keep so many rows at the top and, if `both`, as many at the end; returns how many are at the top."""
        top = (rows + 1) // 2 if both else rows
        self.rows = self.rows[:top] + self.rows[len(self.rows) - (rows - top) :]
        return top

    def lines_of_a_cell(self, room: int) -> int:
        """How many lines a cell may take at most so that all rows fit."""
        heights = [max((len(self._folded(row, i, w)) for i, w in self._sized()), default=1) for row in self.rows]
        for limit in range(max(heights, default=1), 1, -1):
            if sum(min(height, limit) for height in heights) <= room:
                return limit
        return 1

    def row(self, index: int, limit: int) -> list[str]:
        """The lines of a row."""
        row = self.rows[index]
        cells = []
        for i, width in self._sized():
            lines = self._folded(row, i, width) if limit > 1 else [self._text(row[i])]
            if len(lines) > limit:
                lines = [*lines[: limit - 1], " ".join(lines[limit - 1 :])]
            cells.append(lines)
        return self._lines(cells, nulls=[row[i] is None for i in self.shown])

    def omission(self) -> list[str]:
        """The line that stands for the rows left out."""
        return self._lines([[self._ellipsis] for _ in self.shown], DIM)

    def _sized(self) -> Iterable[tuple[int, int]]:
        return zip(self.shown, self._widths, strict=True)

    def _text(self, cell: str | None) -> str:
        return self._null if cell is None else cell

    def _folded(self, row: list[str | None], i: int, width: int) -> list[str]:
        text = self._text(row[i])
        prose = self._columns[i].text and " " in text and _separator(text) is None
        return fold(text, width) if prose else [text]

    def _lines(
        self,
        cells: Sequence[list[str]],
        style: str = "",
        *,
        bottom: bool = False,
        omission: str = "…",
        nulls: Sequence[bool] = (),
    ) -> list[str]:
        """Lines of cells side by side; where columns are left out there is a mark."""
        height = max(len(lines) for lines in cells)
        joined = []
        for at in range(height):
            parts = []
            for place, ((i, width), lines) in enumerate(zip(self._sized(), cells, strict=True)):
                line = at - (height - len(lines) if bottom else 0)
                text = _cut(lines[line], width, self._ellipsis) if 0 <= line < len(lines) else ""
                blanks = " " * (width - cell_len(text))
                aligned = blanks + text if self._columns[i].number else text + blanks
                parts.append(self._styled(aligned, DIM if nulls and nulls[place] else style))
            if self._omits is not None:
                parts.insert(self._omits, self._styled(self._screen.shown(omission), DIM))
            joined.append((" " * GAP).join(parts).rstrip())
        return joined

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{PLAIN}" if style and text.strip() and self._screen.styled else text


def _parts(name: str) -> list[str]:
    """Where a name may be folded.

    >>> _parts("encord_text_id")
    ['encord_', 'text_', 'id']
    """
    return re.findall(r"[^_ ]*[_ ]+|[^_ ]+", name) or [""]


def _folded_in_two(name: str) -> int:
    """The least width at which a name takes at most two lines.

    >>> _folded_in_two("encord_text_id"), _folded_in_two("id")
    (7, 2)
    """
    parts = _parts(name)
    widths = range(max(map(cell_len, parts)), cell_len(name))
    return next((width for width in widths if len(fold(name, width, parts)) <= 2), cell_len(name))  # noqa: PLR2004


def _widen(widths: list[int], wanted: Sequence[int], left: int) -> int:
    """Distribute the cells that are left; columns that want little get it first. Returns what is left then."""
    growing = sorted(range(len(widths)), key=lambda i: wanted[i] - widths[i])
    for at, i in enumerate(growing):
        more = max(min(wanted[i] - widths[i], left // (len(growing) - at)), 0)
        widths[i] += more
        left -= more
    return left


def _separator(text: str) -> str | None:
    """What separates the folders of a path; None if the text is no path."""
    if text.startswith("\\\\") or text[1:3] == ":\\":
        return "\\"
    return "/" if "/" in text and (text.startswith("/") or " " not in text) else None


def fold(text: str, width: int, parts: Iterable[str] | None = None) -> list[str]:
    """Lines of at most `width` cells; parts, by default words, are kept together where they fit.

    >>> fold("a dog barks", 8)
    ['a dog', 'barks']
    """
    if cell_len(text) <= width:
        return [text]
    lines, line = [], ""
    for part in parts or re.findall(r"\S+\s*|\s+", text):
        if line and cell_len(line) + cell_len(part.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += part
        if cell_len(line.rstrip()) > width:
            *full, line = chop_cells(line, width)
            lines += full
    return [*lines, line.rstrip()]


def _cut(text: str, width: int, ellipsis: str, *, path: bool = True) -> str:
    r"""Text cut to a width: a path in its middle, so that the file name stays.

    >>> _cut("/data/e-mm1/audio/bell.mp4", 14, "…"), _cut("/data/e-mm1/audio/bell.mp4", 24, "…")
    ('/dat…/bell.mp4', '/data/e-…/audio/bell.mp4')
    >>> _cut("C:\\my data\\audio\\bell.mp4", 14, "…"), _cut("a dog barks", 8, "…")
    ('C:\\m…\\bell.mp4', 'a dog b…')
    """
    if cell_len(text) <= width:
        return text
    room = max(width - len(ellipsis), 0)
    separator = _separator(text) if path else None
    if separator is None:
        return set_cell_size(text, room) + ellipsis[:width]
    start = text.rfind(separator, 0, -1)
    while cell_len(text[start:]) > room:
        start += 1
    # The folders above it, while they leave a quarter for the beginning.
    while (higher := text.rfind(separator, 0, max(start, 0))) >= 0 and cell_len(text[higher:]) <= room * 3 // 4:
        start = higher
    tail = text[start:]
    return set_cell_size(text, room - cell_len(tail)) + ellipsis[:width] + tail
