"""Copies of trees of published files and embeddings, for tests that change them."""

import shutil
from pathlib import Path


def copied(tree: Path, target: Path) -> Path:
    """A copy of a folder without codes, which other tests may have made in it: those of a copied file come with a warning."""
    return Path(shutil.copytree(tree, target, ignore=shutil.ignore_patterns("*.codes")))
