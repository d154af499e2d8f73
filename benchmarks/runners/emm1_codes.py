"""emm1, with and without codes."""

import os
from pathlib import Path

import emm1
from benchmarks.contenders import BEFORE, Search


def start(path: Path, threads: int) -> Search:
    return search_in(coded(path), threads)


def coded(path: Path) -> emm1.Embeddings:
    """The file with codes, which are built if they do not exist."""
    embeddings = emm1.Embeddings(path)
    if embeddings.codes_path is None:
        embeddings.build_codes()
    return embeddings


def before(path: Path, threads: int) -> Search:
    """The version before, with codes of its own."""
    folder = Path(os.environ[BEFORE]).resolve()
    assert Path(emm1.__file__).resolve().is_relative_to(folder), f"not in {folder}: {emm1.__file__}"
    codes = Path(f"{path}.before.codes")
    if not codes.exists():
        emm1.Embeddings(path, codes=False).build_codes(codes)
    return search_in(emm1.Embeddings(path, codes=codes), threads)


def without_codes(path: Path, threads: int) -> Search:
    return search_in(emm1.Embeddings(path, codes=False), threads)


def search_in(embeddings: emm1.Embeddings, threads: int) -> Search:
    return lambda queries, k: embeddings.search(queries, k, metric="dot", threads=threads).ids
