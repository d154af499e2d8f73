"""How quickly the local page answers: ``python -m benchmarks.explore STORE WORK``.

Every round starts `emm1 explore` and asks for the first page, so the first answer includes the start of the command. Then the pages of captions chosen at random,
with all of their groups, are asked for one after another, then 200 at once; after that the process's peak memory is read from /proc.
"""

from __future__ import annotations

import http.client
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import emm1
from benchmarks.record import Row, measured
from benchmarks.report import finish

ROUNDS, STEPS, AT_ONCE = 5, 200, 200
LARGE = 300_000  # captions of a store whose figures are for the documents


@dataclass(frozen=True)
class Page:
    """A running page."""

    host: str
    token: str
    process: int
    started: float

    def seconds(self, path: str) -> float:
        """How long an answer takes."""
        before = time.perf_counter()
        connection = http.client.HTTPConnection(self.host, timeout=120)
        connection.request("GET", f"{path}{'&' if '?' in path else '?'}token={self.token}")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, (path, answer.status)  # noqa: PLR2004
        connection.close()
        return time.perf_counter() - before

    def processor(self) -> float:
        """Seconds of processor time that it took so far."""
        fields = Path(f"/proc/{self.process}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self) -> float:
        """The most memory that it had, in GB."""
        lines = Path(f"/proc/{self.process}/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM"))


@contextmanager
def explored(store: Path) -> Iterator[Page]:
    """The page of a store."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "emm1", "explore", str(store), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        host, _, token = process.stdout.readline().strip().removeprefix("http://").partition("/?token=")
        try:
            yield Page(host, token, process.pid, started)
        finally:
            process.terminate()


def main(store: Path, work: Path) -> None:
    with emm1.open(store, read_only=True) as opened:
        captions = [int(number) for (number,) in opened.sql("SELECT encord_text_id FROM e_mm1_100m.text").fetchall()]
        ((groups,),) = opened.sql("SELECT count(*) FROM e_mm1_100m.groups").fetchall()
        ((images,),) = opened.sql("SELECT count(*) FROM e_mm1_100m.image").fetchall()
    chosen = random.Random(0)  # noqa: S311 - no secret
    first, processor = [], []
    for _ in range(ROUNDS):
        with explored(store) as page:
            page.seconds("/")
            first.append(time.perf_counter() - page.started)
            processor.append(page.processor())
    with explored(store) as page:
        steps = [page.seconds(f"/items/100m/text/{number}") for number in chosen.sample(captions, STEPS)]
        whole = [page.seconds(f"/items/100m/text/{number}?nn_index=all") for number in chosen.sample(captions, STEPS)]
        near = [page.seconds(f"/items/100m/image/{chosen.randrange(images)}") for _ in range(20)]
        paths = [f"/items/100m/text/{number}" for number in chosen.sample(captions, AT_ONCE)]
        before = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(page.seconds, paths))
        together = time.perf_counter() - before
        peak = page.peak()
    rows = [
        Row("first answer, from the command on", "emm1", {"seconds": min(first), "processor": min(processor)}),
        Row("a step to another caption, with its nearest items", "emm1", spread(steps)),
        Row("a caption with all of its groups", "emm1", spread(whole)),
        Row("an image with the captions near it", "emm1", spread(near)),
        Row(f"{AT_ONCE} captions at once, each", "emm1", {"seconds": together / AT_ONCE}),
        Row("in all", "emm1", {"peak memory, GB": peak}),
    ]
    record = measured("explore", rows, captions=len(captions), groups=groups)
    finish(record, work, documented=len(captions) >= LARGE)


def spread(seconds: list[float]) -> dict[str, float]:
    """The median, and what one in twenty exceeds."""
    twentieths = quantiles(seconds, n=20)
    return {"seconds": twentieths[9], "slowest": twentieths[18]}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
