"""`Store.embed`: the vectors of a store's items by an encoder, in parts, so that an interrupted run goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.checks import PathLike
from emm1.convert.embed_parts import PART, Encoded, Items, items_to_encode, read_part, with_encoder
from emm1.convert.run import check_target
from emm1.dataset import Split
from emm1.embeddings.file import Metric
from emm1.encoders import Encoder, encoder_named
from emm1.encoders.named import check_modality
from emm1.errors import EmbeddingError
from emm1.npy import write_npy
from emm1.parts import do_shard, made, part_in, parts_beside, shards_of
from emm1.store.registered import Registered
from emm1.store.registration import Registration
from emm1.store.store import Store
from emm1.work import Shard

Progress = Callable[[str, int, int], object]

NAMED = 3
"""Unreadable files that are named."""


@dataclass(frozen=True)
class Embedded:
    """What `Store.embed` did.

    Attributes:
        registration: what the new embedding file was found to be.
        path: the file.
        missing: how many items have no file in the folder of the media.
        unreadable: how many have a file that the encoder could not read.
        first_unreadable: the paths of the first of these.
    """

    registration: Registration
    path: Path
    missing: int
    unreadable: int
    first_unreadable: tuple[str, ...]

    def __str__(self) -> str:
        """For people."""
        return "; ".join([str(self.registration), *self.notes])

    @property
    def notes(self) -> list[str]:
        """Which items have no vector, in words."""
        notes = []
        if self.missing:
            notes.append(f"{self.missing:,} items have no file there")
        if self.unreadable:
            more = "" if self.unreadable == len(self.first_unreadable) else ", …"
            notes.append(f"{self.unreadable:,} files could not be read: {', '.join(self.first_unreadable)}{more}")
        return notes


def embed(
    store: Store,
    name: str,
    encoder: Encoder | str,
    *,
    modality: str,
    dataset: Split,
    root: PathLike | None,
    output: PathLike | None,
    where: str | None,
    batch_size: int,
    metric: Metric,
    model: str | None,
    replace: bool,
    merge: bool,
    progress: Progress,
) -> Embedded:
    """Do the work of `emm1.Store.embed`."""
    entry, target = _target(store, name, dataset, modality, metric, output, model)
    store.registry.check_new(entry, replace=replace)
    ids_target = check_target(target)
    work = _work(store, entry, encoder, root, where, batch_size, target, merge=merge)

    def told(done: int, total: int) -> None:
        progress("encoding", done, total)

    with made(work, target, told, merge=merge, engine=with_encoder(work.encoder, work.items)) as folder:
        progress(f"writing {target.name}", 0, 0)
        parts = [part_in(folder, number) for number in range(len(work.sizes))]
        vectors, ids, bad = _joined(folder, parts, work.items, work.run["dims"])
        ids.rename(ids_target)
        vectors.rename(target)
    registration = store.registry.add(
        name,
        target,
        dataset=dataset,
        modality=modality,
        metric=metric,
        model=model,
        replace=replace,
        progress=lambda done, total: progress(f"reading {target.name}", done, total),
    )
    unreadable = [work.items.inputs[int(number)].as_py() for number in bad[:NAMED]]
    missing = len(work.items.ids) - registration.rows - len(bad)
    return Embedded(registration, target, missing, len(bad), tuple(unreadable))


def embed_shard(
    store: Store,
    name: str,
    encoder: Encoder | str,
    *,
    shard: tuple[int, int],
    modality: str,
    dataset: Split = "100m",
    root: PathLike | None = None,
    output: PathLike | None = None,
    where: str | None = None,
    batch_size: int = 32,
    progress: Progress = lambda _what, _done, _total: None,
) -> None:
    """Encode one of several equal shares of the items; `emm1.Store.embed` with ``merge=True`` then joins them.

    Args:
        store: the store, which may be open for reading only.
        name: as for `emm1.Store.embed`, like all that is not named here. The media must be in the same folder on all machines.
        encoder: as above.
        shard: which share this is, from 1, and how many shares there are; a share is of whole parts of 1,024 items.
        modality: as above.
        dataset: as above.
        root: as above.
        output: as above; the parts of all shards are in ``OUTPUT.parts``.
        where: as above.
        batch_size: as above.
        progress: as above.

    Raises:
        emm1.errors.EmbeddingError: as above; or no such shard, or parts of other items, encoders or numbers of shards.

    >>> import emm1, numpy as np
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", embeddings=0)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
    >>> class Lengths:
    ...     modalities, dims = ["text"], 1
    ...
    ...     def encode(self, modality, items):
    ...         return np.array([[len(caption)] for caption in items], "float32")
    >>> for number in (1, 2):
    ...     embed_shard(store, "lengths", Lengths(), shard=(number, 2), modality="text")
    >>> print(store.embed("lengths", Lengths(), modality="text", merge=True).registration.rows)
    6706
    """
    own = Shard(*shard)
    entry, target = _target(store, name, dataset, modality, "cosine", output, None)
    work = _work(store, entry, encoder, root, where, batch_size, target, shards=own.of)
    do_shard(
        work,
        parts_beside(target),
        own,
        lambda done, total: progress("encoding", done, total),
        with_encoder(work.encoder, work.items),
    )


def _target(
    store: Store,
    name: str,
    dataset: Split,
    modality: str,
    metric: Metric,
    output: PathLike | None,
    model: str | None,
) -> tuple[Registered, Path]:
    if output is None and Path(name).name != name:
        raise EmbeddingError(
            f"{name!r} cannot be the name of a file: name the file to write, too, or take another name"
        )
    target = Path(output) if output is not None else store.path.with_name(f"{name}.npy")
    return Registered(name, dataset, modality, metric, target.absolute(), None, model=model), target


def _work(
    store: Store,
    entry: Registered,
    encoder: Encoder | str,
    root: PathLike | None,
    where: str | None,
    batch_size: int,
    target: Path,
    *,
    shards: int = 1,
    merge: bool = False,
) -> Encoded:
    """What is to be done, checked."""
    at_least_one(batch_size, "batch_size")
    spec = encoder if isinstance(encoder, str) else f"{type(encoder).__module__}.{type(encoder).__qualname__}"
    chosen = encoder_named(encoder) if isinstance(encoder, str) else encoder
    check_modality(chosen, entry.modality)
    items = items_to_encode(store, entry, None if root is None else Path(root), where)
    run = {
        "encoder": spec,
        "dims": chosen.dims,
        "items": items.digest,
        "part": PART,
        "shards": shards_of(target) if merge else shards,
    }
    return Encoded(items, chosen, batch_size, run)


def _joined(folder: Path, parts: list[Path], items: Items, dims: int) -> tuple[Path, Path, NDArray[np.int64]]:
    """The vectors and the ids of all parts, as files, and the numbers of the items whose files could not be read."""
    vectors, ids = folder / "vectors", folder / "ids"
    kept: list[NDArray[np.int64]] = []
    bad: list[NDArray[np.int64]] = []
    with vectors.open("wb") as file:
        header: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": (0, dims)}
        npy.write_array_header_1_0(file, header)
        for part in parts:
            numbers, rows = read_part(part)
            readable = ~np.isnan(rows[:, 0])
            file.write(np.ascontiguousarray(rows[readable], "<f4").data)
            kept.append(numbers[readable])
            bad.append(numbers[~readable])
        numbers = np.concatenate(kept)
        file.seek(0)
        npy.write_array_header_1_0(file, {**header, "shape": (len(numbers), dims)})
    if not len(numbers):
        for part in parts:  # so that a later run looks for the files again
            part.unlink()
        if items.modality == "text":
            raise EmbeddingError(f"the encoder gives no vector for any of {len(items.ids):,} captions")
        first = items.inputs[0].as_py()
        raise EmbeddingError(f"no file of {len(items.ids):,} items can be read: the first is expected at {first}")
    write_npy(ids, items.ids[numbers])
    return vectors, ids, np.concatenate(bad)
