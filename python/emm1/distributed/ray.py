"""Ray as an engine: a part of a work is a task on a node that has the files; paths go there, and nothing comes back.

A part is written beside its place and renamed, and stays where it is finished: a task may be lost, or done twice.
"""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import socket
import time
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

from emm1 import __version__
from emm1.errors import Error
from emm1.parts import part_in
from emm1.work import Engine, Progress, Work

# How often a part is given to a worker again after one was lost.
RETRIES = 3
# Seconds between two looks for nodes that joined.
INTERVAL = 5.0
# Seconds in which a host has to answer.
PATIENCE = 10.0
# Seconds after which each machine sees what another one wrote: NFS keeps what it knows of a folder for up to a minute.
SEEN = 65.0
# Ray by itself tries for a quarter of an hour to reach a cluster that is not there. It reads these when it is imported.
IMPATIENT = {"RAY_NUM_REDIS_GET_RETRIES": "1", "RAY_py_gcs_connect_timeout_s": "5"}

GONE = "it is gone"


def on_ray(address: str | None = None) -> Engine:
    """An engine that does the parts of a work as tasks of a Ray cluster.

    Every node that has the same files at the same paths, and sees the folder of the parts, does one part at a time with all
    its CPUs. Nodes that do not are named in a warning. A part whose worker or node is lost is done again, by another node if
    need be, and nodes that join are used. After an error or Ctrl-C, tasks are cancelled and finished parts stay.

    Args:
        address: of the cluster, ``HOST:PORT`` as Ray prints it where it starts; by default ``$RAY_ADDRESS``, or the cluster that
            runs on this machine, or one that is started here for this work. A process that is connected stays connected.

    Raises:
        emm1.errors.Error: ray is not installed. The engine raises it if the cluster cannot be used, no node can do the work, or
            a part was lost several times; and the errors of the work itself.

    >>> from emm1.distributed.ray import on_ray
    >>> engine = on_ray("10.0.0.1:6379")  # doctest: +SKIP
    >>> emm1.knn_to_parquet("text.npy", "image.npy", "near.parquet", engine=engine)  # doctest: +SKIP
    """
    ray = _ray()

    def engine(work: Work, folder: Path, numbers: Sequence[int], progress: Progress) -> None:
        folder = folder.absolute()  # workers have other current folders
        total = sum(work.sizes[number] for number in numbers)
        # Ray prints what happens to its nodes to standard output, which belongs to the caller.
        with redirect_stdout(StringIO()), _connected(ray, address) as stays, _probe(folder) as probe:
            run = _Run(ray, ray.put(pickle.dumps(work)), folder, probe, deque(numbers))
            try:
                while undone := run.undone():
                    progress(total - sum(work.sizes[number] for number in undone), total)
                    run.step()
            finally:
                if stays:
                    run.cancel()
        progress(total, total)

    return engine


def _ray() -> Any:
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # noqa: PLC0415 - of the extra
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise Error(f"this engine needs the package {package}: pip install 'emm1[ray]'") from error
    return ray


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[bool]:
    """A connection to the cluster; one that the process has already is used, and stays: whether it does so.

    A connection that ends takes its tasks with it. To cancel them first would be worse: Ray ends the process if a task returns at
    that moment (github.com/ray-project/ray/pull/54798; "task that was not pending" in 2.60).
    """
    if ray.is_initialized():
        yield True
        return
    address = address or os.environ.get("RAY_ADDRESS") or None
    _check_listens(address or "")
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        named = f"the Ray cluster at {address}" if address else "Ray"
        raise Error(f"{named} cannot be used: {str(error).strip() or type(error).__name__}") from error
    try:
        yield False
    finally:
        ray.shutdown()


def _check_listens(address: str) -> None:
    """Refuse HOST:PORT if nothing listens there; any other address is for Ray to judge."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Error(f"no Ray cluster at {address} ({reason}): Ray prints its address where it starts") from error


@contextmanager
def _probe(folder: Path) -> Iterator[Path]:
    """A new file in the folder: whoever sees it sees this folder, and not another one of the same name."""
    probe = folder / f"{secrets.token_hex(8)}.probe"
    probe.touch()
    try:
        yield probe
    finally:
        probe.unlink(missing_ok=True)


def _refusal(pickled: bytes, probe: Path, version: str) -> str | None:
    """A question to a node: why can it not do parts of the work?"""
    if __version__ != version:
        return f"it has emm1 {__version__}, not {version}"
    if not probe.exists():
        return f"it does not see the folder {probe.parent}: name an output that all nodes share"
    try:
        pickle.loads(pickled).check()  # noqa: S301 - of the caller, as everything that a cluster runs
    except (Error, OSError) as error:
        return str(error)
    return None


def _write(pickled: bytes, folder: Path, number: int, cpus: int) -> None:
    """A task: write a part, on so many CPUs."""
    work = pickle.loads(pickled)  # noqa: S301 - likewise
    if getattr(work, "threads", cpus) is None:
        work = replace(work, threads=cpus)
    work.write(folder, number, lambda _done, _all: None)


@dataclass(frozen=True)
class _Node:
    """A node of the cluster that has CPUs."""

    id: str
    host: str
    cpus: float

    def __str__(self) -> str:
        return f"{self.host} (node {self.id[:8]})"


@dataclass
class _Run:
    """A work on a cluster.

    Attributes:
        work: the pickled work, as an object of Ray.
        folder: where parts are written.
        probe: a file in it.
        waiting: the parts that no node does.
        given: those that nodes do, by their tasks.
        asked: nodes that were asked whether they can do parts.
        idle: nodes that can, and do none now.
        without: why other nodes do none.
        met: ids of all nodes so far.
        losses: how often the worker of each part was lost.
    """

    ray: Any
    work: Any
    folder: Path
    probe: Path
    waiting: deque[int]
    given: dict[Any, tuple[_Node, int]] = field(default_factory=dict)
    asked: dict[Any, _Node] = field(default_factory=dict)
    idle: list[_Node] = field(default_factory=list)
    without: dict[_Node, str] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    losses: Counter[int] = field(default_factory=Counter)

    def undone(self) -> list[int]:
        """The parts that are not finished."""
        return [*self.waiting, *(number for _, number in self.given.values())]

    def cancel(self) -> None:
        """Cancel all tasks."""
        for reference in (*self.asked, *self.given):
            with suppress(self.ray.exceptions.RayError):
                self.ray.cancel(reference, force=True)

    def step(self) -> None:
        """Give parts to nodes, and take what is done."""
        self._meet()
        self._give()
        for reference in self.ray.wait([*self.asked, *self.given], timeout=INTERVAL)[0]:
            if reference in self.asked:
                self._answered(reference)
            else:
                self._returned(reference)

    def _meet(self) -> None:
        """Ask each new node whether it can do parts; this needs no CPU, so it does not wait for work of others."""
        for found in self.ray.nodes():
            cpus = found["Resources"].get("CPU", 0)
            if found["Alive"] and cpus and found["NodeID"] not in self.met:
                node = _Node(found["NodeID"], found["NodeManagerHostname"], cpus)
                self.met.add(node.id)
                self.asked[self._start(node, 0, _refusal, self.probe, __version__)] = node

    def _give(self) -> None:
        """Give each idle node a part."""
        while self.waiting and self.idle:
            node, number = self.idle.pop(), self.waiting.popleft()
            threads = max(1, int(node.cpus))
            self.given[self._start(node, node.cpus, _write, self.folder, number, threads)] = node, number
        if not self.asked and not self.given:
            reasons = "; ".join(f"{node}: {reason}" for node, reason in self.without.items())
            raise Error(f"no node of the Ray cluster can do this work: {reasons or 'none has CPUs'}")

    def _start(self, node: _Node, cpus: float, task: Any, *arguments: object) -> Any:
        """Start a task on a node. If that is lost, so is the task: another node may be the one that can do it."""
        pinned = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)
        remote = self.ray.remote(num_cpus=cpus, max_retries=0, scheduling_strategy=pinned)(task)
        return remote.remote(self.work, *arguments)

    def _answered(self, reference: Any) -> None:
        """Take what a node says of itself."""
        node = self.asked.pop(reference)
        try:
            refusal = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            refusal = f"it cannot run emm1 ({_line(error.cause)})"
        except self.ray.exceptions.RayError as error:
            refusal = GONE if self._is_gone(error) else _line(error)
        if refusal is None:
            self.idle.append(node)
        else:
            self._leave(node, refusal)

    def _returned(self, reference: Any) -> None:
        """Take a part that is done, or lost."""
        node, number = self.given.pop(reference)
        exceptions = self.ray.exceptions
        try:
            self.ray.get(reference)
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, Error | OSError):
                raise error.cause from None
            raise
        except exceptions.RayError as error:
            self.waiting.appendleft(number)
            self.losses[number] += 1
            if (times := self.losses[number]) > RETRIES:
                raise Error(f"part {number} was lost {times} times, at last on {node}: {_line(error)}") from error
            if self._is_gone(error):
                self._leave(node, GONE)
                return
        else:
            _see(self.folder, number, node)
        self.idle.append(node)

    def _is_gone(self, error: Exception) -> bool:
        exceptions = self.ray.exceptions
        return isinstance(error, exceptions.NodeDiedError | exceptions.TaskUnschedulableError)

    def _leave(self, node: _Node, reason: str) -> None:
        self.without[node] = reason
        warnings.warn(f"{node} does no parts: {reason}", stacklevel=2)


def _line(error: object) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _see(folder: Path, number: int, node: _Node) -> None:
    """Wait until this machine sees a part that a node wrote."""
    end = time.monotonic() + SEEN
    while part_in(folder, number) not in folder.iterdir():
        if time.monotonic() > end:
            raise Error(f"{node} wrote part {number}, and it is not in {folder}: name an output that all nodes share")
        time.sleep(0.2)
