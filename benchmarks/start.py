"""How long commands take to start: ``python -m benchmarks.start WORK [ROUNDS]``.

Each round runs every command once, so that all of them meet the same state of the machine. The figures are the least of all
rounds, as seconds above the baseline: Python with duckdb and typer imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.record import Row, measured
from benchmarks.report import finish

ROUNDS = 20
BASELINE = "import duckdb, typer"
OPEN = "import sys, emm1; emm1.open(sys.argv[1], read_only=True)"


def main(work: Path, rounds: int) -> None:
    store = sample_store(work)
    python = [sys.executable, "-c"]
    emm1 = [sys.executable, "-m", "emm1"]
    commands = {
        BASELINE: [*python, BASELINE],
        "emm1.open(STORE)": [*python, OPEN, store],
        "emm1 --help": [*emm1, "--help"],
        "emm1 info STORE": [*emm1, "info", store],
        "emm1 search STORE image --id 7": [*emm1, "search", store, "image", "--id", "7"],
        "emm1 search STORE text --id 7": [*emm1, "search", store, "text", "--id", "7"],
    }
    runs = {name: [timed(command)] for name, command in commands.items()}
    for _ in range(rounds - 1):
        for name, command in commands.items():
            runs[name].append(timed(command))
    rows = []
    for name, found in runs.items():
        elapsed, processor = map(min, zip(*found, strict=True))
        rows.append(Row(name, "emm1", {"seconds": elapsed, "processor": processor}))
    finish(measured("start", rows, rounds=rounds), work, documented=rounds == ROUNDS)


def sample_store(work: Path) -> str:
    """The store of the sample, with embeddings of captions and images."""
    store = work / "start" / "emm1.duckdb"
    if not store.exists():
        run = [sys.executable, "-m", "emm1"]
        sample = store.with_name("sample")
        subprocess.run([*run, "sample", sample], check=True)
        subprocess.run([*run, "build", sample, store], check=True)
        for name in ("text", "image"):
            items = ["--dataset", "100m", "--modality", name]
            subprocess.run(
                [*run, "embeddings", "add", store, name, sample / f"embeddings/{name}.npy", *items], check=True
            )
    return str(store)


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds until a command has ended, and seconds of processor time that it took."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return elapsed, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS)  # noqa: PLR2004
