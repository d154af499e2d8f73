"""Makes groups as they were published: for each caption, the nearest items of every other modality, by a model of one's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.checks import PathLike
from emm1.dataset import GROUP_COLUMNS, RANKS
from emm1.embeddings.identity import check_contents, contents_of, version_of
from emm1.embeddings.knn import BATCH
from emm1.errors import EmbeddingError
from emm1.evaluation.groups.vectors import Vectors, captions_and_items, open_vectors
from emm1.evaluation.report.provenance import LeftOut
from emm1.parts import do_shard, made, part_in, parts_beside, shards_of, write_part
from emm1.store.excluded import excluded
from emm1.store.made_groups import write_record
from emm1.store.store import Store
from emm1.work import Engine, Progress, Shard, here, spans

# Captions per part: an interrupted run repeats at most one part.
PART = 1 << 14
SCHEMA = pa.schema([(name, pa.int32()) for name in GROUP_COLUMNS])
# The ids that a store can hold.
LARGEST = 2**31 - 1
# In place of an id where there is no item.
NONE = -1


def make(
    store: Store,
    output: str | os.PathLike[str],
    embeddings: Mapping[str, PathLike],
    k: int = 16,
    *,
    exclude: Sequence[str] = (),
    available: bool = False,
    merge: bool = False,
    engine: Engine | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
    note: Callable[[str], object] = lambda _line: None,
) -> int:
    """Write groups of the published shape: ``nn_1/data_groups.csv`` to ``nn_k``, with the columns and the header as published.

    For each caption with a vector, nn_r has the r-th nearest item of each modality by the exact score; equal scores are in
    the order of ids. A modality without embeddings, or with fewer items than k, has empty fields. The folder appears when it
    is complete; finished parts are kept in ``OUTPUT.parts`` until then, so an interrupted run continues where it stopped.
    ``groups.json`` says what the groups were made of. `emm1.build` takes the folder as ``groups``.

    Args:
        store: the store; its groups do not matter.
        output: the folder to write; it must not exist, or be empty.
        embeddings: a registered name or a file for each modality, ``text`` and at least one other. Items are searched by
            the metric that their embeddings are registered with, those of a file by cosine.
        k: how many ranks, from 1 to 16.
        exclude: flags: a caption that has one has no groups, and an item that has one is in none.
        available: likewise for items whose media file is not known to be well.
        merge: whether shards did the searches (`make_shard`): then their parts are joined, and none may be missing.
        engine: what does the parts; this process by default. The bytes of the files do not depend on it.
        threads: threads to use; all cores by default.
        progress: called from time to time with the number of searches done, and of all.
        note: called with a line that says what was left out, if anything was to be.

    Returns:
        The number of captions.

    Raises:
        emm1.errors.EmbeddingError: an unknown modality or name, embeddings of another split or modality, no text; the folder
            exists, cannot be written, or has parts from another run.

    >>> import emm1
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", scale=0.0001, embeddings=16)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"])
    >>> files = {modality: folder / f"sample/embeddings/{modality}.npy" for modality in ("text", "image")}
    >>> make(store, folder / "own", files, k=2)
    670
    >>> print((folder / "own/nn_2/data_groups.csv").read_text().splitlines()[0])
    encord_text_id,encord_video_id,encord_audio_id,encord_image_id,encord_points_id,nn_index
    """
    target = Path(output)
    shards, anywhere = shards_of(target) if merge else 1, merge or engine is not None
    work = _work(store, embeddings, k, exclude, available, threads, shards, anywhere=anywhere)
    with made(work, target, progress, folder=True, merge=merge, engine=engine or here) as folder:
        parts = [part_in(folder, number) for number in range(len(work.sizes))]
        finished = _write_folder(parts, folder / "finished", k)
        _record(finished, {"text": work.text, **work.items}, k, work.left_out)
        with suppress(FileNotFoundError):
            target.rmdir()  # it may be there, empty
        finished.rename(target)
    if work.left_out:
        note(f"Excluded: {work.left_out}")
    return len(work.captions)


def make_shard(
    store: Store,
    output: str | os.PathLike[str],
    embeddings: Mapping[str, PathLike],
    k: int = 16,
    *,
    shard: tuple[int, int],
    exclude: Sequence[str] = (),
    available: bool = False,
    threads: int | None = None,
    progress: Progress = lambda _done, _all: None,
) -> None:
    """Do one of several equal shares of `make`, which then merges them: its `merge` says so.

    Args:
        store: as for `make`, like all that is not named here.
        output: the folder that `make` will write; the parts of all shards are in ``OUTPUT.parts``.
        embeddings: the same files for all shards; they may be copies.
        k: how many ranks.
        shard: which share of the captions this is, from 1, and how many shares there are.
        exclude: flags.
        available: whether media are needed.
        threads: threads to use; all cores by default.
        progress: called from time to time with the number of searches done, and of all in this shard.

    Raises:
        emm1.errors.EmbeddingError: as for `make`; or no such shard, or parts from other files, settings or numbers of shards.

    >>> import emm1
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", scale=0.0001, embeddings=16)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"])
    >>> files = {modality: folder / f"sample/embeddings/{modality}.npy" for modality in ("text", "image")}
    >>> for number in (1, 2):
    ...     make_shard(store, folder / "own", files, k=2, shard=(number, 2))
    >>> make(store, folder / "own", files, k=2, merge=True)
    670
    """
    own = Shard(*shard)
    work = _work(store, embeddings, k, exclude, available, threads, own.of, anywhere=True)
    do_shard(work, parts_beside(Path(output)), own, progress)


@dataclass(frozen=True)
class Making:
    """The work: each part has the groups of some captions.

    Attributes:
        text: the vectors of the captions.
        items: those of the other modalities.
        captions: the ids of the captions that have groups, (captions,).
        among: the ids that are searched of a modality, if not all are.
        k: how many ranks.
        threads: threads of a search; all cores if None.
        run: what the parts depend on.
        left_out: what counts as not there.
    """

    text: Vectors
    items: Mapping[str, Vectors]
    captions: NDArray[np.int64]
    among: Mapping[str, NDArray[np.int64]]
    k: int
    threads: int | None
    run: Mapping[str, Any]
    left_out: LeftOut

    @cached_property
    def _spans(self) -> list[range]:
        return spans(self.run["rows"], self.run["part"], self.run["shards"])

    @cached_property
    def sizes(self) -> Sequence[int]:
        """The searches of each part."""
        return [len(rows) * len(self.items) for rows in self._spans]

    def write(self, folder: Path, number: int, progress: Progress) -> None:
        """Write a part, whose row groups are the ranks."""
        write_part(folder, number, SCHEMA, self._tables(number, progress), self.run)

    def _tables(self, number: int, progress: Progress) -> Iterator[pa.Table]:
        self.check()
        rows = self._spans[number]
        captions = self.captions[rows.start : rows.stop]

        def told(done: int) -> None:
            progress(done, self.sizes[number])

        yield from _part(captions, self.text, self.items, self.among, self.k, self.threads, told)
        self.check()  # that nothing has changed meanwhile

    def check(self) -> None:
        """Refuse other files than those that the work began with, if other machines do parts of it."""
        for modality, stated in self.run["groups"].items():
            if "contents" in stated:
                each = self.text if modality == "text" else self.items[modality]
                check_contents(each.embeddings, stated["contents"])


def _work(
    store: Store,
    embeddings: Mapping[str, PathLike],
    k: int,
    exclude: Sequence[str],
    available: bool,
    threads: int | None,
    shards: int,
    *,
    anywhere: bool,
) -> Making:
    """What is to be done, checked."""
    if at_least_one(k, "k") not in RANKS:
        raise EmbeddingError(f"k is {k}: groups have ranks from 1 to {RANKS[-1]}")
    model = open_vectors(store, embeddings)
    text, items = captions_and_items(model)
    _check_ids(model)
    with store.cursor() as connection:
        out = excluded(connection, exclude, available)
    every = text.ids[~out.has("100m", "text", text.ids)]
    among = {m: each.ids[~out.has("100m", m, each.ids)] for m, each in items.items()} if out else {}

    def identity(each: Vectors) -> dict[str, object]:
        known = {"contents": contents_of(each.embeddings)} if anywhere else {"version": version_of(each.embeddings)}
        return {**known, "metric": each.metric}

    run = {
        "groups": {modality: identity(each) for modality, each in model.items()},
        "k": k,
        "rows": len(every),
        "part": PART,
        "shards": shards,
        **out.identity,
    }
    left_out = LeftOut.of(out, {modality: ("100m", modality, each.ids) for modality, each in model.items()})
    return Making(text, items, every, among, k, threads, run, left_out)


def _check_ids(model: Mapping[str, Vectors]) -> None:
    """Refuse what could not be published.

    Raises:
        EmbeddingError: there are no captions, or ids that a store cannot hold.
    """
    for modality, vectors in model.items():
        ids = vectors.ids
        wrong = ids[(ids < 0) | (ids > LARGEST)]
        if len(wrong):
            raise EmbeddingError(
                f"{vectors.source}: {wrong[0]} is not an id of {modality}: ids are from 0 to {LARGEST:,}"
            )


def _part(
    captions: NDArray[np.int64],
    text: Vectors,
    items: Mapping[str, Vectors],
    among: Mapping[str, NDArray[np.int64]],
    k: int,
    threads: int | None,
    progress: Callable[[int], object],
) -> Iterator[pa.Table]:
    """The groups of some captions, a table for each rank; `among` has the ids that are searched of a modality, if not all are."""
    found = {modality: np.full((len(captions), k), NONE) for modality in items}
    done = 0
    for begin in range(0, len(captions), BATCH):
        rows = slice(begin, begin + BATCH)
        queries = text.embeddings.vectors(captions[rows])
        for modality, vectors in items.items():
            progress(done)
            ids = vectors.embeddings.search(queries, k, vectors.metric, among.get(modality), threads=threads).ids
            found[modality][rows, : ids.shape[1]] = ids
            done += len(queries)
    progress(done)
    for rank in range(k):
        columns = {f"encord_{modality}_id": ids[:, rank] for modality, ids in found.items()}
        columns |= {"encord_text_id": captions, "nn_index": np.full(len(captions), rank + 1)}
        absent = np.full(len(captions), NONE)
        values = [columns.get(name, absent) for name in GROUP_COLUMNS]
        yield pa.table([pa.array(each, pa.int32(), mask=each == NONE) for each in values], schema=SCHEMA)


def _write_folder(parts: Sequence[Path], folder: Path, k: int) -> Path:
    """Write the parts as they are published, a file for each rank; their row groups are the ranks."""
    if folder.exists():  # of a run that was interrupted here
        shutil.rmtree(folder)
    for rank in range(1, k + 1):
        place = folder / f"nn_{rank}"
        place.mkdir(parents=True)
        with (place / "data_groups.csv").open("wb") as file:
            pl.DataFrame(SCHEMA.empty_table()).write_csv(file)
            for part in parts:
                rows = pl.DataFrame(pq.ParquetFile(part).read_row_group(rank - 1))
                rows.write_csv(file, include_header=False)
    return folder


def _record(folder: Path, model: Mapping[str, Vectors], k: int, left_out: LeftOut) -> None:
    made_of = {
        modality: {
            "source": str(vectors.source),
            "metric": vectors.metric,
            "files": [str(file.resolve()) for file in vectors.embeddings.files],
            "rows": len(vectors.embeddings),
            "dims": vectors.embeddings.dim,
        }
        for modality, vectors in model.items()
    }
    made_of["text"].pop("metric")  # it searches nothing
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_record(folder, made_of, emm1=version("emm1"), made_at=now, k=k, **left_out.to_dict())
