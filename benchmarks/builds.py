"""Compares builds of emm1: the effect of a change on a warm query, or on a batch of queries.

    python -m benchmarks.builds WORK before=FOLDER after=python [--files FILE,...] [--batches 1,6] [--rounds 200]

Each FOLDER holds a package `emm1` with its native library (for an older commit: `pip install --target FOLDER` of a
worktree). WORK is a folder for the vectors. Every build has a process that keeps the file and its codes open, and the
processes take turns, so that other load on the machine affects all of them equally. The first build is the baseline.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.data import queries_for, write
from benchmarks.record import Row, measured
from benchmarks.report import finish

FILES = ("clustered-400000.npy", "narrow-50000.npy")
K = 10
MANY = 64
"""Number of queries that are used one after another, or from which a batch is taken."""
SEARCHES = 3
"""Searches per turn: the first is not counted, because the previous turn has displaced the caches."""


class Build:
    """A build in its own process, with an open file."""

    def __init__(self, name: str, folder: Path, file: Path, threads: int, stack: ExitStack) -> None:
        command = [sys.executable, "-m", "benchmarks.builds", "--serve", name, str(file), str(threads)]
        top = Path(__file__).resolve().parents[1]
        environment = {**os.environ, "PYTHONPATH": f"{folder.resolve()}{os.pathsep}{top}"}
        self.name = name
        self._process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        )
        stack.callback(self._process.kill)
        where = Path(self._line())
        assert where.is_relative_to(folder.resolve()), f"{name} would measure {where}"

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the process of {self.name} has ended"
        return line.strip()

    def seconds(self, batch: int, number: int) -> float:
        """The median time of a search in one turn, without the first search."""
        assert self._process.stdin is not None
        print(batch, number, file=self._process.stdin, flush=True)
        times: list[float] = json.loads(self._line())
        return median(times[1:])


def serve(name: str, file: Path, threads: int) -> None:
    """The process of a build: prints the path of its package, then the times of the searches that each line asks for."""
    import emm1

    codes = file.with_name(f"{file.name}.{name}.codes")
    embeddings = emm1.Embeddings(file, codes=codes)
    if embeddings.codes_path is None:
        embeddings.build_codes(codes)
        embeddings = emm1.Embeddings(file, codes=codes)
    queries = queries_for(file, MANY)
    embeddings.search(queries[:2], K, "dot", threads=threads)
    print(Path(emm1.__file__).resolve(), flush=True)
    for line in sys.stdin:
        batch, number = map(int, line.split())
        times = []
        for search in range(SEARCHES):
            one = (number * SEARCHES + search) % MANY
            chosen = queries[one] if batch == 1 else queries[:batch]
            started = time.perf_counter()
            embeddings.search(chosen, K, "dot", threads=threads)
            times.append(time.perf_counter() - started)
        print(json.dumps(times), flush=True)


def compare(builds: list[Build], task: str, batch: int, rounds: int) -> list[Row]:
    """Median and minimum of each build, and the median of its ratios to the first."""
    times: dict[str, list[float]] = {build.name: [] for build in builds}
    for number in range(rounds):
        # The order changes from turn to turn.
        turn = builds if number % 2 else builds[::-1]
        for build in turn:
            times[build.name].append(build.seconds(batch, number))
    first = times[builds[0].name]
    rows = []
    for name, taken in times.items():
        ratio = median(mine / its for mine, its in zip(taken, first, strict=True))
        rows.append(Row(task, name, {"median": median(taken), "least": min(taken), "ratio": ratio}))
        print(rows[-1], file=sys.stderr)
    return rows


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description="Compares builds of emm1.")
    parser.add_argument("work", type=Path)
    parser.add_argument("builds", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--files", default=",".join(FILES))
    parser.add_argument("--batches", default="1")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--record", metavar="NAME", help="keep the figures for docs/benchmarks.md, as builds-NAME")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    folders = dict(build.split("=", 1) for build in options.builds)
    rows: list[Row] = []
    for name in options.files.split(","):
        file = write(options.work / name)
        with ExitStack() as stack:
            builds = [Build(build, Path(folder), file, options.threads, stack) for build, folder in folders.items()]
            for batch in map(int, options.batches.split(",")):
                task = f"{file.stem}, {batch} {'query' if batch == 1 else 'queries'}"
                rows += compare(builds, task, batch, options.rounds)
    name = f"builds-{options.record}" if options.record else "builds"
    record = measured(name, rows, k=K, threads=options.threads, rounds=options.rounds)
    finish(record, options.work, documented=bool(options.record))


if __name__ == "__main__":
    main()
