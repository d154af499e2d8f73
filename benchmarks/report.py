"""The results as one page of tables, and as a chart of query time against the number of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import altair as alt
import numpy as np
import polars as pl

from benchmarks.contenders import taking_part
from benchmarks.data import KINDS
from benchmarks.jobs import GROWING, GROWTH, THREADS, TINY, Job
from benchmarks.machine import machine
from benchmarks.tasks import BATCHES, MORE, PERCENTS, Numbers

Results = Mapping[str, Numbers]
SEARCHES = ["1 query", f"k = {MORE}", *(f"{batch} queries" for batch in BATCHES)]
FILTERS = [f"among {percent} %" for percent in PERCENTS]


def page(work: Path, rows: int, results: Results) -> str:
    """All tables for which there are results."""
    tables = [f"### {heading}\n\n{body}" for heading, body in sections(work, rows, results) if body]
    return "\n\n".join([f"{machine()}; milliseconds.", *tables]) + "\n"


def sections(work: Path, rows: int, results: Results) -> Iterator[tuple[str, str]]:
    """The heading and table of each section."""

    def numbers(task: str, contender: str, file: str, threads: int) -> Numbers:
        return results.get(str(Job(task, contender, file, threads)), {})

    def warm(name: str, file: str, threads: int) -> Numbers:
        return numbers("search", name, file, threads) | numbers("among", name, file, threads)

    for threads in THREADS:
        for kind in KINDS:
            file = f"{kind}-{rows}.npy"
            found = {name: warm(name, file, threads) for name in taking_part("warm")}
            yield heading(work / file, threads), compared(found, SEARCHES + FILTERS)
    for kind in GROWING:
        file = f"{kind}-{rows}-f16.npy"
        found = {name: warm(name, file, 2) for name in taking_part("half")}
        yield heading(work / file, 2), compared(found, SEARCHES)
    for kind in GROWING:
        found = {name: growth(kind, name, results) for name in taking_part("growth")}
        yield f"One query by the number of {kind} vectors, 2 threads", compared(found, list(map(str, GROWTH)))
    found = {name: numbers("cold", name, f"clustered-{rows}.npy", 2) for name in taking_part("cold")}
    yield "One query on cold files, clustered, 2 threads", compared(found, ["1 query"])
    yield "Bytes read, memory bandwidth, codes", limits(rows, results)
    used = {kind: numbers("memory", "emm1", f"{kind}-{rows}.npy", 2) for kind in GROWING}
    megabytes = {kind: {task: f"{value / 1e6:.0f}" for task, value in found.items()} for kind, found in used.items()}
    yield "Anonymous memory beyond that after import, MB, 2 threads", table(megabytes)
    calls = {name: numbers("call", name, TINY, 2) for name in ("emm1", "NumPy")}
    microseconds = {name: {"µs": f"{found['call'] * 1e6:.1f}"} for name, found in calls.items() if found}
    yield "One call: the best 10 of 10 vectors", table(microseconds)


def growth(kind: str, name: str, results: Results) -> Numbers:
    """Seconds per query, by the number of vectors."""
    found = {count: results.get(str(Job("one", name, f"{kind}-{count}.npy", 2)), {}) for count in GROWTH}
    return {str(count): numbers["1 query"] for count, numbers in found.items() if numbers}


def compared(found: Mapping[str, Numbers], tasks: list[str]) -> str:
    """A table of milliseconds, with the ratio to emm1 in brackets."""
    mine = found["emm1"]
    rows = {}
    for name, numbers in found.items():
        times = {task: numbers[task] for task in tasks if task in numbers and task in mine}
        other = "" if numbers.get("answer") == mine.get("answer") else " (different answer)"
        rows[name + other] = {
            task: f"{short(time * 1e3, 3)} ({short(time / mine[task], 2)}×)" for task, time in times.items()
        }
    return table(rows)


def short(value: float, digits: int) -> str:
    """A number with this many digits, without an exponent."""
    return f"{value:.{digits}g}" if value < 10**digits else f"{value:,.0f}"


def limits(rows: int, results: Results) -> str:
    """Per file and number of threads: how much a query reads, how fast, and how fast the machine can read."""
    lines = {}
    for kind in KINDS:
        for threads in THREADS:
            read = results.get(str(Job("reads", "emm1", f"{kind}-{rows}.npy", threads)), {})
            codes = results.get(str(Job("codes", "emm1", f"{kind}-{rows}.npy", threads)), {})
            if not read or not codes:
                continue
            speed = read["read"] / read["1 query"]
            lines[f"{kind}, {threads}"] = {
                "read by a query": f"1/{read['file'] / read['read']:.1f} of the file",
                "speed, GB/s": f"{speed / 1e9:.1f}",
                "plain read, mapped, GB/s": f"{read['mapped'] / 1e9:.1f} ({speed / read['mapped']:.0%})",
                "plain read, loaded, GB/s": f"{read['loaded'] / 1e9:.1f} ({speed / read['loaded']:.0%})",
                "making codes, MB/s of float32": f"{codes['rate'] / 1e6:.0f}",
                "codes, bytes per row": f"{codes['bytes a row']:.1f} ({codes['dims']:.0f} dims)",
            }
    return table(lines)


def table(rows: Mapping[str, Mapping[str, str]]) -> str:
    """A Markdown table without empty rows; its columns are those of all rows, in order of first appearance."""
    rows = {name: row for name, row in rows.items() if row}
    if not rows:
        return ""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines = [["", *columns], ["---", *("---:" for _ in columns)]]
    lines += [[name, *(row.get(column, "") for column in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def heading(path: Path, threads: int) -> str:
    if not path.exists():
        return f"{path.stem}, {threads} threads"
    vectors = np.load(path, mmap_mode="r")
    kind = path.stem.split("-")[0]
    return f"{kind}, {len(vectors):,} × {vectors.shape[1]:,} {vectors.dtype}, {threads} thread{'s' * (threads > 1)}"


def chart(results: Results, place: Path) -> None:
    """Write an SVG of milliseconds per query against the number of vectors, both logarithmic."""
    points = [
        {"vectors": int(count), "ms": seconds * 1e3, "by": name, "kind": kind}
        for kind in GROWING
        for name in taking_part("growth")
        for count, seconds in growth(kind, name, results).items()
    ]
    if not points:
        return
    log = alt.Scale(type="log")
    lines = (
        alt.Chart(pl.DataFrame(points))
        .mark_line(point=True)
        .encode(
            alt.X(
                "vectors",
                scale=log,
                axis=alt.Axis(values=list(GROWTH), format="~s"),
                title="vectors of 1,024 × float32",
            ),
            alt.Y("ms", scale=log, title="milliseconds a query, k = 10, 2 threads"),
            alt.Color("by", title=None, sort=taking_part("growth")),
        )
        .properties(width=300, height=300)
        .facet(alt.Column("kind", title=None, sort=list(GROWING)))
    )
    lines.save(place)
