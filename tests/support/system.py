"""emm1 as a process, and small or read-only disks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def command(*arguments: object) -> list[str]:
    """The command line of emm1."""
    return [sys.executable, "-m", "emm1", *map(str, arguments)]


def emm1_cli(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run emm1 until it exits."""
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, env=environment)


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """Make a folder read-only; the test is skipped if mounting is not permitted."""
    mounts = (["mount", "--bind", str(folder), str(folder)], ["mount", "-o", "remount,ro,bind", str(folder)])
    if subprocess.run(mounts[0], check=False, capture_output=True).returncode:
        pytest.skip("a read-only folder needs permission to mount")
    try:
        subprocess.run(mounts[1], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a disk of this size, such as ``2m``, at a new folder; the test is skipped if mounting is not permitted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk needs permission to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
