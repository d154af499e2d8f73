"""Exact top-k search compared with its rivals: isotropic, clustered and real vectors; one query, batches, filters.

    python -m benchmarks WORK [--rows ROWS] [--kinds KIND,…] [--threads 2,1] [--k 10,100] [--tasks TASK,…] [--before FOLDER]

WORK is a folder for the vectors (about 25 GB) and for the results until there are all of them, which are then recorded.
Rivals that are not installed are left out (`make bench` installs them). A run that was interrupted, or that reached its
SECONDS, continues where it stopped; a complete one starts again.

FOLDER holds a package `emm1` of an earlier version (`pip install --target FOLDER` of a worktree), which then takes part.
Only a run of all kinds, threads, k and tasks is kept for the documents; others print their tables.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from benchmarks.contenders import BEFORE
from benchmarks.data import KINDS, held_out, write
from benchmarks.jobs import KS, ROWS, THREADS, Job, job, jobs
from benchmarks.record import Row, measured
from benchmarks.report import finish, text
from benchmarks.tasks import TASKS

RESULTS = "rows.json"


def main() -> None:
    options = parser().parse_args()
    if options.job:
        asked = job(options.job)
        limit_processors(asked.threads)
        print(json.dumps(asked.numbers(options.work)))
        return
    if options.before:
        os.environ[BEFORE] = str(options.before.resolve())
    every = jobs(options.rows, options.kinds, options.threads)
    wanted = [replace(one, ks=options.k) for one in every if one.task in options.tasks]
    results = run(wanted, options.work, options.seconds)
    rows = [results[str(one)] for one in wanted if str(one) in results]
    record = measured("search", rows)
    if len(rows) == len(wanted):
        (options.work / RESULTS).unlink(missing_ok=True)
        finish(record, options.work, documented=wanted == jobs(ROWS))
    else:
        print(text(record))


def parser() -> argparse.ArgumentParser:
    """The options."""

    def numbers(text: str) -> tuple[int, ...]:
        return tuple(map(int, text.split(",")))

    def names(known: tuple[str, ...], text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
        return chosen

    found = argparse.ArgumentParser(prog="benchmarks", description="Exact top-k search compared with its rivals.")
    found.add_argument("work", type=Path, help="folder for vectors and results")
    found.add_argument("--rows", type=int, default=ROWS, help="vectors of the isotropic and clustered files")
    found.add_argument("--kinds", type=partial(names, KINDS), default=KINDS, help=f"of vectors: {', '.join(KINDS)}")
    found.add_argument("--threads", type=numbers, default=THREADS, help="how many, one after another")
    found.add_argument("--k", type=numbers, default=KS, help="how many rows a single query seeks; batches seek 16")
    found.add_argument("--tasks", type=partial(names, tuple(TASKS)), default=tuple(TASKS), help=", ".join(TASKS))
    found.add_argument("--before", type=Path, help="folder with an earlier version of emm1, which takes part")
    found.add_argument("--seconds", type=float, default=float("inf"), help="start nothing new after this time")
    found.add_argument("--job", help=argparse.SUPPRESS)  # for the processes that the run starts
    return found


def run(wanted: list[Job], work: Path, seconds: float) -> dict[str, Row]:
    """The results of the jobs; those of a run that was interrupted are kept."""
    started = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    place = work / RESULTS
    kept = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    results = {name: Row(**row) for name, row in kept.items()}
    for at, one in enumerate(wanted):
        if str(one) not in results:
            write(work / one.file)
            if time.monotonic() - started > seconds:
                break
            print(f"{time.monotonic() - started:5.0f} s  {one}", file=sys.stderr)
            results[str(one)] = Row(one.task, one.contender, one.run(work), one.conditions(work))
            rows = {name: asdict(row) for name, row in results.items()}
            place.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
        if one.file not in {later.file for later in wanted[at + 1 :]}:
            tidy(work / one.file, whole=one.task == "one")
    return results


def tidy(path: Path, *, whole: bool) -> None:
    """Delete what takes much room and nothing needs any more: copies that rivals made, and files of growing size."""
    shutil.rmtree(path.with_suffix(".lancedb"), ignore_errors=True)
    path.with_suffix(".duckdb").unlink(missing_ok=True)
    if whole:
        for file in (path, *path.parent.glob(f"{path.name}.*"), held_out(path)):
            file.unlink(missing_ok=True)


def limit_processors(count: int) -> None:
    """Restrict the process to this many processors, whatever number of threads a library chooses."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


if __name__ == "__main__":
    main()
