"""What all of E-MM1 takes, and a billion vectors: docs/scale.md, from the newest record of search: ``python -m benchmarks.scale``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.record import Record, Row, newest
from benchmarks.report import BLOCK

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
# Items of the published dataset that have vectors.
CAPTIONS = 6_706_765
ITEMS = {"image": 2_950_000, "video": 2_200_000, "audio": 2_100_000, "points": 517_000}
DIMS = 1024
CORES = (2, 16, 64, 256)
BILLION = 1_000_000_000
# An hour of a core, in dollars: an assumption.
PRICE = 0.05
KINDS = ("clustered, queries like the rows", "clustered, cross-modal queries", "isotropic")


def renewed(page: str) -> str:
    """The page with the figures of the newest record."""
    return BLOCK.sub(
        lambda found: f"<!-- {found['name']} -->\n\n{_text(found['name'])}\n\n<!-- end of {found['name']} -->", page
    )


def _text(name: str) -> str:
    return {"rates": _rates, "emm": _emm1, "cores": _cores, "billion": _billion}[name](newest("search"))


def rates(record: Record) -> list[float]:
    """Pairs of 1,024 components that one core compares in a second, for each of the kinds."""
    whole, batch = _row(record, "knn", "clustered"), _row(record, "search", "clustered", "cross-modal")
    pairs = [
        (_queries(whole) * _rows(whole), whole.seconds()),
        (512 * _rows(batch), batch.seconds("512 queries")),
    ]
    isotropic = _row(record, "knn", "isotropic")
    pairs.append((_queries(isotropic) * _rows(isotropic), isotropic.seconds()))
    return [count / seconds / 2 for count, seconds in pairs]


def _row(record: Record, task: str, vectors: str, queries: str | None = None) -> Row:
    """What emm1 did with two threads, on float32 vectors of the dims of E-MM1."""
    wanted = {"vectors": vectors, "dims": DIMS, "dtype": "float32", "threads": 2}
    (found,) = [
        row
        for row in record.rows
        if row.task == task
        and row.contender == "emm1"
        and row.conditions.get("queries") == queries
        and all(row.conditions.get(name) == value for name, value in wanted.items())
    ]
    return found


def _rows(row: Row) -> int:
    return int(row.conditions["rows"])


def _queries(row: Row) -> int:
    return int(row.seconds("queries"))


def _rates(record: Record) -> str:
    lines = [[kind, f"{rate / 1e6:,.0f}"] for kind, rate in zip(KINDS, rates(record), strict=True)]
    return f"{_run(record)}\n\n{_table(['vectors', 'million pairs a second and core'], lines)}"


def _run(record: Record) -> str:
    of = record.machine
    return f"From the record `search/{record.date.replace(':', '')}`: {of['cores']} cores of {of['processor']}, {of['instructions']}."


def _emm1(record: Record) -> str:
    lines = []
    for modality, items in [*ITEMS.items(), ("all", sum(ITEMS.values()))]:
        pairs = CAPTIONS * items
        hours = [pairs / rate / 3600 for rate in rates(record)]
        lines.append(
            [
                modality,
                f"{items:,}",
                f"{pairs / 1e12:.1f}",
                f"{min(hours):.1f} to {max(hours):.1f}",
                f"{_gigabytes(items * DIMS * 4)}",
                f"{_gigabytes(items * _code_bytes(record))}",
            ]
        )
    heads = ["base", "rows", "10¹² pairs", "core-hours", "float32, GB", "codes, GB"]
    return _table(heads, lines)


def _code_bytes(record: Record) -> float:
    return _row(record, "codes", "clustered").seconds("bytes a row")


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f}"


def _cores(record: Record) -> str:
    pairs = CAPTIONS * sum(ITEMS.values())
    low, high = (f(pairs / rate / 3600 for rate in rates(record)) for f in (min, max))
    lines = [
        [f"{cores:,}", _span(low / cores), _span(high / cores), f"{low * PRICE:.2f} to {high * PRICE:.2f}"]
        for cores in CORES
    ]
    return _table(["cores", "at best", "at worst", "dollars"], lines)


def _billion(record: Record) -> str:
    one = _row(record, "search", "clustered"), _row(record, "search", "isotropic")
    lines = []
    for name, queries in (("1 query", 1), ("512 queries", 512)):
        seconds = [row.seconds(name) * BILLION / _rows(row) for row in one]
        lines.append([name, *(_span(each * 2 / 64 / 3600) for each in seconds), f"{queries:,}"])
    whole = [BILLION**2 / rate / 3600 for rate in rates(record)]
    lines.append(["every vector's neighbours", _span(min(whole) / 64), _span(max(whole) / 64), f"{BILLION:,}"])
    heads = ["task", "64 cores, clustered", "64 cores, isotropic", "queries"]
    sizes = f"A billion vectors have {BILLION * DIMS * 4 / 1e12:.1f} TB in float32 and {BILLION * _code_bytes(record) / 1e12:.1f} TB of codes."
    return f"{sizes}\n\n{_table(heads, lines)}"


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return table([dict(zip(heads, line, strict=True)) for line in lines])


def _span(hours: float) -> str:
    """Hours, in the unit that people would use."""
    for unit, length in (("years", 24 * 365.25), ("days", 24.0), ("h", 1.0), ("min", 1 / 60), ("s", 1 / 3600)):
        if hours >= length or unit == "s":
            return f"{hours / length:,.1f} {unit}"
    raise AssertionError


def main() -> None:
    """Write the page."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
