"""Which rows of embeddings a map shows, and these as embeddings by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from emm1.curation.layout import Told
from emm1.embeddings import Embeddings
from emm1.errors import Error, WriteError
from emm1.hashing import splitmix64
from emm1.npy import write_npy, write_npy_parts

BATCH = 4096


def sampled(ids: NDArray[np.int64], most: int, seed: int) -> NDArray[np.bool_]:
    """Which of some ids are in a sample of at most `most`: those whose hashes with the seed are smallest.

    So the sample is the same on every machine, and hardly changes when a few ids are added.

    >>> sampled(np.arange(8), 3, seed=0).nonzero()[0].tolist() == sampled(np.arange(8)[::-1], 3, seed=0)[::-1].nonzero()[0].tolist()
    True
    """
    if len(ids) <= most:
        return np.ones(len(ids), np.bool_)
    hashes = splitmix64(ids ^ splitmix64([seed]).view(np.int64))
    chosen = np.zeros(len(ids), np.bool_)
    chosen[np.lexsort((ids, hashes))[:most]] = True
    return chosen


@contextmanager
def only(embeddings: Embeddings, wanted: NDArray[np.bool_], folder: Path, told: Told) -> Iterator[Embeddings]:
    """The wanted rows as embeddings by themselves, so that they are searched among each other as fast as any file.

    Args:
        embeddings: the embeddings.
        wanted: whether a row is wanted, (rows,). If all are, it is the same embeddings; else a copy in float32 with codes.
        folder: where the copy is for as long as it is needed.
        told: called with what is being done, the amount done and how much there is.

    Raises:
        WriteError: the copy cannot be written.
    """
    if wanted.all():
        yield embeddings
        return
    with TemporaryDirectory(prefix=".emm1-map-", dir=folder, ignore_cleanup_errors=True) as place:
        file = Path(place) / "rows.npy"
        _copy(embeddings, embeddings.ids[wanted], file, told)
        copied = Embeddings(file)
        if copied.why_no_codes is None:
            total = len(copied)
            copied.build_codes(progress=lambda rows: told("codes", rows, total))
        yield copied
        del copied  # or Windows would not remove its file


def _copy(embeddings: Embeddings, ids: NDArray[np.int64], file: Path, told: Told) -> None:
    try:
        write_npy(file.with_name("rows.ids.npy"), ids)
        write_npy_parts(file, _vectors(embeddings, ids, told), (len(ids), embeddings.dim), np.float32)
    except OSError as error:
        if isinstance(error, Error):
            raise
        raise WriteError(f"{file.parent} cannot hold the rows of the map: {error.strerror or error}") from error


def _vectors(embeddings: Embeddings, ids: NDArray[np.int64], told: Told) -> Iterator[NDArray[np.float32]]:
    for begin in range(0, len(ids), BATCH):
        vectors = embeddings.vectors(ids[begin : begin + BATCH])
        told("copying the rows of the map", begin + len(vectors), len(ids))
        yield vectors
