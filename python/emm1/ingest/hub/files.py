"""Finds the Parquet files of the Hub's edition: by their columns, in the folders where a download or the Hub's cache has them."""

from __future__ import annotations

import dataclasses
import filecmp
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from sqlglot import exp

from emm1.checks import check_regular, is_pointer, shown
from emm1.errors import FileNotFoundError, SourceError
from emm1.ingest.hub.columns import HubFile, hub_file, split_of
from emm1.ingest.hub.queries import read_parquet
from emm1.store.refusals import Refusal, refusal_of

# The names of the datasets on the Hub, after which files are listed in provenance.
DATASETS = {"1m": "E-MM1-1M", "100m": "E-MM1-100M"}
DOWNLOAD = "hf download encord-team/E-MM1-1M --repo-type dataset --local-dir DIR"
"""What fetches one of them; for people to read."""


def hub_files(root: Path) -> tuple[list[HubFile], list[str]]:
    """The files of the Hub's edition under a folder, and what to say of Parquet files that are none.

    Args:
        root: one of the files, the folder that has them or its parent, a snapshot of the Hub's cache, or a folder with
            several of these. It may be a folder without any.

    Raises:
        SourceError: a file is not whole, or lacks a column.
    """
    found: list[HubFile] = []
    others: list[str] = []
    paths = _parquet_files(root)
    if not paths:
        return found, others
    with duckdb.connect() as connection:
        for path in paths:
            _check(path)
            with damage_named([path], connection):
                found_in = connection.sql(read_parquet(path).sql("duckdb"))
                types = dict(zip(found_in.columns, map(str, found_in.types), strict=True))
            split = split_of(types)
            if split is None:
                others.append(f"{path} has the columns {shown(', '.join(types), 300)}")
                continue
            file = hub_file(path, split, types)
            if split == "100m":
                with damage_named([path], connection):
                    file = dataclasses.replace(file, ranks=_ranks_in(connection, path))
            found.append(file)
    _refuse_twins(found)
    return sorted(found, key=lambda file: (file.split, file.ranks, file.path.name)), others


def published_name(file: HubFile) -> str:
    """The name of a file on the Hub, with its dataset's."""
    return f"{DATASETS[file.split]}/data/{file.path.name}"


@contextmanager
def damage_named(paths: list[Path], connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Turn an error of DuckDB about Parquet files into one that names the file.

    Raises:
        SourceError: one of the files cannot be read.
    """
    try:
        yield
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        if refusal_of(error)[0] in (Refusal.NO_MEMORY, Refusal.DISK_FULL):
            raise
        for path in paths:
            _read_through(connection, path)
        raise


def _read_through(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Read all values of a file, or say that they cannot be read."""
    try:
        connection.sql(read_parquet(path).sql("duckdb")).aggregate("max(COLUMNS(*))").fetchall()
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise SourceError(
            f"{path} is damaged or no complete Parquet file ({str(error).splitlines()[0]}): download it again"
        ) from error


def _parquet_files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    folders = dict.fromkeys(folder for base in (root, root / "datasets", root / "hub") for folder in _folders(base))
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.glob("*.parquet"))
        if not path.name.startswith(".")
    ]


def _folders(base: Path) -> Iterator[Path]:
    """Where Parquet files may be under a folder, without looking through folders of media."""
    try:
        inside = sorted(path for path in base.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:  # no such folder, or none that may be read
        return
    for folder in (base, *inside):
        if folder == base:
            yield folder
        yield folder / "data"
        known = folder == base or folder.name.rpartition("--")[2] in DATASETS.values()  # others are in the same cache
        if known and (folder / "snapshots").is_dir():
            snapshot = _snapshot(folder)
            yield snapshot
            yield snapshot / "data"


def _snapshot(folder: Path) -> Path:
    """The snapshot in the Hub's cache of a dataset that its main branch is at.

    Raises:
        SourceError: there are several, and nothing says which.
    """
    main = folder / "refs" / "main"
    if main.is_file():
        named = folder / "snapshots" / main.read_text(encoding="utf-8", errors="replace").strip()
        if not named.is_dir():
            raise SourceError(
                f"{main} names the snapshot {shown(named.name, 60)}, which is not there: download it again with `hf download`"
            )
        return named
    snapshots = sorted((folder / "snapshots").iterdir())
    if len(snapshots) != 1:
        raise SourceError(f"{folder} has {len(snapshots)} snapshots: name one, such as {folder}/snapshots/…")
    return snapshots[0]


def _check(path: Path) -> None:
    """Refuse what is no file with a size, before DuckDB opens it."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is a link to a file that is not there: download it again")
    check_regular(path, SourceError)
    if not path.stat().st_size:
        raise SourceError(f"{path} is empty: download it again")
    if is_pointer(path):
        raise SourceError(
            f"{path} is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`, or all of them with `{DOWNLOAD}`"
        )


def _ranks_in(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[int, ...]:
    rank = exp.TryCast(this=exp.column("nn_index"), to=exp.DataType.build("INTEGER")).as_("rank")
    query = read_parquet(path).select(rank, append=False).distinct().order_by("rank")
    return tuple(rank for (rank,) in connection.execute(query.sql("duckdb")).fetchall() if rank is not None)


def _refuse_twins(files: list[HubFile]) -> None:
    """Refuse two files of one name, such as those of two snapshots, and two of one content, whose ratings would count twice."""
    paths: dict[str, Path] = {}
    by_size: dict[int, list[Path]] = {}
    for file in files:
        first = paths.setdefault(published_name(file), file.path)
        if first != file.path:
            raise SourceError(
                f"{first} and {file.path} are both {published_name(file)}: name the folder of one of them"
            )
        if file.split == "100m":  # each of its ranks is in one file
            continue
        alike = by_size.setdefault(file.path.stat().st_size, [])
        for twin in alike:
            if filecmp.cmp(twin, file.path, shallow=False):
                raise SourceError(f"{twin} and {file.path} have the same content: move one of them away")
        alike.append(file.path)
