"""Finds the duplicates of a store: searches, decides what to keep, flags the rest, and only then gives the file its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from emm1.arguments import at_least_one
from emm1.checks import PathLike
from emm1.curation.duplicates.asked import asked as checked
from emm1.curation.duplicates.equal import check_equal
from emm1.curation.duplicates.keep import dropped, flags_of
from emm1.curation.duplicates.look import hubs
from emm1.curation.duplicates.look import sweep as look
from emm1.curation.duplicates.pairs import SCHEMA, Told, without_direction, write_pairs
from emm1.curation.duplicates.report import DuplicatesReport
from emm1.curation.flags import record
from emm1.errors import EmbeddingError
from emm1.parts import join, parts_of, write_part

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
    progress: Told,
) -> DuplicatesReport:
    """Find duplicates; `emm1.Store.duplicates` says what the arguments mean."""
    asked = checked(store, name, other, threshold)
    most_equal = at_least_one(most_equal, "most_equal")
    if flag:
        record(store, None, asked.source)  # so that a store for reading is refused before the work
    with _target(output) as target:
        one, base = asked.open()
        check_equal(asked, one, base, most_equal, progress)
        with parts_of(target, asked.run(one, base)) as folder:
            zero_a = without_direction(asked, one, progress)
            zero_b = zero_a if asked.within else without_direction(asked, base, progress)
            parts = write_pairs(asked, one, base, zero_b, folder, progress)
            parts = parts or [write_part(folder, 0, SCHEMA, [SCHEMA.empty_table()])]
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
            zero_rows=(len(zero_a),) if asked.within else (len(zero_a), len(zero_b)),
            pairs=pairs,
            hubs=named,
            dropped=items,
            comparable=asked.comparable,
            flagged=flagged,
            sweep=counts,
            samples=samples,
            found=pl.read_parquet(target) if output is None else target.absolute(),
        )


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
