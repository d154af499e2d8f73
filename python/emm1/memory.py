"""How much memory this process can still use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def available(root: Path = ROOT) -> int | None:
    """The bytes that this process can use without swapping, page cache included; None where the system does not tell.

    It is what the machine has left, or what the control groups of the process leave it, as in a container: the least of all.
    Only Linux tells.

    Args:
        root: the folder that holds ``proc`` and ``sys``.
    """
    known = [left for left in (_of_machine(root), *_of_groups(root)) if left is not None]
    return max(0, min(known)) if known else None


def _of_machine(root: Path) -> int | None:
    available = _numbers(root / "proc/meminfo").get("MemAvailable:")
    return None if available is None else available * 1024


def _of_groups(root: Path) -> Iterator[int | None]:
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            yield from _of_group(root / "sys/fs/cgroup", path, ("memory.max", "memory.current", "file"))
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache")
            yield from _of_group(root / "sys/fs/cgroup/memory", path, names)


def _of_group(mounted: Path, path: str, names: tuple[str, str, str]) -> Iterator[int | None]:
    """What a group and those that it is in leave; a container sees its own as the first."""
    limit, usage, cache = names
    own = mounted / path.lstrip("/")
    for group in (own, *own.parents):
        if (most := _text(group / limit).strip()).isdecimal():
            used = _text(group / usage).strip()
            cached = _numbers(group / "memory.stat").get(cache, 0)
            yield int(most) - int(used or 0) + cached
        if group == mounted:
            return


def _numbers(file: Path) -> dict[str, int]:
    """The lines of a file that are a name and a number."""
    words = [line.split() for line in _text(file).splitlines()]
    return {name: int(value) for name, value, *_ in (each for each in words if len(each) > 1) if value.isdecimal()}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
