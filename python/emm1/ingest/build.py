"""Build a store from the published files, and open it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from emm1.checks import PathLike
from emm1.dataset import Split, check_ranks, check_splits
from emm1.ingest.run import build_store
from emm1.store.opening import open as open_store
from emm1.store.store import Store


def build(
    root: PathLike,
    store: PathLike,
    *,
    ranks: Iterable[int] | None = None,
    splits: Iterable[Split] | None = None,
    groups: PathLike | None = None,
    media_root: PathLike | None = None,
    memory_limit: str = "2GB",
    threads: int | None = None,
    force: bool = False,
    drop_own: bool = False,
    switch_triplet_columns: bool = False,
) -> Store:
    """Build a store from the published files, and open it.

    It is built beside its place and renamed when complete: a failed build leaves what was there before. A store that
    exists is brought up to date: files of the same size and checksum are not read again, ranks and splits that are
    not asked for go; registered embeddings stay, and so do tables, views, macros and the like that users made.

    Args:
        root: the clone of the dataset, its ``datasets`` folder, or a copy of that; or Parquet files of the Hub: their folder,
            one of them, or a snapshot in the Hub's cache. Of both editions, the CSV files fill the tables that they can, and the
            others are compared with them.
        store: the DuckDB file to write.
        ranks: ranks of the groups that the store ends with, from 1 to 16; None for those under ``root``.
        splits: ``100m``, ``1m``, ``eshot``; None for those under ``root``.
        groups: a folder that `emm1 groups make` wrote: the groups come from it, not from ``root``. As with ranks and splits, an
            update without it has the published groups again.
        media_root: folder of the media, for file paths; ``root`` by default, or the folder that it is in if it is a file.
        memory_limit: what all of it may use; DuckDB gets half of that.
        threads: threads DuckDB may use; all cores by default.
        force: read every file again, whatever an existing store has already.
        drop_own: go on without what users made in an existing store and cannot be carried over.
        switch_triplet_columns: read a ``triplets.csv`` of 2025-10-15 as the one of 2025-10-16.

    Raises:
        emm1.errors.SourceError: a published file is not what it should be; names file, row and column.
        emm1.errors.FileNotFoundError: a folder, or a split or rank that was named, is not there.
        emm1.errors.StoreError: the store cannot be written or replaced, or holds what cannot be carried over.

    >>> import emm1
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", embeddings=0)
    >>> emm1.build(folder / "sample", folder / "emm1.duckdb", ranks=[1], splits=["100m"]).groups().shape
    (6706, 11)
    """
    report = build_store(
        Path(root),
        Path(store),
        ranks=None if ranks is None else check_ranks(ranks),
        splits=None if splits is None else check_splits(splits),
        groups=None if groups is None else Path(groups),
        media_root=None if media_root is None else Path(media_root),
        memory_limit=memory_limit,
        threads=threads,
        force=force,
        drop_own=drop_own,
        switch_triplet_columns=switch_triplet_columns,
    )
    for warning in report.warnings:
        warnings.warn(warning, stacklevel=2)
    return open_store(store)
