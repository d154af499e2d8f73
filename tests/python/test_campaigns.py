"""A part of each campaign that compares answers, with a new seed every time; failures name the seed that repeats them."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(str(TESTS / name) for name in ("..", "support", "oracle"))}


def campaign(script: str, *arguments: object, simd: str = "") -> subprocess.CompletedProcess[str]:
    """Run a campaign in a separate process."""
    command = [sys.executable, str(TESTS / "campaigns" / script), *map(str, arguments)]
    environment = {**ENVIRONMENT, "EMM1_SIMD": simd}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("simd", ["", "avx2", "scalar"])
def test_searches_equal_the_reference(tmp_path: Path, simd: str) -> None:
    seed = secrets.randbelow(10**9)
    run = campaign("fuzz.py", "search", "--minutes", 0.2, "--seed", seed, "--keep", tmp_path, simd=simd)
    if "none of the instruction sets of this processor" in run.stdout + run.stderr:
        pytest.skip(f"this processor has no {simd}")
    assert run.returncode == 0, f"EMM1_SIMD={simd!r}, seed {seed}\n{run.stdout}{run.stderr}"


def test_intervals_hold_the_truth_as_often_as_they_must() -> None:
    """Few data sets: this finds intervals that are far too narrow, and a campaign that does not run."""
    run = campaign("intervals.py", "--sets", 25, "--seed", 1)
    assert run.returncode == 0, f"{run.stdout}{run.stderr}"


def test_answers_are_right_while_files_and_codes_change(tmp_path: Path) -> None:
    seed = secrets.randbelow(10**9)
    run = campaign("chaos.py", "--minutes", 0.5, "--seed", seed, "--folder", tmp_path)
    assert run.returncode == 0, f"seed {seed}\n{run.stdout}{run.stderr}"
