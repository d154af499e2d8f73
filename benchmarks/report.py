"""The tables in docs/benchmarks.md and the pictures, made from the newest records: ``python -m benchmarks.report``.

The page says where tables go: whatever is between ``<!-- NAME -->`` and ``<!-- end of NAME -->`` is replaced. A NAME is a
folder of `benchmarks/record`, and what it has before a hyphen is the benchmark.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from benchmarks.record import MEASURED, RECORDS, Record, newest
from benchmarks.tables import TABLES

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
BLOCK = re.compile(r"<!-- (?P<name>[a-z-]+) -->\n.*?\n<!-- end of (?P=name) -->", re.DOTALL)


def finish(record: Record, work: Path, *, documented: bool) -> None:
    """Keep the record of a run and print its tables.

    Args:
        record: what was measured.
        work: the folder of the run, which keeps records that are not for the documents.
        documented: whether the run measured what the documents show, and not, for instance, smaller files.
    """
    print(record.write(RECORDS if documented else work / "record"), file=sys.stderr)
    print(text(record))


def text(record: Record) -> str:
    """Where and with what a record was measured, and its tables."""
    return f"{origin(record)}\n\n{TABLES[record.benchmark.partition('-')[0]](record)}"


def origin(record: Record) -> str:
    """Where and with what a record was measured."""
    of = record.machine
    memory = [f"{of['gigabytes']} GB of memory"] if "gigabytes" in of else []
    where = ", ".join([f"{of['cores']} cores of {of['processor']}", str(of["instructions"]), *memory])
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    line = "; ".join(part for part in (record.date[:10], where, versions) if part) + "."
    return line if record.source == MEASURED else f"{line} The figures are {record.source}."


def renewed(page: str) -> str:
    """The page with the tables of the newest records."""

    def block(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- {name} -->\n\n{text(newest(name))}\n\n<!-- end of {name} -->"

    return BLOCK.sub(block, page)


def main() -> None:
    """Write the page and the pictures."""
    from benchmarks import picture

    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    search = newest("search")
    picture.speed(search).save(DOCS / "speed.svg")
    picture.growth(search).save(DOCS / "search.svg")


if __name__ == "__main__":
    main()
