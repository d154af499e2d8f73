"""What the search page and its JSON show: captions by words, items by ids, and what is like a typed text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb

from emm1.dataset import MODALITIES_OF, SPLITS
from emm1.explore.described import describe
from emm1.explore.items import Item, items
from emm1.explore.likeness import Narrowed
from emm1.explore.media import MediaFolder
from emm1.explore.typed import encoder_of, encoders_of, nearest_to_text
from emm1.explore.words import READ, Hit, Sought, match
from emm1.store.caption_index import is_indexed

if TYPE_CHECKING:
    from emm1.store import Store

LARGEST_ID = 2**31 - 1
NAMED = re.compile(r"\s*(?:(100m|1m|eshot)\s+)?(?:(text|image|audio|video|points)\s+)?([0-9]{1,10})\s*", re.IGNORECASE)


class Search:
    """A store as it is searched, from any thread.

    Args:
        store: the store.
        folder: its media.
    """

    def __init__(self, store: Store, folder: MediaFolder) -> None:
        self._store = store
        self._folder = folder

    def ways(self) -> dict[str, Any]:
        """How the store can be searched.

        `advice` is the command that makes an index of the captions, and `read` how many of each split are searched without; both are
        None if there is one. Each registered embedding file has the `encoder` that made it, as far as its model says.
        """
        with self._store.cursor() as cursor:
            indexed = is_indexed(cursor)
        return {
            "indexed": indexed,
            "advice": None if indexed else f"emm1 index captions {self._store.path}",
            "read": None if indexed else READ,
            "encoders": encoders_of(self._store),
            "embeddings": [
                {
                    "name": entry.name,
                    "dataset": entry.dataset,
                    "modality": entry.modality,
                    "encoder": encoder_of(entry.model),
                }
                for entry in self._store.registry.values()
            ],
        }

    def by_words(self, sought: Sought) -> dict[str, Any]:
        """The captions that have some words, and in `offers` the items whose id they are.

        `previous` and `next` are the ranks after which others come before and follow, or None.
        """
        with self._store.cursor() as cursor:
            found = match(cursor, sought)
            offers = offered(cursor, sought.words)
        return {
            "hits": [self._hit(hit) for hit in found.hits],
            "previous": max(0, sought.after - sought.limit) if sought.after else None,
            "next": sought.after + sought.limit if found.more else None,
            "unknown": found.unknown,
            "seconds": found.seconds,
            "offers": [describe(item, self._folder) for item in offers],
        }

    def by_text(self, text: str, encoder: str, base: str, k: int, narrowed: Narrowed) -> dict[str, Any]:
        """The items most like a text."""
        found = nearest_to_text(self._store, text, encoder, base, k, narrowed)
        return {
            "hits": [
                {"rank": rank, "score": score, "item": describe(item, self._folder)}
                for rank, item, score in found.alike.hits
            ],
            "metric": found.alike.metric,
            "seconds": found.alike.seconds,
            "loading": found.loading,
        }

    def encoder_of(self, base: str) -> str | None:
        """The encoder that made registered embeddings, as far as their model says."""
        return encoder_of(self._store.registry[base].model)

    def _hit(self, hit: Hit) -> dict[str, Any]:
        return {
            "rank": hit.rank,
            "score": hit.score,
            "item": describe(hit.item, self._folder),
            "pieces": [{"text": text, "matches": matches} for text, matches in hit.pieces],
        }


def offered(connection: duckdb.DuckDBPyConnection, typed: str) -> list[Item]:
    """The items that an id names, with or without its modality and split before it."""
    found = NAMED.fullmatch(typed)
    if found is None or int(found[3]) > LARGEST_ID:
        return []
    dataset, modality, number = (found[1] or "").lower(), (found[2] or "").lower(), int(found[3])
    named = [
        items(connection, split, kind, [number])[number]
        for split in SPLITS
        for kind in MODALITIES_OF[split]
        if dataset in {"", split} and modality in {"", kind}
    ]
    return [item for item in named if item.columns]
