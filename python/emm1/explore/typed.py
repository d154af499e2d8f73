"""Search by typed text: an encoder makes a vector of it, and the exact nearest items are found."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING

from emm1.encoders import encoder_named, encoder_names
from emm1.errors import EmbeddingError
from emm1.explore.likeness import Alike, Narrowed, shown_hits

if TYPE_CHECKING:
    from emm1.store import Store

# One text at a time: libraries' models need not be safe for threads, and only one of them is kept.
ENCODING = threading.Lock()


@dataclass(frozen=True)
class Typed:
    """What a text is like.

    Attributes:
        alike: the items, with the time that encoding the text and searching took.
        loading: how long it took to load the encoder, which is kept.
    """

    alike: Alike
    loading: float


@cache
def _installed() -> list[str]:
    """The encoders that are installed: as long as the server runs, they are the same."""
    return encoder_names()


def encoder_of(model: str | None) -> str | None:
    """The encoder that a model of registered embeddings is; None if no encoder is installed under such a name.

    >>> encoder_of("minilm"), encoder_of("open-clip:ViT-B-32/openai"), encoder_of("ours"), encoder_of(None)
    ('minilm', 'open-clip:ViT-B-32/openai', None, None)
    """
    return model if model and model.partition(":")[0] in _installed() else None


def encoders_of(store: Store) -> list[str]:
    """The encoders that a page may name: those that made embeddings of the store first, then all that are installed.

    What follows a colon is loaded from a file, or from the web, so it comes from the store and never from an address.
    """
    made = sorted({name for entry in store.registry.values() if (name := encoder_of(entry.model))})
    return [*made, *(name for name in _installed() if name not in made)]


def nearest_to_text(store: Store, text: str, encoder: str, base: str, k: int, narrowed: Narrowed) -> Typed:
    """The k items most like a text.

    Args:
        store: the store.
        text: the text.
        encoder: one of `encoders_of`.
        base: the registered embeddings that are searched.
        k: how many.
        narrowed: which items are searched.

    Raises:
        emm1.errors.EmbeddingError: an encoder that is not one of these, is not complete, or did not make the embeddings; a name that is not registered.
        emm1.errors.StoreError: items that have no source or licence, narrowed by it.
    """
    if encoder not in (known := encoders_of(store)):
        raise EmbeddingError(f"there is no encoder {encoder!r} for this store: it is one of {', '.join(known)}")
    searched = store.registry[base]
    with store.cursor() as cursor:
        narrowed.check(cursor)
    condition = narrowed.condition(searched)
    with ENCODING:
        begin = perf_counter()
        encoder_named(encoder)
        start = perf_counter()
        rows = store.nearest(base, text=text, encoder=encoder, k=k, where=condition).fetchall()
        end = perf_counter()
    return Typed(shown_hits(store, searched, rows, end - start), start - begin)
