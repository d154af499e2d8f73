"""Files are replaced, truncated and rewritten in place, and codes are damaged and rebuilt, while eight processes search.

    export PYTHONPATH=tests/support:tests/oracle
    python tests/campaigns/chaos.py --minutes 10 --seed 1 [--folder FOLDER] [--without NAME,...]

Each answer must be right for some moment between the opening of the file and the answer, or an error of emm1 if anything
changed in that time. An error without a reason is a failure too, and so is a process that exits.

Files are replaced by rename at any time. They are changed in place only between searches, because a program that reads a
file while it is written cannot see one consistent state (and may not survive a truncation), and at least `PAUSE` after
the previous change: a file system's clock ticks about a hundred times a second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from asker import WAYS
from moving import IDS, NAME, VECTORS, SharedLock, content, ids_of, put, right

import emm1

ASKERS = ("Fresh", "Fresh", "Kept", "Kept", "Codes", "SQL", "SQL", "SQL")
PAUSE = 0.02
CODED = 0.4
"""The fraction of changes that are followed by new codes."""
CONTENTS = [content(array) for array in VECTORS]


@dataclass(frozen=True)
class State:
    """The content of the file from some moment on: which vectors and ids (None if they cannot be read)."""

    vectors: int | None
    ids: int | None
    rows_of_ids: int
    what: str
    before: float
    after: float

    @property
    def whole(self) -> bool:
        """Whether the file can be searched."""
        return self.vectors is not None and self.ids is not None and len(VECTORS[self.vectors]) == self.rows_of_ids


@dataclass
class Chaos:
    """Changes the files, and records the changes."""

    folder: Path
    dice: random.Random
    states: list[State] = field(default_factory=list)
    vectors: int | None = 0
    ids: int | None = 0
    rows_of_ids: int = 0
    kept_codes: list[bytes] = field(default_factory=list)
    mapped: np.memmap[tuple[int, ...], np.dtype[np.float32]] | None = None

    def __post_init__(self) -> None:
        self.path, self.ids_path = self.folder / NAME, self.folder / "moving.ids.npy"
        self.codes_path = self.folder / f"{NAME}.codes"
        self.lock = SharedLock(self.folder)
        self.rows_of_ids = len(VECTORS[0])
        put(self.path, CONTENTS[0])
        put(self.ids_path, content(ids_of(0, self.rows_of_ids)))
        self.states.append(State(0, 0, self.rows_of_ids, "the beginning", 0.0, 0.0))

    @contextlib.contextmanager
    def recorded(self, what: str, **becomes: int | None) -> Iterator[None]:
        """Record when a change began and ended."""
        before = time.monotonic()
        yield
        for name, value in becomes.items():
            setattr(self, name, value)
        state = State(self.vectors, self.ids, self.rows_of_ids, what, before, time.monotonic())
        self.states.append(state)

    def change(self) -> None:
        """Make a random change; a file that cannot be read is replaced soon."""
        name = self.dice.choice(list(CHANGES))
        CHANGES[name](self)
        time.sleep(PAUSE + self.dice.choice((0, 0.01, 0.05)))
        if not self.states[-1].whole:
            self.dice.choice((Chaos.replace, Chaos.replace, Chaos.rewrite))(self)
            time.sleep(PAUSE)
        if self.dice.random() < CODED and "make_codes" in CHANGES:
            self.make_codes()
            time.sleep(PAUSE)

    def another(self, *, same_shape: bool = False) -> int:
        """The number of other vectors, of the same shape and type if required."""
        now = self.vectors
        if same_shape and now is not None:
            array = VECTORS[now]
            similar = [n for n, other in enumerate(VECTORS) if (other.shape, other.dtype) == (array.shape, array.dtype)]
            return self.dice.choice(similar)
        return self.dice.choice([n for n in range(len(VECTORS)) if n != now])

    def times(self, path: Path) -> tuple[int, int]:
        """The times of a file, in the form for `os.utime`."""
        stat = path.stat()
        return stat.st_atime_ns, stat.st_mtime_ns

    def _with_ids(self, vectors: int, *, keep_time: bool) -> None:
        """Replace the ids if their number does not match these vectors."""
        rows = len(VECTORS[vectors])
        if rows != self.rows_of_ids or self.ids is None:
            self._replace_ids(rows, keep_time=keep_time)

    def _replace_ids(self, rows: int, *, keep_time: bool) -> None:
        number = self.dice.randrange(IDS)
        times = self.times(self.ids_path) if keep_time else None
        with self.recorded("ids replaced", ids=number, rows_of_ids=rows):
            put(self.ids_path, content(ids_of(number, rows)), times)

    def _replace(self, number: int, what: str, *, keep_time: bool) -> None:
        times = self.times(self.path) if keep_time and self.path.exists() else None
        with self.recorded(what, vectors=number):
            put(self.path, CONTENTS[number], times)
        self.mapped = None
        self._with_ids(number, keep_time=keep_time)

    def replace(self) -> None:
        """Replace the file by rename."""
        self._replace(self.another(), "replaced", keep_time=False)

    def replace_at_the_same_time(self) -> None:
        """Replace the file by rename, with the size and time of the previous one."""
        self._replace(self.another(same_shape=True), "replaced, same size and time", keep_time=True)

    def replace_ids(self) -> None:
        """Replace the ids by rename, sometimes with the time of the previous ones."""
        self._replace_ids(self.rows_of_ids, keep_time=self.dice.random() < 0.5)

    def replace_by_shorter(self) -> None:
        """Replace the file by rename with one that is shorter than its header says."""
        number = self.another()
        with self.recorded("replaced by a shorter one", vectors=None):
            put(self.path, CONTENTS[number][: self.dice.randrange(len(CONTENTS[number]))])
        self.mapped = None

    def remove(self) -> None:
        """Remove the file."""
        with self.recorded("removed", vectors=None):
            self.path.unlink()
        self.mapped = None

    def cut(self) -> None:
        """Truncate the file in place, between searches."""
        self.mapped = None
        with self.lock.held(exclusive=True), self.recorded("cut in place", vectors=None):
            os.truncate(self.path, self.dice.randrange(max(1, self.path.stat().st_size)))

    def _rewrite(self, number: int, what: str, *, keep_time: bool) -> None:
        self.mapped = None
        with self.lock.held(exclusive=True), self.recorded(what, vectors=number):
            times = self.times(self.path) if keep_time else None
            with self.path.open("r+b") as file:
                file.truncate(len(CONTENTS[number]))
                file.write(CONTENTS[number])
            if times:
                os.utime(self.path, ns=times)
        self._with_ids(number, keep_time=keep_time)

    def rewrite(self) -> None:
        """Rewrite the file in place, with any type and length."""
        if self.path.exists():
            self._rewrite(self.another(), "rewritten", keep_time=False)
        else:
            self.replace()

    def rewrite_at_the_same_time(self) -> None:
        """Rewrite the file in place with the same size, and set its time back."""
        self._rewrite(self.another(same_shape=True), "rewritten, same size and time", keep_time=True)

    def rewrite_through_a_map(self) -> None:
        """Rewrite the file through a memory map that stays open: the system writes the pages back at any time."""
        if self.vectors is None or VECTORS[self.vectors].dtype != np.float32:
            return
        number = self.another(same_shape=True)
        with self.lock.held(exclusive=True), self.recorded("rewritten through a map", vectors=number):
            if self.mapped is None:
                self.mapped = np.load(self.path, mmap_mode="r+")
            self.mapped[:] = VECTORS[number]

    def make_codes(self) -> None:
        """Build codes, as the owner of the file does after writing it."""
        with contextlib.suppress(emm1.Error), warnings.catch_warnings(action="ignore"), self.recorded("codes made"):
            emm1.Embeddings(self.path).build_codes(threads=1)

    def _put_codes(self, what: str, data: bytes) -> None:
        with self.recorded(what):
            put(self.codes_path, data)

    def damage_codes(self) -> None:
        """Flip bits of the codes, or set bytes to one value, anywhere."""
        if not self.codes_path.exists():
            return
        data = bytearray(self.codes_path.read_bytes())
        if not data:
            return
        self.kept_codes = [*self.kept_codes[-9:], bytes(data)]
        # Often near the beginning, which is small and important.
        end = min(len(data), self.dice.choice((1024, 4096, len(data), len(data))))
        if self.dice.random() < 0.6:
            for _ in range(self.dice.choice((1, 10, 1000, 10_000))):
                data[self.dice.randrange(end)] ^= 1 << self.dice.randrange(8)
        else:
            begin = self.dice.randrange(end)
            end = min(end, begin + self.dice.choice((16, 500, 5000)))
            data[begin:end] = bytes([self.dice.choice((0, 255))]) * (end - begin)
        self._put_codes("codes damaged", bytes(data))

    def put_old_codes(self) -> None:
        """Put back the codes of an earlier state."""
        if self.kept_codes:
            self._put_codes("old codes put back", self.dice.choice(self.kept_codes))

    def cut_codes(self) -> None:
        """Truncate or remove the codes."""
        if self.codes_path.exists() and self.dice.random() < 0.5:
            data = self.codes_path.read_bytes()
            self._put_codes("codes cut", data[: self.dice.randrange(len(data) + 1)])
        else:
            with self.recorded("codes removed"):
                self.codes_path.unlink(missing_ok=True)


CHANGES: dict[str, Callable[[Chaos], None]] = {
    name: getattr(Chaos, name)
    for name in (
        *("replace", "replace_at_the_same_time", "replace_ids", "replace_by_shorter", "remove", "cut", "rewrite"),
        *("rewrite_at_the_same_time", "rewrite_through_a_map", "damage_codes", "put_old_codes", "cut_codes"),
        "make_codes",
    )
}


class Judge:
    """Compares the answers with the content of the files at the time."""

    def __init__(self, states: list[State]) -> None:
        self.states = states
        self.begins = [state.before for state in states]
        self.ends = [*(state.after for state in states[1:]), float("inf")]
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []

    def during(self, since: float, until: float) -> list[State]:
        """The states that can have been seen between two moments."""
        return self.states[bisect_left(self.ends, since) : bisect_right(self.begins, until)]

    def judge(self, way: str, line: dict[str, object]) -> None:
        """Judge one answer or error."""
        since, until, question = float(str(line["since"])), float(str(line["until"])), int(str(line["question"]))
        seen = self.during(since, until)
        if "error" in line:
            reason = len(seen) > 1 or not seen[0].whole
            self.counts[f"{way}: {'errors' if reason else 'errors without a reason'}"] += 1
            if not reason:
                self.failures.append(f"{way} question {question}: {line['error']} (after: {self.past(until)})")
            return
        vectors = {state.vectors for state in seen if state.vectors is not None}
        listed = {(state.ids, state.rows_of_ids) for state in seen if state.ids is not None}
        possible = {(v, i) for v in vectors for i, rows in listed if rows == len(VECTORS[v])}
        if any(line["answer"] == right(question, v, i) for v, i in possible if i is not None):
            self.counts[f"{way}: right"] += 1
            if line["coded"]:
                self.counts[f"{way}: right, with codes"] += 1
            return
        self.counts[f"{way}: wrong"] += 1
        known = [(v, i) for v in range(len(VECTORS)) for i in range(IDS) if line["answer"] == right(question, v, i)]
        what = f"the answer of {known[0]}" if known else "of no state"
        self.failures.append(f"{way} question {question}: {what}, expected {possible} (after: {self.past(until)})")

    def past(self, until: float) -> str:
        """The last changes before a moment."""
        return ", ".join(state.what for state in self.states if state.before <= until)[-200:]


def campaign(folder: Path, seconds: float, seed: int, without: set[str]) -> Judge:
    """Change and search for some time, then judge the answers."""
    for name in without:
        CHANGES.pop(name)
    chaos = Chaos(folder, random.Random(seed))
    script = Path(__file__).with_name("asker.py")
    arguments = [(way, str(folder), f"{seed}.{number}") for number, way in enumerate(ASKERS)]
    with (folder / "errors").open("w") as errors:
        processes = [subprocess.Popen([sys.executable, str(script), *each], stderr=errors) for each in arguments]
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end and all(process.poll() is None for process in processes):
            chaos.change()
    finally:
        (folder / "stop").touch()
    judge = Judge(chaos.states)
    for process, (way, _, number) in zip(processes, arguments, strict=True):
        if process.wait():
            stderr = (folder / "errors").read_text()
            judge.failures.append(f"{way} ended with {process.returncode}: {stderr[-2000:]}")
        for line in (folder / f"{way}-{number}.answers").read_text().splitlines(keepends=True):
            if line.endswith("\n"):  # the last line of a killed process may be incomplete
                judge.judge(way, json.loads(line))
    judge.counts.update(f"change: {state.what}" for state in chaos.states)
    return judge


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, help="folder for the files, such as a tmpfs; by default the temporary folder"
    )
    parser.add_argument("--without", default="", help="changes to leave out")
    arguments = parser.parse_args()
    without = set(filter(None, arguments.without.split(",")))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        judge = campaign(Path(folder), 60 * arguments.minutes, arguments.seed, without)
    for failure in judge.failures[:20]:
        print(failure[:1500])
    for what, number in sorted(judge.counts.items()):
        print(f"{what}: {number:,}")
    silent = [way for way in WAYS if not judge.counts[f"{way}: right"]]
    print(f"seed {arguments.seed}: {len(judge.failures):,} failures")
    sys.exit(f"no right answers of {', '.join(silent)}" if silent else 1 if judge.failures else 0)


if __name__ == "__main__":
    main()
