"""`Store.embed`: the vectors of a store's items by an encoder, in parts, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.checks import PathLike
from emm1.convert.run import check_target
from emm1.dataset import Split
from emm1.embeddings.file import Metric
from emm1.encoders import Encoder, encoder_named
from emm1.encoders.named import check_modality, encoded
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.npy import write_npy
from emm1.parts import parts_of
from emm1.store.nearest import items_of, items_where
from emm1.store.registered import Registered
from emm1.store.registration import Registration
from emm1.store.store import Store

Progress = Callable[[str, int, int], object]

PART = 1024
"""Items of a part: an interrupted run repeats at most this many."""
NAMED = 3
"""Unreadable files that are named."""
ALIKE = 0.05
"""How far, relative to its length, a vector may be from that of another run: models round differently with other batches."""


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


@dataclass(frozen=True)
class Items:
    """The items to encode, in the order of their ids.

    Attributes:
        modality: their modality.
        ids: int64, (items,).
        inputs: captions, or paths of files; NULL for an item that cannot have a file.
    """

    modality: str
    ids: NDArray[np.int64]
    inputs: pa.StringArray

    @property
    def digest(self) -> str:
        """What changes when the items change."""
        hashed = hashlib.sha256(self.modality.encode() + self.ids.tobytes())
        for buffer in self.inputs.buffers():
            hashed.update(buffer or b"")
        return hashed.hexdigest()

    def present(self, begin: int) -> Iterator[tuple[int, str]]:
        """The number and the input of each item of a part whose media are there."""
        for number, given in enumerate(self.inputs.slice(begin, PART).to_pylist(), begin):
            if given is not None and (self.modality == "text" or Path(given).is_file()):
                yield number, given


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
    progress: Progress,
) -> Embedded:
    """Do the work of `emm1.Store.embed`."""
    at_least_one(batch_size, "batch_size")
    if output is None and Path(name).name != name:
        raise EmbeddingError(
            f"{name!r} cannot be the name of a file: name the file to write, too, or take another name"
        )
    target = Path(output) if output is not None else store.path.with_name(f"{name}.npy")
    spec = encoder if isinstance(encoder, str) else f"{type(encoder).__module__}.{type(encoder).__qualname__}"
    entry = Registered(name, dataset, modality, metric, target.absolute(), None, model=model)
    store.registry.check_new(entry, replace=replace)
    ids_target = check_target(target)
    chosen = encoder_named(encoder) if isinstance(encoder, str) else encoder
    check_modality(chosen, modality)
    items = _items(store, entry, None if root is None else Path(root), where)
    run = {"encoder": spec, "dims": chosen.dims, "items": items.digest, "part": PART}
    with parts_of(target, run) as folder:
        _check_encoder(folder, items, chosen)
        begins = range(0, len(items.ids), PART)
        parts = [_part(folder, begin, items, chosen, batch_size, progress) for begin in begins]
        progress(f"writing {target.name}", 0, 0)
        vectors, ids, bad = _joined(folder, parts, items, chosen.dims)
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
    unreadable = [items.inputs[int(number)].as_py() for number in bad[:NAMED]]
    missing = len(items.ids) - registration.rows - len(bad)
    return Embedded(registration, target, missing, len(bad), tuple(unreadable))


def _items(store: Store, entry: Registered, root: Path | None, where: str | None) -> Items:
    """The items, in the order of their ids."""
    if root is not None and not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}, where the media are expected")
    with store.cursor() as connection:
        if root is not None:
            connection.execute("SET VARIABLE emm1_root = $root", {"root": str(root.absolute())})
        rows, (*_, given) = items_of(connection, entry)  # captions or paths
        table = rows.select("item", given).order("item").to_arrow_table().combine_chunks()
        ids = table["item"].to_numpy().astype(np.int64)
        inputs = table[given]
        if where is not None:
            wanted = np.isin(ids, items_where(connection, entry, where))
            ids, inputs = ids[wanted], inputs.filter(pa.array(wanted))
    if not len(ids):
        raise EmbeddingError(
            f"there are no {entry.modality} items of {entry.dataset}{' that satisfy the condition' if where else ''}"
        )
    joined = inputs.cast(pa.large_string()).combine_chunks()
    return Items(entry.modality, ids, joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined)


def _check_encoder(folder: Path, items: Items, encoder: Encoder) -> None:
    """Refuse finished parts whose first vector is not what the encoder gives: its name may be that of other weights now."""
    for part in sorted(folder.glob("*.npz"))[:1]:
        with np.load(part) as loaded:
            numbers, rows = loaded["numbers"], loaded["vectors"]
        for at in np.flatnonzero(~np.isnan(rows[:, 0]))[:1]:
            again = encoded(encoder, items.modality, [items.inputs[int(numbers[at])].as_py()])[0]
            if not np.linalg.norm(again - rows[at]) <= ALIKE * np.linalg.norm(rows[at]):
                raise EmbeddingError(
                    f"{folder} holds vectors that another encoder made: remove the folder to start again"
                )


def _part(folder: Path, begin: int, items: Items, encoder: Encoder, batch_size: int, progress: Progress) -> Path:
    """Encode a part, unless it is there: the numbers of its items, and their vectors."""
    part = folder / f"{begin // PART:06}.npz"
    progress("encoding", begin, len(items.ids))
    if part.exists():
        return part
    present = list(items.present(begin))
    vectors = np.empty((len(present), encoder.dims), np.float32)
    # Captions of about the same length go together: models pad the others, or encode them one by one.
    order: Sequence[int] = range(len(present))
    if items.modality == "text":
        order = sorted(order, key=lambda number: len(present[number][1]))
    for start in range(0, len(present), batch_size):
        batch = order[start : start + batch_size]
        vectors[batch] = encoded(encoder, items.modality, [present[number][1] for number in batch])
        progress("encoding", begin + start + len(batch), len(items.ids))
    unfinished = part.with_suffix(".writing")
    with unfinished.open("wb") as file:
        np.savez(file, numbers=np.array([number for number, _ in present], np.int64), vectors=vectors)
    unfinished.replace(part)
    return part


def _joined(folder: Path, parts: list[Path], items: Items, dims: int) -> tuple[Path, Path, NDArray[np.int64]]:
    """The vectors and the ids of all parts, as files, and the numbers of the items whose files could not be read."""
    vectors, ids = folder / "vectors", folder / "ids"
    kept: list[NDArray[np.int64]] = []
    bad: list[NDArray[np.int64]] = []
    with vectors.open("wb") as file:
        header: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": (0, dims)}
        npy.write_array_header_1_0(file, header)
        for part in parts:
            with np.load(part) as loaded:
                numbers, rows = loaded["numbers"], loaded["vectors"]
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
