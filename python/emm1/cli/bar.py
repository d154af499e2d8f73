"""A progress bar: what is being done, how much of it, at which rate, and how long the rest will take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from emm1.interrupts import undone_by
from emm1.streams import printable

# Terminals with fewer columns than this show no bar beside the description.
NARROW = 60
# Clears the line of the bar and shows the cursor again.
GONE = "\r\x1b[K\x1b[?25h"
# Seconds that the rate is averaged over: a step forward may be a file, which takes some seconds.
WINDOW = 60


class _Words(ProgressColumn):
    """A column of a bar: what a function says of the task."""

    def __init__(self, words: Callable[[Task], str], column: Column) -> None:
        super().__init__(column)
        self._words = words

    def render(self, task: Task) -> Text:
        """The words, which are not markup."""
        return Text(self._words(task))


@contextmanager
def bar(amount: Callable[[int], str]) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error, which is removed at the end; `amount` writes a number with its unit."""
    console = Console(stderr=True)
    above = sys.stdout.isatty()  # lines printed to the same terminal appear above the bar
    with (
        undone_by(GONE),
        Progress(
            *_columns(amount, wide=console.width >= NARROW),
            console=console,
            transient=True,
            expand=True,
            redirect_stdout=above,
            speed_estimate_period=WINDOW,
        ) as shown,
    ):

        def progress(description: str, done: int, total: int) -> None:
            text = printable(description, lines=False)
            step = next(iter(shown.tasks), None)
            if step is not None and step.total == (total or None) and done >= step.completed:
                shown.update(step.id, description=text, completed=done)
                return
            if step is not None:
                shown.remove_task(step.id)
            shown.add_task(text, total=total or None, completed=done)

        yield progress


def _columns(amount: Callable[[int], str], *, wide: bool) -> Iterator[ProgressColumn]:
    def number(width: int) -> Column:
        return Column(no_wrap=True, justify="right", min_width=width)  # a fixed width keeps the bar still

    yield _Words(lambda task: task.description, Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    if wide:
        yield BarColumn(None, table_column=Column(ratio=1))
    yield _Words(lambda task: f"{task.percentage:.0f} %" if task.total else "", number(5))
    yield _Words(lambda task: f"{amount(round(task.speed))}/s" if task.speed else "", number(13))
    yield _Words(lambda task: _time(task) + (" left" if wide and task.time_remaining is not None else ""), number(7))


def _time(task: Task) -> str:
    """The time that the rest will take, or as long as that is unknown the time that has passed."""
    seconds = task.elapsed if task.time_remaining is None else task.time_remaining
    return str(timedelta(seconds=int(seconds or 0)))
