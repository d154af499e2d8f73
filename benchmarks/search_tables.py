"""The tables of search, made from its record alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isclose

from benchmarks.goals import OURS, reached
from benchmarks.markdown import short, table, times
from benchmarks.record import Record, Row, Value

Found = dict[str, dict[str, Value]]
"""What was measured, by contender."""


def search(record: Record) -> str:
    """All tables for which there are rows."""
    return "\n\n".join(f"### {heading}\n\n{body}" for heading, body in sections(record.rows) if body)


def sections(rows: list[Row]) -> Iterator[tuple[str, str]]:
    """The heading and table of each section."""
    yield "Goals", reached(rows)
    for heading, found in grouped(rows, ("search", "among"), of_file).items():
        yield heading, compared(found)
    for vectors, found in grown(rows).items():
        yield f"One query by the number of {vectors} vectors, 2 threads", compared(found)
    for heading, found in grouped(rows, ("cold",), of_file).items():
        yield f"One query on cold files, {heading}", compared(found)
    yield "The 10 nearest neighbours of every vector in its file, 2 threads", neighbours(rows)
    for heading, found in grouped(rows, ("approximate",), of_file).items():
        yield f"What exactness costs: approximate rivals, {heading}", approximate(found)
    yield "Bytes read, memory bandwidth, codes", limits(rows)
    used = grouped(rows, ("memory",), lambda row: str(row.conditions["vectors"]))
    megabytes = {
        vectors: {task: f"{float(value) / 1e6:.0f}" for task, value in found[OURS].items() if isinstance(value, int)}
        for vectors, found in used.items()
    }
    yield "Anonymous memory beyond that after import, MB, 2 threads", table(megabytes)
    calls = {row.contender: {"µs": f"{row.seconds('call') * 1e6:.1f}"} for row in rows if row.task == "call"}
    yield "One call: the best 10 of 10 vectors", table(calls)


def of_file(row: Row) -> str:
    """The file and the threads of a row, as in a heading."""
    of = row.conditions
    threads = f"{of['threads']} thread{'s' * (of['threads'] != 1)}"
    queries = f", {of['queries']} queries" if "queries" in of else ""
    return f"{of['vectors']}{queries}, {of['rows']:,} × {of['dims']:,} {of['dtype']}, {threads}"


def grouped(rows: list[Row], tasks: tuple[str, ...], key: Callable[[Row], str]) -> dict[str, Found]:
    """What was measured at some tasks, for each value of a key and each contender."""
    found: dict[str, Found] = {}
    for row in rows:
        if row.task in tasks:
            found.setdefault(key(row), {}).setdefault(row.contender, {}).update(row.measured)
    return found


def grown(rows: list[Row]) -> dict[str, Found]:
    """The seconds of one query by the number of vectors, for each kind of vectors and each contender."""
    found: dict[str, Found] = {}
    for row in rows:
        if row.task == "one":
            of = row.conditions
            times = found.setdefault(str(of["vectors"]), {}).setdefault(row.contender, {})
            times[f"{of['rows']:,}"] = row.seconds("1 query")
    return found


def compared(found: Found) -> str:
    """A table of milliseconds, with the ratio to emm1 in brackets."""
    mine = found[OURS]
    rows = {}
    for name, measured in found.items():
        other = "" if same(measured.get("answer", ""), mine.get("answer", "")) else " (different answer)"
        rows[name + other] = {
            task: f"{short(1e3 * value, 3)} ({times(value / base, 2)})"
            for task, value in measured.items()
            if task != "answer" and isinstance(value, float) and isinstance(base := mine.get(task), float)
        }
    return table(rows)


def same(one: Value, other: Value) -> bool:
    """Whether answers are the same; as numbers they are sums of scores, in which products may be rounded differently."""
    numbers = isinstance(one, float | int) and isinstance(other, float | int)
    return isclose(one, other, rel_tol=1e-6) if numbers else one == other  # type: ignore[arg-type]


def neighbours(rows: list[Row]) -> str:
    """Minutes for all rows of a file, scaled from those that were asked for."""
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        if row.task == "knn":
            of = row.conditions
            cells = lines.setdefault(f"{of['vectors']}, {of['rows']:,} × {of['dims']:,}", {})
            count = f"{row.seconds('queries'):,.0f} measured"
            cells[f"{row.contender}, minutes ({count})"] = short(row.seconds("all") / 60, 3)
    return table(lines)


def approximate(found: Found) -> str:
    """Recall, times, and what the index takes, for each contender and effort."""
    lines = {}
    for name, measured in found.items():
        of = {measure: value for measure, value in measured.items() if isinstance(value, float | int)}
        for measure, value in of.items():
            if measure.startswith("recall"):
                effort = measure.removeprefix("recall ")
                lines[f"{name}, {effort}" if effort else f"{name}, exact"] = {
                    "recall@10": f"{value:.4f}",
                    "1 query, ms": short(1e3 * of[f"1 query {effort}"], 3),
                    "512 queries, ms": short(1e3 * of[f"512 queries {effort}"], 3),
                    "index, s": short(of["build"], 3),
                    "index, MB": short(of["bytes"] / 1e6, 3),
                }
    return table(lines)


def limits(rows: list[Row]) -> str:
    """For each file and number of threads: how much a query reads, how fast, and how fast the machine can read."""
    lines: dict[str, Mapping[str, str]] = {}
    groups = grouped(rows, ("reads", "codes"), lambda row: f"{row.conditions['vectors']}, {row.conditions['threads']}")
    for name, found in groups.items():
        of = {measure: value for measure, value in found[OURS].items() if isinstance(value, float | int)}
        if "rate" not in of or "file" not in of:
            continue
        speed = of["read"] / of["1 query"]
        lines[name] = {
            "read by a query": f"1/{of['file'] / of['read']:.1f} of the file",
            "speed, GB/s": f"{speed / 1e9:.1f}",
            "plain read, mapped, GB/s": f"{of['mapped'] / 1e9:.1f} ({speed / of['mapped']:.0%})",
            "plain read, loaded, GB/s": f"{of['loaded'] / 1e9:.1f} ({speed / of['loaded']:.0%})",
            "making codes, MB/s of float32": f"{of['rate'] / 1e6:.0f}",
            "codes, bytes per row": f"{of['bytes a row']:.1f} ({of['dims']:.0f} dims)",
        }
    return table(lines)
