"""Finds the duplicates of a store: searches, decides what to keep, flags the rest, and only then gives the file its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from emm1.arguments import at_least_one
from emm1.checks import PathLike
from emm1.curation.duplicates.asked import Asked
from emm1.curation.duplicates.asked import asked as checked
from emm1.curation.duplicates.equal import check_equal
from emm1.curation.duplicates.keep import dropped, flags_of
from emm1.curation.duplicates.look import hubs
from emm1.curation.duplicates.look import sweep as look
from emm1.curation.duplicates.pairs import SCHEMA, Pairing, Told, without_direction
from emm1.curation.duplicates.report import DuplicatesReport
from emm1.curation.flags import record
from emm1.errors import EmbeddingError
from emm1.parts import do_shard, join, made, part_in, parts_beside, shards_of
from emm1.work import Engine, Shard, here

if TYPE_CHECKING:
    from emm1.store.store import Store


def find(
    store: Store,
    name: str,
    other: str | None,
    *,
    threshold: float,
    most_equal: int,
    output: PathLike | None,
    sweep: bool,
    flag: bool,
    merge: bool,
    engine: Engine | None,
    progress: Told,
) -> DuplicatesReport:
    """Find duplicates; `emm1.Store.duplicates` says what the arguments mean."""
    asked = checked(store, name, other, threshold)
    if flag:
        record(store, None, asked.source)  # so that a store for reading is refused before the work
    with _target(output) as target:
        shards, anywhere = shards_of(target) if merge else 1, merge or engine is not None
        work, zeros = _work(asked, most_equal, shards, progress, anywhere=anywhere)
        one, base = work.one, work.other
        with made(work, target, partial(progress, "searching"), merge=merge, engine=engine or here) as folder:
            parts = [part_in(folder, number) for number in range(len(work.sizes))]
            with store.cursor() as connection:
                progress("choosing what to keep", 0, 0)
                items = dropped(connection, asked, parts)
                named = hubs(connection, asked, parts)
                counts, samples = look(connection, asked, parts) if sweep else (None, None)
                flags = flags_of(connection, asked, items)
            flagged = record(store, flags, asked.source) if flag else None
            progress(f"writing {target.name}", 0, 0)
            pairs = join(parts, target, SCHEMA)
        return DuplicatesReport(
            name=asked.one.name,
            other=None if asked.within else asked.other.name,
            metric=asked.metric,
            threshold=asked.threshold,
            rows=(len(one),) if asked.within else (len(one), len(base)),
            zero_rows=zeros,
            pairs=pairs,
            hubs=named,
            dropped=items,
            comparable=asked.comparable,
            flagged=flagged,
            sweep=counts,
            samples=samples,
            found=pl.read_parquet(target) if output is None else target.absolute(),
        )


def find_shard(
    store: Store,
    name: str,
    other: str | None = None,
    *,
    shard: tuple[int, int],
    threshold: float,
    most_equal: int = 10_000,
    output: PathLike,
    progress: Told = lambda _what, _done, _all: None,
) -> None:
    """Search one of several equal shares of the rows; `emm1.Store.duplicates` with ``merge=True`` then joins the pairs.

    Args:
        store: the store, which may be open for reading only.
        name: as for `emm1.Store.duplicates`, like all that is not named here.
        other: as above.
        shard: which share of the rows of `name` this is, from 1, and how many shares there are.
        threshold: as above.
        most_equal: as above.
        output: the file that will be written; the parts of all shards are in ``OUTPUT.parts``.
        progress: as above.

    Raises:
        emm1.errors.EmbeddingError: as above; or no such shard, or parts from other files, settings or numbers of shards.

    >>> import emm1, numpy as np
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", embeddings=16)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"])
    >>> file = folder / "sample/embeddings/1m/image.npy"
    >>> _ = store.registry.add("image", file, dataset="1m", modality="image")
    >>> for number in (1, 2):
    ...     find_shard(store, "image", shard=(number, 2), threshold=0.99, output=folder / "pairs.parquet")
    >>> store.duplicates("image", threshold=0.99, output=folder / "pairs.parquet", merge=True).name
    'image'
    """
    own = Shard(*shard)
    asked = checked(store, name, other, threshold)
    with _target(output) as target:
        work, _ = _work(asked, most_equal, own.of, progress, anywhere=True)
        do_shard(work, parts_beside(target), own, partial(progress, "searching"))


def _work(
    asked: Asked, most_equal: int, shards: int, progress: Told, *, anywhere: bool
) -> tuple[Pairing, tuple[int, ...]]:
    """What is to be done, and how many rows of each side have no direction."""
    at_least_one(most_equal, "most_equal")
    one, base = asked.open()
    check_equal(asked, one, base, most_equal, progress)
    zero_a = without_direction(asked, one, progress)
    zero_b = zero_a if asked.within else without_direction(asked, base, progress)
    zeros = (len(zero_a),) if asked.within else (len(zero_a), len(zero_b))
    # What a store knows of a file stays here: the work is pickled.
    told = replace(asked, one=replace(asked.one, found=None), other=replace(asked.other, found=None))
    return Pairing(told, one, base, zero_b, asked.run(one, base, shards, anywhere=anywhere)), zeros


@contextmanager
def _target(output: PathLike | None) -> Iterator[Path]:
    """The file to write: the one that is named, or one that is there for as long as it is needed."""
    if output is not None:
        target = Path(output)
        if target.suffix != ".parquet":
            raise EmbeddingError(f"{target} is to be a Parquet file: name it {target.with_suffix('.parquet').name}")
        yield target
        return
    with TemporaryDirectory(prefix="emm1-duplicates-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "pairs.parquet"
