"""A package and its hashes from uv.lock, as a requirement for pip: ``python packaging/locked.py uv``."""

import sys
import tomllib
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "uv.lock"


def requirement(name: str) -> str:
    """One line of a requirements file.

    >>> requirement("uv").startswith("uv==")
    True
    """
    packages = tomllib.loads(LOCK.read_text(encoding="utf-8"))["package"]
    package = next(package for package in packages if package["name"] == name)
    files = [*package["wheels"], package["sdist"]]
    return " ".join([f"{name}=={package['version']}", *(f"--hash={file['hash']}" for file in files)])


if __name__ == "__main__":
    sys.stdout.write(f"{requirement(sys.argv[1])}\n")
