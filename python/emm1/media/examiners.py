"""Examines media files in processes of their own, because decoders of damaged files can crash or never end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Timer
from types import TracebackType
from typing import Self

from emm1.arguments import thread_count
from emm1.media.examine import examine, missing_packages
from emm1.media.finding import Finding, Status
from emm1.media.inside import OutsideError, inside

SECONDS = 60  # for a file; decoders that obey stop after half of them


@dataclass(frozen=True)
class File:
    """A file that is looked for.

    Attributes:
        paths: where it may be; the first that is there counts.
        root: the folder in which it must be, where links lead.
        modality: what it should hold.
        seconds: how long the clip is; None if that is not known.
    """

    paths: tuple[str, ...]
    root: str
    modality: str
    seconds: float | None


def find_and_examine(file: File, *, decode: bool) -> Finding:
    """What became of a file.

    >>> folder = getfixture("tmp_path")
    >>> find_and_examine(File((str(folder / "no"),), str(folder), "image", None), decode=True).status
    <Status.missing: 'missing'>
    """
    for name in file.paths:
        try:
            real = inside(name, file.root)
        except PermissionError as error:
            return Finding(Status.unreadable, error.strerror)
        except FileNotFoundError:
            continue
        except OutsideError:
            return Finding(Status.missing, "a link leads out of the media folder")
        return examine(real, file.modality, file.seconds, decode=decode)
    return Finding(Status.missing)


class Examiner:
    """A process that examines one file after another."""

    def __init__(self) -> None:
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    @staticmethod
    def _start() -> subprocess.Popen[str]:
        # Without Ctrl-C, which ends the process that asks.
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "emm1.media.examiners"],  # -P: not the modules of the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            start_new_session=True,
        )

    def examine(self, file: File) -> Finding:
        """What became of a file, also where its decoder crashes, twice, or does not end."""
        return self._once(file) or self._once(file) or Finding(Status.damaged, "its decoder crashes")

    def _once(self, file: File) -> Finding | None:
        """What became of a file; None if the process ended before it answered."""
        begun = time.monotonic()
        late = Timer(SECONDS, self._process.kill)
        late.start()
        answer = self._answer([file.paths, file.root, file.modality, file.seconds])
        late.cancel()
        if answer:
            status, detail = json.loads(answer)
            return Finding(Status(status), detail)
        self.__exit__(None, None, None)
        self._process = self._start()
        if time.monotonic() - begun >= SECONDS:
            return Finding(Status.slow, f"its decoder took more than {SECONDS} s")
        return None

    def _answer(self, question: Sequence[object]) -> str:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except BrokenPipeError:
            return ""


class Examiners:
    """Processes that examine files at once; only this one, if the packages that decode are not installed.

    Args:
        count: how many; by default one for each processor.
    """

    def __init__(self, count: int | None = None) -> None:
        count = thread_count(count)
        self.decode = not missing_packages()
        self._stack = ExitStack()
        self._idle: SimpleQueue[Examiner] = SimpleQueue()
        self._threads = self._stack.enter_context(ThreadPoolExecutor(count))
        for _ in range(count if self.decode else 0):
            self._idle.put(self._stack.enter_context(Examiner()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self._threads.shutdown(cancel_futures=True, wait=False)
        self._stack.close()

    def examine(self, files: Iterable[File]) -> Iterator[Finding]:
        """What became of each file, in their order."""
        return self._threads.map(self._examine, files)

    def _examine(self, file: File) -> Finding:
        if not self.decode:
            return find_and_examine(file, decode=False)
        examiner = self._idle.get()
        try:
            return examiner.examine(file)
        finally:
            self._idle.put(examiner)


def main() -> None:
    """Answer questions until there are no more."""
    alarm = getattr(signal, "alarm", None)  # not on Windows; it ends the process where the one that asks is gone
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    for question in sys.stdin:
        if alarm is not None:
            alarm(2 * SECONDS)
        paths, root, modality, seconds = json.loads(question)
        found = find_and_examine(File(tuple(paths), root, modality, seconds), decode=True)
        answers.write(json.dumps([found.status, found.detail]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
