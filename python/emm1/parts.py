"""Long work in parts: each finished part stays on the disk, so that an interrupted run continues where it stopped."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from emm1.errors import EmbeddingError, Error, WriteError
from emm1.system import locked
from emm1.work import Engine, Progress, Shard, Work, here, shard_of_each

# Rows of a row group when parts are joined.
BATCH = 1 << 20
# In a folder of parts, what they depend on; in a part, the same under this key of its schema.
RUN = "run.json"
KEY = b"emm1"
# Parts that are named if they are missing.
NAMED = 5


@contextmanager
def parts_of(target: Path, run: Mapping[str, object], *, folder: bool = False) -> Iterator[Path]:
    """The folder ``TARGET.parts`` for the finished parts of a run; it is removed when the run is complete, and kept otherwise.

    Args:
        target: what the run makes; it must not exist.
        run: what the parts depend on, in JSON's types. A folder that holds parts of another run is refused.
        folder: whether the target is a folder, not a file; it may then exist if it is empty.

    Raises:
        EmbeddingError: the target exists, another process is making it, or the folder holds parts of another run.
        WriteError: something cannot be written.
    """
    if target.exists() and not (folder and target.is_dir() and not any(target.iterdir())):
        what = "and nothing is written over: name a new folder" if folder else "remove it or name another file"
        raise EmbeddingError(f"{target} exists{',' if folder else ':'} {what}")
    parts = parts_beside(target)
    with refusals(target):
        release = _lock(target, parts)
        try:
            begin(parts, run)
            yield parts
            shutil.rmtree(parts)
        finally:
            release()


@contextmanager
def refusals(target: Path) -> Iterator[None]:
    """Say of what the system refuses that this cannot be written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, Error):
            raise
        raise WriteError(f"{target} cannot be written: {error.strerror or error}") from error


def _lock(target: Path, folder: Path) -> Callable[[], None]:
    try:
        return locked(folder)
    except BlockingIOError as error:
        raise EmbeddingError(
            f"{target} is being made by another process (it works in {folder}): wait for it"
        ) from error


def begin(folder: Path, run: Mapping[str, object]) -> None:
    """Describe the run in its folder, or check that the folder holds parts of the same run."""
    description = folder / RUN
    if not description.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.glob("*.parquet")):
            raise EmbeddingError(
                f"{folder} holds Parquet files, but not {RUN}, which says what they are: name another folder"
            )
        with _beside(description) as file:
            file.write(json.dumps(run).encode())
    _check_same(folder, run, run_of(folder))


def run_of(folder: Path) -> Mapping[str, Any]:
    """What the parts in a folder depend on, as `begin` described it.

    Raises:
        EmbeddingError: the folder has no parts.
    """
    try:
        run = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EmbeddingError(f"{folder} holds no parts: there is no {RUN}, which says what they are of") from error
    except ValueError:
        run = None
    if not isinstance(run, dict):
        raise EmbeddingError(f"{folder / RUN} is damaged: remove the folder to start again")
    return run


def _check_same(place: Path, wanted: Mapping[str, object], found: Mapping[str, object]) -> None:
    wanted = json.loads(json.dumps(wanted))
    if found == wanted:
        return
    other = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    what = "it" if place.suffix == ".parquet" else "the folder"
    raise EmbeddingError(
        f"{place} holds parts of a run with other files or settings ({', '.join(other)}): remove {what} to start again, or name "
        "another output"
    )


@contextmanager
def _beside(place: Path) -> Iterator[BinaryIO]:
    """A file that is written beside its place, and renamed when it is whole; another process may write the same."""
    unfinished = place.with_name(f"{place.name}.{socket.gethostname()}-{os.getpid()}.writing")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            unfinished.replace(place)
        except FileNotFoundError:  # another process has finished the same, and removed what others began
            if not place.exists():
                raise
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    for begun in place.parent.glob(f"{place.name}.*.writing"):  # by processes that were killed
        begun.unlink(missing_ok=True)


def part_in(folder: Path, number: int) -> Path:
    """The place of a part."""
    return folder / f"{number:06}.parquet"


def write_part(
    folder: Path,
    number: int,
    schema: pa.Schema,
    tables: Iterable[pa.Table],
    run: Mapping[str, object] | None = None,
) -> Path:
    """Write a part, unless it is there already; then the tables are not asked for.

    Args:
        folder: as `parts_of` gives it.
        number: the number of the part.
        schema: the columns of the tables.
        tables: the rows of the part; each table becomes a row group of its own, if it has at most a million rows.
        run: what the part depends on, which it then states: parts that several processes write are of one run for certain.

    Returns:
        The Parquet file of the part.

    Raises:
        EmbeddingError: there is a part of another run.
    """
    part = part_in(folder, number)
    if not _finished(part, run):
        stated = schema if run is None else schema.with_metadata({KEY: json.dumps(run).encode()})
        with _beside(part) as file, _writer(file, stated) as writer:
            for table in tables:
                writer.write_table(table.replace_schema_metadata(stated.metadata))
    return part


def _finished(part: Path, run: Mapping[str, object] | None) -> bool:
    """Whether a part is there; one that cannot be read, as after a power failure, is not."""
    if not part.exists():
        return False
    try:
        metadata = pq.read_schema(part).metadata or {}
    except (pa.ArrowInvalid, OSError):
        return False
    if run is not None:
        _check_same(part, run, json.loads(metadata.get(KEY, b"{}")))
    return True


def do_shard(work: Work, folder: Path, shard: Shard, progress: Progress, engine: Engine = here) -> None:
    """Do the parts of a shard: `do_parts`."""
    do_parts(work, folder, shard.share(range(len(work.sizes))), progress, engine)


def do_parts(work: Work, folder: Path, numbers: Sequence[int], progress: Progress, engine: Engine = here) -> None:
    """Do some parts of a work, whose others may be done at the same time, by other processes and on other machines.

    Args:
        work: the work.
        folder: where its parts are written; they stay there.
        numbers: which parts.
        progress: called from time to time with how much is done, and of how much.
        engine: what does them.

    Raises:
        EmbeddingError: the folder holds parts of another run.
    """
    with refusals(folder):
        begin(folder, work.run)
        engine(work, folder, numbers, progress)


@contextmanager
def made(
    work: Work, target: Path, progress: Progress, *, folder: bool = False, merge: bool = False, engine: Engine = here
) -> Iterator[Path]:
    """The folder with all parts of a work, as `parts_of` gives it.

    Args:
        work: the work.
        target: what is made of the parts.
        progress: called from time to time with how much is done, and of how much.
        folder: whether the target is a folder.
        merge: whether shards have done all parts (`do_shard` in `parts_beside`); otherwise they are done now.
        engine: what does them then.

    Raises:
        EmbeddingError: as for `parts_of`; or parts are missing that shards should have done.
    """
    with parts_of(target, work.run, folder=folder) as parts:
        if merge:
            check_complete(parts, work.run, shard_of_each(len(work.sizes), work.run["shards"]))
        else:
            engine(work, parts, range(len(work.sizes)), progress)
        yield parts


def parts_beside(target: Path) -> Path:
    """The folder of the parts of a target."""
    return target.with_name(f"{target.name}.parts")


def shards_of(target: Path) -> int:
    """How many shards work for a target: what the first of them noted.

    Raises:
        EmbeddingError: none has begun.
    """
    return int(run_of(parts_beside(target)).get("shards", 1))


def check_complete(folder: Path, run: Mapping[str, object], parts: Sequence[tuple[int, str]]) -> None:
    """Refuse a folder that lacks parts, or has parts of another run.

    Args:
        folder: the folder.
        run: what the parts depend on.
        parts: the number of each part, and the shard that makes it.

    Raises:
        EmbeddingError: names the parts that are missing or damaged, and their shards.
    """
    missing = [(number, shard) for number, shard in parts if not _finished(part_in(folder, number), run)]
    if not missing:
        return
    shards = list(dict.fromkeys(shard for _, shard in missing))
    names = [part_in(folder, number).name for number, _ in missing[:NAMED]]
    raise EmbeddingError(
        f"{folder} lacks {len(missing):,} of {len(parts):,} parts: {', '.join(names)}{', …' if len(missing) > NAMED else ''}; "
        f"run {'shard' if len(shards) == 1 else 'shards'} {', '.join(shards[:NAMED])}{', …' if len(shards) > NAMED else ''} again"
    )


def _writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    # Scores hardly repeat: a dictionary of them takes three times as long to write, and more space.
    repeating = [field.name for field in schema if not pa.types.is_floating(field.type)]
    return pq.ParquetWriter(file, schema, use_dictionary=repeating)


def join(parts: Sequence[Path], target: Path, schema: pa.Schema) -> int:
    """Join parts in one Parquet file, which is written next to its place and renamed; returns the number of rows."""
    return write_rows((table for part in parts for table in tables_of(part)), target, schema)


def tables_of(part: Path) -> Iterator[pa.Table]:
    """The rows of a part, some at a time."""
    for batch in pq.ParquetFile(part).iter_batches(BATCH):
        yield pa.table(batch).replace_schema_metadata()


def write_rows(tables: Iterable[pa.Table], target: Path, schema: pa.Schema) -> int:
    """Write rows to a Parquet file, whose bytes do not depend on how the rows came; returns their number.

    The file is written next to its place and renamed.
    """
    unfinished = target.with_name(f"{target.name}.writing")
    rows = 0
    with unfinished.open("wb") as file, _writer(file, schema) as writer:
        for table in of_size(BATCH, tables):
            writer.write_table(table)
            rows += len(table)
    unfinished.replace(target)
    return rows


def of_size(size: int, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of so many rows; the last may have fewer."""
    waiting: pa.Table | None = None
    for table in tables:
        waiting = table if waiting is None else pa.concat_tables([waiting, table])
        while len(waiting) >= size:
            yield waiting.slice(0, size).combine_chunks()
            waiting = waiting.slice(size)
    if waiting is not None and len(waiting):
        yield waiting.combine_chunks()
