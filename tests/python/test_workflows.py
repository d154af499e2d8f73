"""The workflows and hooks call targets of the Makefile, hold no logic, and are valid; and nothing stops a release but its steps."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
WORKFLOWS = sorted((TOP / ".github/workflows").glob("*.yml"))
# What each runs: a call of make, and nothing else.
CALL = re.compile(r"^\s*(?:- )?(?:run|entry): (.*)$", re.MULTILINE)
MAKE = re.compile(r"make(?: PYTHON=python)? ([a-z-]+)")
CALLERS = [*WORKFLOWS, TOP / ".pre-commit-config.yaml"]


def targets() -> set[str]:
    rules = re.findall(r"^([a-z-]+):(?!=)", (TOP / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return {*rules}


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: path.name)
def test_what_is_called_are_targets_of_the_makefile(path: Path) -> None:
    calls = CALL.findall(path.read_text(encoding="utf-8"))
    for call in calls:
        match = MAKE.fullmatch(call)
        assert match, f"{call!r} is no call of make"
        assert match[1] in targets()
    assert calls or path.name == "release.yml"


def test_every_command_in_contributing_is_a_target() -> None:
    text = (TOP / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^)make (?:[A-Z]+=\S+ )*([a-z][a-z-]*)", text, re.MULTILINE)
    assert len({*named}) > 5
    assert {*named} <= targets()


def test_the_help_names_only_targets() -> None:
    done = subprocess.run(["make", "help"], cwd=TOP, capture_output=True, text=True, check=True)
    named = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("make ")}
    assert named
    assert named <= targets()


def test_actionlint_finds_nothing() -> None:
    """Go fetches and builds it, as pinned in tests/github."""
    if shutil.which("go") is None:
        pytest.skip("actionlint: not run: there is no go")
    folder = TOP / "tests/github"
    tool = ["go", "tool", "actionlint"]
    got = subprocess.run([*tool, "-version"], cwd=folder, capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"actionlint: not run: {got.stderr.strip().splitlines()[-1]}")
    # There are no scripts for these two to check.
    command = [*tool, "-no-color", "-shellcheck=", "-pyflakes=", *map(str, WORKFLOWS)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_toolchain_is_stable_and_rustup_is_not_needed() -> None:
    toolchain = tomllib.loads((TOP / "rust-toolchain.toml").read_text(encoding="utf-8"))["toolchain"]
    assert toolchain["channel"] == "stable"
    assert {*toolchain} <= {"channel", "components"}  # only rustup reads the file


def test_what_a_release_lacks_is_said_by_name() -> None:
    done = subprocess.run(
        [sys.executable, "packaging/release.py", "v0.0.0"], cwd=TOP, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("the tag is v0.0.0, but Cargo.toml has version ")
