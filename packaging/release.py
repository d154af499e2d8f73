"""What is missing for a release, one line each: ``python packaging/release.py [v0.2.0]`` fails if there is anything."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
DATE = r"\d{4}-\d\d-\d\d"


def missing(version: str, changelog: str, project: dict[str, Any], tag: str | None = None) -> list[str]:
    r"""What is missing before a version can be released.

    >>> ready = {"urls": {"Repository": "https://example.org"}}
    >>> missing("0.2.0", "# Changelog\n\n## [0.2.0] - 2030-01-31\n", ready, "v0.2.0")
    []
    >>> for line in missing("0.2.0", "## [Unreleased]\n", {}, "v0.3.0"):
    ...     print(line)
    the tag is v0.3.0, but Cargo.toml has version 0.2.0
    CHANGELOG.md must begin with '## [0.2.0] - ' and the date, but begins with '## [Unreleased]'
    pyproject.toml has no address of the repository: [project.urls] needs Repository
    """
    first = SECTION.search(changelog)
    begins = "no section" if first is None else f"'## {first[1]}'"
    found = []
    if tag is not None and tag != f"v{version}":
        found.append(f"the tag is {tag}, but Cargo.toml has version {version}")
    if first is None or not re.fullmatch(rf"\[{re.escape(version)}\] - {DATE}", first[1]):
        found.append(f"CHANGELOG.md must begin with '## [{version}] - ' and the date, but begins with {begins}")
    if "Repository" not in project.get("urls", {}):
        found.append("pyproject.toml has no address of the repository: [project.urls] needs Repository")
    return found


def main(tag: str | None = None) -> None:
    """Exit with status 1 and a line for each thing that is missing."""
    version = tomllib.loads((TOP / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    described = re.search(
        r"^  version: (.*)$", (TOP / "packaging/description.yml").read_text(encoding="utf-8"), re.MULTILINE
    )
    found = missing(version, (TOP / "CHANGELOG.md").read_text(encoding="utf-8"), project, tag)
    if described is None or described[1] != version:
        found.append(f"packaging/description.yml needs version {version}, as Cargo.toml has")
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
