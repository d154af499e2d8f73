"""Tests write to the disk of this tree: codes are refused on tmpfs, which `/tmp` is on many machines."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Name the folder, unless somebody did."""
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ:
        folder = config.rootpath / "target"
        folder.mkdir(exist_ok=True)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
