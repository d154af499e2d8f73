"""emm1 as a process of its own, and disks as small as a test wants them."""

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
    """Run emm1 to its end."""
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, env=environment)


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """The same folder, where nothing can be written; the test is skipped where nothing may be mounted."""
    mounts = (["mount", "--bind", str(folder), str(folder)], ["mount", "-o", "remount,ro,bind", str(folder)])
    if subprocess.run(mounts[0], check=False, capture_output=True).returncode:
        pytest.skip("a folder that cannot be written needs the right to mount one")
    try:
        subprocess.run(mounts[1], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of this size, such as ``2m``, mounted at a new folder; the test is skipped where none may be."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
