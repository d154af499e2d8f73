"""A few hundred cases of the fuzzing campaign (`tests/campaigns/fuzz.py`), always the same."""

from pathlib import Path

import pytest
from fuzz import run, targets


@pytest.mark.parametrize("name", ["csv", "json", "headers", "codes", "sql"])
def test_cases_of_the_campaign(name: str, tmp_path: Path) -> None:
    keep = tmp_path / "failures"
    keep.mkdir()
    target = targets(tmp_path)[name]
    assert run(name, target, 1, keep, cases=300, seconds=600) == (300, 0)
    assert not list(keep.iterdir())
