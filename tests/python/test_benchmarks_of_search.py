"""The vectors, queries, options and goals of the benchmark of search."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from benchmarks.__main__ import run
from benchmarks.data import MATCHING, QUERIES, cross_modal, held_out, queries_for, unit, write
from benchmarks.goals import goals, reached
from benchmarks.jobs import Job, job, jobs
from benchmarks.measure import mean_of_best
from benchmarks.record import Row, measured, read
from benchmarks.report import text

TOP = Path(__file__).parents[2]
FILE: dict[str, str | int] = {"vectors": "clustered", "rows": 400_000, "dims": 1024, "dtype": "float32", "threads": 2}


def test_queries_are_kept_out_of_the_file_which_has_as_many_vectors_as_its_name_says(tmp_path: Path) -> None:
    path = write(tmp_path / "narrow-300.npy")
    vectors, queries = np.load(path), np.load(held_out(path))
    assert (vectors.shape, queries.shape) == ((300, 384), (QUERIES, 384))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
    assert (queries @ vectors.T).max() < 1 - 1e-3
    assert np.array_equal(queries_for(path, 5), queries[:5])


def test_half_precision_files_are_rounded_from_the_others_and_share_their_queries(tmp_path: Path) -> None:
    half = write(tmp_path / "tiny-50-f16.npy")
    assert np.array_equal(np.load(half), np.load(tmp_path / "tiny-50.npy").astype(np.float16))
    assert held_out(half) == held_out(tmp_path / "tiny-50.npy")


def test_a_file_without_its_queries_is_written_again_with_them(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny-50.npy")
    before = path.read_bytes()
    held_out(path).unlink()
    assert write(path).read_bytes() == before
    assert held_out(path).exists()


def test_cross_modal_queries_match_rows_with_the_published_cosines_and_share_a_direction() -> None:
    random = np.random.default_rng(3)
    matches = unit(random.standard_normal((400, 256)))
    queries = cross_modal(matches, random)
    assert np.linalg.norm(queries, axis=1) == pytest.approx(1, abs=1e-5)
    cosines = (queries * matches).sum(axis=1)
    assert MATCHING[0] - 1e-5 <= cosines.min() < cosines.max() <= MATCHING[1] + 1e-5
    assert np.linalg.norm(queries.mean(axis=0)) > 0.5 > np.linalg.norm(matches.mean(axis=0))


def test_queries_of_different_difficulty_count_alike_and_slow_ones_are_fewer() -> None:
    asked: list[int] = []
    mean_of_best(asked.append, asked=4)
    assert set(asked) == {0, 1, 2, 3}
    assert asked[1:] == [0, 1, 2, 3] * (len(asked) // 4)


def test_a_job_is_described_to_its_process() -> None:
    one = Job("search", "emm1", "minilm-9.npy", 2, "cross-modal", (3, 5))
    fields = json.dumps({**vars(one)})
    assert job(fields) == one


def test_options_choose_among_the_jobs() -> None:
    every = jobs(4000)
    assert {one.kind for one in jobs(4000, ("lsa",))} == {"lsa", "tiny"}
    assert {one.threads for one in jobs(4000, ("lsa",), (1,)) if one.kind == "lsa"} == {1}
    assert {(one.kind, one.threads) for one in every if one.asked == "cross-modal"} == {
        (kind, threads) for kind in ("clustered", "minilm") for threads in (1, 2)
    }
    assert {one.contender for one in every if one.task == "search"} >= {"emm1", "emm1, AVX2 alone", "NumPy"}


def test_a_run_measures_what_its_options_choose_and_keeps_it_in_its_folder(tmp_path: Path) -> None:
    options = ["--rows", "1200", "--kinds", "clustered", "--threads", "1", "--k", "3,9"]
    tasks = ["--tasks", "search,knn"]
    command = [sys.executable, "-m", "benchmarks", str(tmp_path), *options, *tasks]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True)
    (path,) = (tmp_path / "record" / "search").iterdir()
    record = read(path)
    assert done.stdout.strip() == text(record)
    assert "different answer" not in done.stdout
    searches = [row for row in record.rows if row.task == "search" and row.conditions["dtype"] == "float32"]
    assert {row.conditions["threads"] for row in searches} == {1}
    assert {row.conditions.get("queries", "held out") for row in searches} == {"held out", "cross-modal"}
    assert all({"1 query", "k = 9"} <= row.measured.keys() for row in searches)
    assert not list(tmp_path.glob("*.duckdb"))
    assert not (tmp_path / "rows.json").exists()
    assert all(row.measured["queries"] == 1200 for row in record.rows if (row.task, row.contender) == ("knn", "emm1"))


def test_an_interrupted_run_keeps_what_it_measured_and_deletes_files_of_growing_size(tmp_path: Path) -> None:
    kept = Job("call", "emm1", "tiny-10.npy", 1)
    row = Row("call", "emm1", {"call": 7.0}, {"threads": 1})
    (tmp_path / "rows.json").write_text(json.dumps({str(kept): asdict(row)}), encoding="utf-8")
    results = run([kept, Job("one", "emm1", "tiny-30.npy", 1), Job("one", "NumPy", "tiny-30.npy", 1)], tmp_path, 600)
    assert results[str(kept)] == row
    assert {(row.contender, row.conditions["rows"]) for row in results.values() if row.task == "one"} == {
        ("emm1", 30), ("NumPy", 30),
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["rows.json"]


def test_exact_search_finds_all_that_approximate_rivals_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "narrow-2000.npy")
    numbers = Job("approximate", "emm1", path.name, 2).numbers(tmp_path)
    assert numbers["recall "] == 1
    assert numbers["bytes"] > 2000 * 384
    assert {name for name in numbers if "quer" in name} == {"1 query ", "512 queries "}


def test_an_unknown_kind_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", str(tmp_path), "--kinds", "clustered,glvoe"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "glvoe: choose from isotropic, clustered, lsa, minilm, wordllama, glove" in done.stderr


def cells(tables: str, start: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in tables.splitlines()
        if line.startswith(f"| {start}")
    ]


def test_the_table_of_goals_says_which_were_missed_and_against_whom() -> None:
    rows = [
        Row("search", "emm1", {"1 query": 0.001, "k = 100": 0.002, "512 queries": 0.5}, FILE),
        Row("search", "emm1 before", {"1 query": 0.005, "512 queries": 0.9}, FILE),
        Row("search", "NumPy", {"1 query": 0.05, "k = 100": 0.02, "512 queries": 8.0}, FILE),
        Row("search", "FAISS FlatPanorama", {"1 query": 0.021, "k = 100": 0.1}, FILE),
        Row("search", "emm1", {"1 query": 0.004}, {**FILE, "queries": "cross-modal"}),
        Row("search", "emm1 before", {"1 query": 0.004}, {**FILE, "queries": "cross-modal"}),
        Row("search", "NumPy", {"1 query": 0.0001}, {**FILE, "dtype": "float16"}),
    ]
    found = cells(reached(rows), "clustered")
    best = "the best exact rival"
    assert [row for row in found if row[1] == "2"] == [
        ["clustered", "2", "1 query", f"{best}, FAISS FlatPanorama", "20×", "21×", "reached"],
        ["clustered", "2", "k = 100", f"{best}, NumPy", "15×", "10×", "**missed**"],
        ["clustered, cross-modal queries", "2", "1 query", "emm1 before", "1.3×", "1×", "**missed**"],
        ["clustered", "2", "512 queries", f"{best}, NumPy", "10×", "16×", "reached"],
        ["clustered", "2", "512 queries", "emm1 before", "2×", "1.8×", "**missed**"],
    ]
    assert {row[-1] for row in found if row[1] == "1"} == {"not measured"}


def test_small_files_have_no_goals() -> None:
    assert reached([Row("search", "emm1", {"1 query": 0.001}, {**FILE, "rows": 4000})]) == ""
    assert {goal.vectors for goal in goals()} == {"clustered", "isotropic", "lsa", "minilm", "glove", "wordllama"}


def test_the_same_answer_may_be_rounded_differently() -> None:
    rows = [
        Row("search", name, {"answer": answer, "1 query": 0.01}, {**FILE, "rows": 4000})
        for name, answer in {"emm1": 21.5, "rounded": 21.5 + 1e-6, "wrong": 21.4}.items()
    ]
    assert [row[0] for row in cells(text(measured("search", rows)), "")[2:]] == [
        "emm1",
        "rounded",
        "wrong (different answer)",
    ]


def test_approximate_rivals_have_a_row_for_each_effort_and_neighbours_say_how_many_were_measured() -> None:
    of = {**FILE, "rows": 4000}
    exact = {"build": 0.5, "bytes": 4_160_000, "recall ": 1.0, "1 query ": 0.0002, "512 queries ": 0.05}
    graph = {"build": 12.0, "bytes": 40_000_000}
    for effort, recall in {16: 0.9, 64: 0.99}.items():
        graph |= {f"recall ef = {effort}": recall, f"1 query ef = {effort}": 0.0001, f"512 queries ef = {effort}": 0.04}
    rows = [
        Row("approximate", "emm1", exact, of),
        Row("approximate", "a graph", graph, of),
        Row("knn", "emm1", {"queries": 4000, "seconds": 90.0, "all": 90.0}, of),
        Row("knn", "FAISS Flat", {"queries": 400, "seconds": 60.0, "all": 600.0}, of),
    ]
    tables = text(measured("search", rows))
    assert cells(tables, "emm1, exact") == [["emm1, exact", "1.0000", "0.2", "50", "0.5", "4.16"]]
    assert cells(tables, "a graph") == [
        ["a graph, ef = 16", "0.9000", "0.1", "40", "12", "40"],
        ["a graph, ef = 64", "0.9900", "0.1", "40", "12", "40"],
    ]
    assert cells(tables, "clustered, 4,000") == [["clustered, 4,000 × 1,024", "1.5", "10"]]
    assert "| emm1, minutes (4,000 measured) | FAISS Flat, minutes (400 measured) |" in tables
