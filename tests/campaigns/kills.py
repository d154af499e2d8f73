"""Builds are killed at random moments: the store is then the old or the new one, complete, and the next build works.

    PYTHONPATH=tests/support python tests/campaigns/kills.py --kills 100 --seed 1

A small store is switched between two sets of ranks, and every build is killed (SIGKILL) at a random moment of the time
that a complete build takes; this process reads the store after each.
"""

import argparse
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from store_content import content
from system import command

import emm1
from emm1.ingest.run import build_store

RANKS = ("1-8", "5-12")


def build(tree: Path, store: Path, ranks: str, *, force: bool, kill_after: float | None = None) -> tuple[int, bytes]:
    """Build in a separate process, which is killed after some seconds; returns its exit status and error output."""
    arguments = command("build", tree, store, "--ranks", ranks, *["--force"] * force)
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        if kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        _, errors = process.communicate()
        return process.returncode, errors


def campaign(tree: Path, folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill builds and check what they leave.

    Returns:
        How many builds ran, were killed, ended before, left the old store, left the new one, and left other files.
    """
    store = folder / "emm1.duckdb"
    complete: dict[str, dict[str, Any]] = {}
    started = time.monotonic()
    for ranks in reversed(RANKS):
        code, errors = build(tree, store, ranks, force=True)
        assert code == 0, errors
        complete[ranks] = content(store)
    seconds = (time.monotonic() - started) / len(RANKS)
    dice = random.Random(seed)
    now = 0
    counts = dict.fromkeys(("builds", "killed", "ended before", "old store", "new store", "left files"), 0)
    while counts["killed"] < kills:
        wanted = 1 - now
        forced = bool(dice.randrange(2))
        code, errors = build(tree, store, RANKS[wanted], force=forced, kill_after=dice.uniform(0, 1.1 * seconds))
        assert code in {0, -signal.SIGKILL}, errors
        actual = content(store)
        assert actual in complete.values(), "neither the old nor the new store"
        new = actual == complete[RANKS[wanted]]
        assert new or code, "a build that ended left the old store"
        counts["builds"] += 1
        counts["killed" if code else "ended before"] += 1
        counts["new store" if new else "old store"] += 1
        counts["left files"] += len(list(folder.iterdir())) > 1
        now = wanted if new else now
    build_store(tree, store, ranks=range(1, 9))
    assert content(store) == complete[RANKS[0]]
    assert [path.name for path in folder.iterdir()] == ["emm1.duckdb"]
    return counts


def main() -> None:
    """Run the campaign on a sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        tree, folder = Path(work) / "sample", Path(work) / "store"
        folder.mkdir()
        emm1.write_sample(tree, scale=0.0002, embeddings=0)
        print(campaign(tree, folder, arguments.kills, arguments.seed))


if __name__ == "__main__":
    main()
