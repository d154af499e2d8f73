"""The vectors of items by their ids, from the memory map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.embeddings.file import Embeddings
from emm1.torch.items.by_id import places_of
from emm1.torch.items.missing import Missing
from emm1.torch.tensors import as_tensor


class Vectors:
    """The vectors of items by their ids; it is pickled by path.

    Rows of a ``.npy`` file of float32 are not copied: they are views of a private map (copy on write), so that torch may have
    them without a warning, and what is written into one never reaches the file. All others are copied, a batch at a time, as
    float32.

    Args:
        embeddings: the file.
        name: what messages call it.
    """

    def __init__(self, embeddings: Embeddings, name: str) -> None:
        self._embeddings, self._name = embeddings, name
        ids = embeddings.ids
        self._sorter = None if (ids[1:] > ids[:-1]).all() else np.argsort(ids, kind="stable")
        self._ids = ids if self._sorter is None else ids[self._sorter]
        self._map: NDArray[np.float32] | None = None
        files = embeddings.files
        if len(files) == 1 and files[0].suffix == ".npy" and embeddings.dtype == np.float32:
            self._map = np.asarray(np.load(files[0], mmap_mode="c"))

    def __reduce__(self) -> tuple[type[Vectors], tuple[Embeddings, str]]:
        """What a copy is made of."""
        return Vectors, (self._embeddings, self._name)

    def __call__(self, ids: pa.Array) -> list[Any]:
        """The vector of each id, (dim,), float32: a tensor, or without torch an array; `Missing` if it has none."""
        if not len(self._ids):
            found = np.zeros(len(ids), np.bool_)
            vectors: list[NDArray[np.float32]] = []
        else:
            places, found = places_of(ids, self._ids)
            rows = (places if self._sorter is None else self._sorter[places])[found]
            vectors = (
                list(self._embeddings[rows].astype(np.float32))
                if self._map is None
                else list(map(self._map.__getitem__, rows))
            )
        given = map(as_tensor, vectors)
        return [
            next(given) if there else Missing(f"{self._name} has no vector of {of}")
            for there, of in zip(found.tolist(), ids.to_pylist(), strict=True)
        ]
