"""The tables of every benchmark but search, as Markdown, made from its record alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from benchmarks import search_tables
from benchmarks.markdown import short, table, times
from benchmarks.record import Record, Row


def by_task(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """The rows of each task, by contender."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.task, {})[row.contender] = row
    return found


def sql(record: Record) -> str:
    """Milliseconds of each task, and the ratio to Python's call, which is the first of its contenders."""
    sections = []
    for task, contenders in by_task(record.rows).items():
        first = next(iter(contenders.values())).seconds()
        rows = {
            name: {"ms": short(row.seconds() * 1e3, 4), "ratio": times(row.seconds() / first, 3)}
            for name, row in contenders.items()
        }
        sections.append(f"### {task}\n\n{table(rows)}")
    return "\n\n".join(sections)


def ranks(record: Record) -> str:
    """How long the ranks of all queries take."""
    rows = {}
    for task, contenders in by_task(record.rows).items():
        ours, theirs = contenders["emm1"], contenders["NumPy"]
        rows[task] = {
            "median rank": f"{ours.measured['median rank']:,.0f}",
            "emm1": f"{ours.seconds():.1f} s",
            "NumPy": f"{theirs.seconds():.0f} s",
            "ratio": times(theirs.seconds() / ours.seconds(), 2),
        }
    return table(rows)


def ratings(record: Record) -> str:
    """Processor seconds of the report on ratings and of its parts, and of their rivals."""
    rows = {}
    for task, contenders in by_task(record.rows).items():
        ours = contenders.pop("emm1").seconds()
        rows[task] = {"emm1": f"{short(ours, 3)} s"}
        for name, row in contenders.items():
            rows[task] |= {"rival": f"{name} {short(row.seconds(), 3)} s", "ratio": times(row.seconds() / ours, 2)}
    return table(rows)


def start(record: Record) -> str:
    """Seconds until a command has ended, in all and above the first, which is the baseline."""
    base = record.rows[0]
    names = {"seconds": ("in all", "above the baseline"), "processor": ("processor, in all", "processor, above")}
    rows: dict[str, dict[str, str]] = {}
    for row in record.rows:
        cells = rows.setdefault(f"`{row.task}`", {})
        for name, (whole, above) in names.items():
            if name in row.measured:
                cells[whole] = f"{row.seconds(name):.3f}"
                cells[above] = "" if row is base else f"{row.seconds(name) - base.seconds(name):.3f}"
    return table(rows)


def explore(record: Record) -> str:
    """What the local page takes: milliseconds, and the memory of its process."""
    rows: dict[str, dict[str, str]] = {}
    for row in record.rows:
        cells = rows.setdefault(row.task, {})
        for name, heading in {
            "seconds": "ms",
            "slowest": "slowest of twenty, ms",
            "processor": "processor, ms",
        }.items():
            if name in row.measured:
                cells[heading] = short(row.seconds(name) * 1e3, 3)
        if "peak memory, GB" in row.measured:
            cells["peak memory, MB"] = f"{row.seconds('peak memory, GB') * 1e3:.0f}"
    size = f"{record.conditions['captions']:,} captions, {record.conditions['groups']:,} groups."
    return f"{size}\n\n{table(rows)}"


def store(record: Record) -> str:
    """The store's tasks: seconds, in brackets how many times as fast as the first, which is the rival; memory and size."""
    timed = {"seconds": "seconds", "whole": "whole process"}
    others = {"processor seconds": ".1f", "peak memory, GB": ".2f", "store, GB": ".2f"}
    rows = []
    for task, contenders in by_task(record.rows).items():
        first = next(iter(contenders.values()))
        for name, row in contenders.items():
            cells = {"task": task, "": name}
            for measure in timed.keys() & row.measured.keys():
                ratio = first.seconds(measure) / row.seconds(measure)
                faster = "" if row is first else f" ({times(ratio, 2)})"
                cells[timed[measure]] = f"{short(row.seconds(measure), 3)}{faster}"
            cells |= {label: f"{row.seconds(label):{form}}" for label, form in others.items() if label in row.measured}
            rows.append(cells)
    return table(rows, [*timed.values(), *others], texts=2)


def builds(record: Record) -> str:
    """Builds of emm1 next to one another: milliseconds, and the median ratio to the first build (of each run)."""
    rows: dict[str, dict[str, str]] = {}
    names = dict.fromkeys(row.contender for row in record.rows)
    for task, contenders in by_task(record.rows).items():
        cells = rows.setdefault(task, {})
        for name, row in contenders.items():
            for measure in ("median", "least"):
                if measure in row.measured:
                    cells[f"{name}, {measure}, ms"] = short(row.seconds(measure) * 1e3, 3)
            if "ratio" in row.measured:
                ratios = row.measured["ratio"]
                each = ratios if isinstance(ratios, list) else [row.seconds("ratio")]
                cells[f"{name}, ratio"] = " ".join(f"{ratio:.2f}" for ratio in each)
    labels = ("median, ms", "least, ms", "ratio")
    return table(rows, [f"{name}, {label}" for name in names for label in labels])


TABLES: Mapping[str, Callable[[Record], str]] = {
    "search": search_tables.search,
    "sql": sql,
    "ranks": ranks,
    "ratings": ratings,
    "explore": explore,
    "start": start,
    "store": store,
    "builds": builds,
}
