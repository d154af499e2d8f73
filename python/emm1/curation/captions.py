"""The keys of captions: the same for captions that say the same, in an order that only the seed decides."""

from __future__ import annotations

import hashlib
import unicodedata
from importlib.resources import files

import duckdb
import numpy as np
from numpy.typing import NDArray

# Rows per batch.
BATCH = 1_000_000


class _Letters(dict[int, int]):
    """Maps characters that are neither letters, marks nor digits to spaces, for `str.translate`; filled as they occur."""

    def __missing__(self, code: int) -> int:
        self[code] = code if unicodedata.category(chr(code))[0] in "LMN" else ord(" ")
        return self[code]


_LETTERS = _Letters()


def normalised(caption: str) -> str:
    r"""The text by which captions are compared.

    Unicode NFKC, letters in one case, and a space for whatever stands between words. `captions.sql` does the same for captions
    in ASCII, which are nearly all.

    >>> normalised("  A dog\tbarks!"), normalised("A DOG BARKS"), normalised("\uff21 dog\u2026 barks")
    ('a dog barks', 'a dog barks', 'a dog barks')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", caption).casefold())
    return " ".join(folded.translate(_LETTERS).split())


def key_of(caption: str, seed: int) -> int:
    """The key of a caption: the first 64 bits of a hash of the seed and the normalised text, the same on every machine."""
    return int(hashlib.sha256(f"{seed}:{normalised(caption)}".encode()).hexdigest()[:16], 16)


def caption_keys(
    connection: duckdb.DuckDBPyConnection, dataset: str, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.bool_]]:
    """The captions of a dataset: their ids, their keys, and whether they have a text; those that have none have no key."""
    query = (files("emm1") / "sql" / "curation" / "captions.sql").read_text(encoding="utf-8")
    ids, keys, known = [], [], []
    for batch in connection.sql(query, params={"dataset": dataset, "seed": str(seed)}).arrow(BATCH):
        key = batch.column(1).fill_null(0).to_numpy().copy()
        has_key = batch.column(1).is_valid().to_numpy(zero_copy_only=False).copy()
        others = np.flatnonzero(batch.column(2).is_valid().to_numpy(zero_copy_only=False))
        key[others] = [key_of(text, seed) for text in batch.column(2).drop_null().to_pylist()]
        has_key[others] = True
        ids.append(batch.column(0).to_numpy().astype(np.int64))
        keys.append(key)
        known.append(has_key)
    return (
        np.concatenate([*ids, np.empty(0, np.int64)]),
        np.concatenate([*keys, np.empty(0, np.uint64)]),
        np.concatenate([*known, np.empty(0, np.bool_)]),
    )
