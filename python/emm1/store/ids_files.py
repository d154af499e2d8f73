"""Files of ids that a registration writes, so that searches in SQL find the ids too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from emm1 import _native
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError, WriteError
from emm1.store.registered import Registered


@contextmanager
def beside(entry: Registered, ids: NDArray[np.int64]) -> Iterator[Path]:
    """Write ids to ``NAME.ids.npy`` beside an embedding file; the file is removed again if the caller fails.

    Raises:
        EmbeddingError: the ids do not fit the rows, the file exists with other ids, or it cannot be written.
    """
    Embeddings(entry.path, ids=ids, codes=False)
    place = _native.ids_place(entry.path)
    if os.path.lexists(place):
        if not np.array_equal(Embeddings(entry.path, ids=place, codes=False).ids, ids):
            raise EmbeddingError(f"{place} holds other ids: remove it first, or name a file of ids in another place")
        yield place
        return
    writing = place.with_name(f"{place.name}.{uuid4().hex}")
    try:
        try:
            with writing.open("xb") as file:
                np.save(file, ids)
            os.link(writing, place)  # unlike a rename, never replaces a file
        finally:
            writing.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(
            f"the ids cannot be written to {place} ({error.strerror or error}): write them to a file in another place, "
            "and name that"
        ) from error
    try:
        yield place
    except BaseException:
        place.unlink(missing_ok=True)
        raise


def in_info_order(entry: Registered, items: NDArray[np.int64], folder: Path) -> Path:
    """Write the ids of EShot's items, in the order of the info CSV, to a file in the folder of the store.

    Raises:
        WriteError: it cannot be written.
    """
    place = folder / f"{entry.name}.eshot-{entry.modality}.ids.npy"
    try:
        np.save(place, items)
    except OSError as error:
        raise WriteError(f"the ids of {entry.path} cannot be written to {place}: {error.strerror}") from error
    return place
