"""The work of encoding a store's items: each part has the vectors of some of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emm1.encoders import Encoder
from emm1.encoders.named import encoded
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.parts import write_part
from emm1.store.nearest import items_of, items_where
from emm1.store.registered import Registered
from emm1.store.store import Store
from emm1.work import Engine, Progress, Work, here

PART = 1024
"""Items of a part: an interrupted run repeats at most this many."""
ALIKE = 0.05
"""How far, relative to its length, a vector may be from that of another run: models round differently with other batches."""


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


@dataclass(frozen=True)
class Encoded:
    """The work.

    Attributes:
        items: what is encoded.
        encoder: by what.
        batch_size: items that the encoder gets at once.
        run: what the parts depend on.
    """

    items: Items
    encoder: Encoder
    batch_size: int
    run: Mapping[str, Any]

    @cached_property
    def _schema(self) -> pa.Schema:
        return pa.schema([("number", pa.int64()), ("vector", pa.list_(pa.float32(), self.encoder.dims))])

    @cached_property
    def sizes(self) -> Sequence[int]:
        """The items of each part."""
        return [min(PART, len(self.items.ids) - begin) for begin in range(0, len(self.items.ids), PART)]

    def check(self) -> None:
        """Refuse nothing: the items travel along, and a part has those whose media are there."""

    def write(self, folder: Path, number: int, progress: Progress) -> None:
        """Write a part: the numbers of its items whose media are there, and their vectors."""
        write_part(folder, number, self._schema, self._tables(number, progress), self.run)

    def _tables(self, number: int, progress: Progress) -> Iterator[pa.Table]:
        present = list(self.items.present(number * PART))
        vectors = np.empty((len(present), self.encoder.dims), np.float32)
        # Captions of about the same length go together: models pad the others, or encode them one by one.
        order: Sequence[int] = range(len(present))
        if self.items.modality == "text":
            order = sorted(order, key=lambda position: len(present[position][1]))
        for start in range(0, len(present), self.batch_size):
            batch = order[start : start + self.batch_size]
            vectors[batch] = encoded(self.encoder, self.items.modality, [present[position][1] for position in batch])
            progress(start + len(batch), self.sizes[number])
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), self.encoder.dims)
        yield pa.table([pa.array([at for at, _ in present], pa.int64()), lists], schema=self._schema)


def read_part(part: Path) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The numbers of the items of a part, and their vectors; those of files that could not be read are NaN."""
    table = pq.read_table(part)
    vectors = table["vector"].combine_chunks()
    values = vectors.values if isinstance(vectors, pa.FixedSizeListArray) else vectors.chunk(0).values
    return table["number"].to_numpy(), values.to_numpy().reshape(
        len(table), table.schema.field("vector").type.list_size
    )


def with_encoder(encoder: Encoder, items: Items) -> Engine:
    """What encodes items: this process, once it is known that the encoder is that of the finished parts."""

    def engine(work: Work, folder: Path, numbers: Sequence[int], progress: Progress) -> None:
        _check_encoder(folder, items, encoder)
        here(work, folder, numbers, progress)

    return engine


def _check_encoder(folder: Path, items: Items, encoder: Encoder) -> None:
    """Refuse finished parts whose first vector is not what the encoder gives: its name may be that of other weights now."""
    for part in sorted(folder.glob("*.parquet"))[:1]:
        try:
            numbers, rows = read_part(part)
        except (pa.ArrowInvalid, OSError):
            continue  # it will be done again
        for at in np.flatnonzero(~np.isnan(rows[:, 0]))[:1]:
            again = encoded(encoder, items.modality, [items.inputs[int(numbers[at])].as_py()])[0]
            if not np.linalg.norm(again - rows[at]) <= ALIKE * np.linalg.norm(rows[at]):
                raise EmbeddingError(
                    f"{folder} holds vectors that another encoder made: remove the folder to start again"
                )


def items_to_encode(store: Store, entry: Registered, root: Path | None, where: str | None) -> Items:
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
