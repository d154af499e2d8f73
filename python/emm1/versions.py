"""The versions of emm1 and its dependencies: those in use, and the newest that its tests ran with."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

# The packages whose releases can break emm1, in the order in which they are shown.
PACKAGES = ("duckdb", "numpy", "polars", "pyarrow", "sqlglot", "ml-dtypes", "jinja2", "typer", "rich")


def in_use() -> str:
    """The versions in use, in one line.

    >>> in_use().startswith("emm1 ")
    True
    """
    found = {name: _version(name) for name in ("emm1", *PACKAGES)}
    return ", ".join(
        [f"emm1 {found.pop('emm1')}", f"Python {platform.python_version()}", *map(" ".join, found.items())]
    )


def untested() -> str:
    """A message that names the packages newer than those tested, and the versions that work; '' if there are none.

    >>> "newer than emm1" in (untested() or "nothing is newer than emm1 was tested with")
    True
    """
    lines = (files("emm1") / "data" / "tested.txt").read_text("utf-8").split()
    # A package may be listed twice: newer Pythons have newer ones.
    tested = dict(sorted((line.split("==") for line in lines), key=lambda pair: _numbers(pair[1])))
    newer = [name for name in PACKAGES if _numbers(_version(name)) > _numbers(tested[name])]
    if not newer:
        return ""
    known = " ".join(f"'{name}<={tested[name]}'" for name in newer)
    using = ", ".join(f"{name} {_version(name)}" for name in newer)
    return f"{using}: newer than emm1 {_version('emm1')} was tested with; if that is the cause: pip install {known}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _numbers(text: str) -> list[int]:
    """The numbers of a release: 2, 0 and 1 for 2.0.1.dev3.

    >>> _numbers("2.0.1.dev3") < _numbers("2.0.10")
    True
    """
    found = re.match(r"\d+(\.\d+)*", text)
    return [int(part) for part in found[0].split(".")] if found else []
