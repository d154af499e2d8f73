"""What docs/benchmarks.md and the pictures show is what the newest records hold."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import scale
from benchmarks.picture import SHOWN, figures
from benchmarks.record import MEASURED, RECORDS, Record, Row, measured, newest, read
from benchmarks.report import BLOCK, PAGE, renewed, text

TOP = Path(__file__).parents[2]
FILES = sorted(RECORDS.rglob("*.json"))
ROW = Row("search", "emm1", {"1 query": 0.5, "ratio": [0.9, 1.1], "answer": 7}, {"vectors": "×", "rows": 3})


def test_the_tables_in_the_documents_are_those_of_the_newest_records() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "run python -m benchmarks.report"


def test_the_estimates_are_those_of_the_newest_record() -> None:
    page = scale.PAGE.read_text(encoding="utf-8")
    assert scale.renewed(page) == page, "run python -m benchmarks.scale"
    assert [line for line in BLOCK.sub("", page).splitlines() if line.startswith("|")] == []


def test_the_rates_are_pairs_over_time() -> None:
    """As the record has them, by hand: 16,384 queries × 400,000 rows in 7.78 s, with two threads."""
    record = read(RECORDS / "search/2026-11-27T205109Z.json")
    assert scale.rates(record)[0] == pytest.approx(16_384 * 400_000 / 7.783750907 / 2)
    assert scale.rates(record)[1] == pytest.approx(512 * 400_000 / 0.37093 / 2, rel=1e-4)


def test_every_table_in_the_document_comes_from_a_record_and_every_benchmark_has_its_place() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [line for line in BLOCK.sub("", page).splitlines() if line.startswith("|")] == []
    assert {block["name"] for block in BLOCK.finditer(page)} == {folder.name for folder in RECORDS.iterdir()}


def test_the_picture_in_the_readme_shows_the_newest_figures() -> None:
    picture = (TOP / "docs/speed.svg").read_text(encoding="utf-8")
    shown = {float(number) for number in re.findall(r">([\d.]+) ms<", picture)}
    found = figures(newest("search"))
    assert shown == set(found.values())
    assert len(found) == 2 * len(SHOWN)


def test_the_picture_of_growing_files_shows_the_newest_figures() -> None:
    picture = (TOP / "docs/search.svg").read_text(encoding="utf-8")
    points = re.findall(r'aria-label="vectors [^:]*: (\d+)([kM]); [^:]*: ([\d.]+); by: ([^"]+)"', picture)
    shown = {(int(count) * {"k": 1000, "M": 1_000_000}[unit], by, f"{float(ms):.6g}") for count, unit, ms, by in points}
    rows = [row for row in newest("search").rows if row.task == "one"]
    assert shown == {(row.conditions["rows"], row.contender, f"{1e3 * row.seconds('1 query'):.6g}") for row in rows}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_record_says_when_where_and_with_what_it_was_measured(path: Path) -> None:
    record = read(path)
    assert path == RECORDS / record.benchmark / f"{record.date.replace(':', '')}.json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?", record.date)
    assert record.source == MEASURED or record.source.startswith("transcribed")
    assert {"architecture", "cores", "processor", "instructions"} <= record.machine.keys()
    assert record.rows
    assert all(row.measured for row in record.rows)
    if record.source == MEASURED:
        assert {"emm1", "commit", "python"} <= record.versions.keys()
        assert "T" in record.date


def test_a_record_is_read_as_it_was_written_one_line_a_row(tmp_path: Path) -> None:
    record = measured("search", [ROW, ROW], k=10)
    assert read(record.write(tmp_path)) == record
    assert record.write(tmp_path).read_text(encoding="utf-8").count(json.dumps("emm1") + ", ") == 2
    assert {"python", "emm1", "numpy"} <= record.versions.keys()


def test_the_newest_record_is_the_last_by_time_and_a_day_alone_comes_before_its_hours(tmp_path: Path) -> None:
    record = measured("search", [ROW])
    for date in ("2026-11-27", "2026-11-27T23:59:00Z", "2026-11-27T09:00:00Z", "2026-02-01T00:00:00Z"):
        replace(record, date=date).write(tmp_path)
    assert newest("search", tmp_path).date == "2026-11-27T23:59:00Z"


def rows_of(table: str) -> dict[str, list[str]]:
    cells = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    )
    return {name: rest for name, *rest in cells}


def test_search_compares_times_and_answers_with_emm1() -> None:
    file: dict[str, str | int] = {"vectors": "clustered", "rows": 4000, "dims": 64, "dtype": "float32"}
    one, two = file | {"threads": 1}, file | {"threads": 2}
    rows = [
        Row("search", "emm1", {"answer": 5, "1 query": 0.002, "8 queries": 0.01}, one),
        Row("search", "slow", {"answer": 6, "1 query": 5.0}, one),
        Row("among", "emm1", {"among 1 %": 0.0004}, one),
        Row("search", "emm1", {"answer": 5, "1 query": 0.001}, two),
    ]
    tables = text(measured("search", rows))
    assert re.findall("^### (.*)$", tables, re.MULTILINE) == [
        "clustered, 4,000 × 64 float32, 1 thread",
        "clustered, 4,000 × 64 float32, 2 threads",
    ]
    assert rows_of(tables.partition("2 threads")[0]) == {
        "": ["1 query", "8 queries", "among 1 %"],
        "---": ["---:", "---:", "---:"],
        "emm1": ["2 (1×)", "10 (1×)", "0.4 (1×)"],
        "slow (different answer)": ["5,000 (2,500×)", "", ""],
    }


def test_builds_have_their_columns_in_order_though_the_first_row_lacks_some() -> None:
    rows = [
        Row("a", "before", {"least": 0.001}),
        Row("a", "after", {"least": 0.002, "ratio": [2.0, 2.111]}),
        Row("b", "after", {"median": 0.5, "least": 0.4}),
    ]
    assert rows_of(text(measured("builds-some", rows))) == {
        "": ["before, least, ms", "after, median, ms", "after, least, ms", "after, ratio"],
        "---": ["---:", "---:", "---:", "---:"],
        "a": ["1", "", "2", "2.00 2.11"],
        "b": ["", "500", "400", ""],
    }


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="processor time of other processes")
def test_a_run_of_a_benchmark_keeps_what_it_prints(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.start", str(tmp_path), "1"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True)
    (path,) = (tmp_path / "record" / "start").iterdir()
    record = read(path)
    assert isinstance(record, Record)
    assert done.stderr.strip().endswith(str(path))
    assert done.stdout.strip().endswith(text(record))
    assert [row.task for row in record.rows][:2] == ["import duckdb, typer", "emm1.open(STORE)"]
    assert all(row.seconds("processor") > 0 and row.seconds() > 0 for row in record.rows)
