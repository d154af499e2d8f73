"""Exact top-k search compared with its rivals: isotropic, clustered and real vectors; one query, batches, filters.

    python -m benchmarks WORK [--rows ROWS] [--seconds SECONDS]

WORK is a folder for the vectors (about 35 GB) and for the results until there are all of them, which are then recorded.
Rivals that are not installed are left out (`make bench` installs them). A run that was interrupted, or that reached its
SECONDS, continues where it stopped; a complete one starts again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.data import write
from benchmarks.jobs import ROWS, jobs
from benchmarks.record import Row, measured
from benchmarks.report import finish, text
from benchmarks.tasks import TASKS


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Exact top-k search compared with its rivals.")
    parser.add_argument("work", type=Path, help="folder for vectors and results")
    parser.add_argument("--rows", type=int, default=ROWS, help="vectors of the isotropic and clustered files")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start nothing new after this time")
    parser.add_argument("--job", nargs=4, help=argparse.SUPPRESS)  # for the processes that the run starts
    options = parser.parse_args()
    if options.job:
        task, contender, file, threads = options.job
        limit_processors(int(threads))
        print(json.dumps(TASKS[task](contender, options.work / file, int(threads))))
        return
    started = time.monotonic()
    options.work.mkdir(parents=True, exist_ok=True)
    place = options.work / "results.json"
    results = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    wanted = jobs(options.rows)
    if all(str(job) in results for job in wanted):
        results = {}
    for job in wanted:
        if str(job) in results:
            continue
        write(options.work / job.file)
        if time.monotonic() - started > options.seconds:
            break
        print(job, file=sys.stderr)
        results[str(job)] = job.run(options.work)
        place.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
    done = [job for job in wanted if str(job) in results]
    rows = [Row(job.task, job.contender, results[str(job)], job.conditions(options.work)) for job in done]
    record = measured("search", rows)
    if done == wanted:
        finish(record, options.work, documented=options.rows == ROWS)
    else:
        print(text(record))


def limit_processors(count: int) -> None:
    """Restrict the process to this many processors, whatever number of threads a library chooses."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


if __name__ == "__main__":
    main()
