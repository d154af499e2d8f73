"""What the page and its JSON show of one store: the same answers for both."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from emm1.dataset import FILE_MODALITIES, SPLITS, Split
from emm1.explore import basket as baskets
from emm1.explore import eshot
from emm1.explore import items as read
from emm1.explore.described import describe, describe_group, describe_triplet
from emm1.explore.items import EVERY_NEIGHBOUR, Chosen, Span
from emm1.explore.likeness import Narrowed, alike
from emm1.explore.media import Media, MediaFolder
from emm1.explore.reports.saved import Reported

if TYPE_CHECKING:
    from emm1.explore.copied import Copied, Copies
    from emm1.store import Store


T = TypeVar("T")


class Look:
    """A store as it is looked at, from any thread.

    Args:
        store: the store.
        reports: the folders of saved reports, as `Reported` takes them.

    Raises:
        emm1.errors.Error: a folder holds no such report, or two cannot be compared.
    """

    def __init__(self, store: Store, reports: Sequence[Path] = ()) -> None:
        self._store = store
        with store.cursor() as cursor:
            ((root,),) = cursor.execute("SELECT media_root()").fetchall()
        self.folder = MediaFolder(root)
        self.name = store.path.name
        self.root = str(root)
        self.reported = Reported(store, self.folder, reports)

    def store(self) -> dict[str, Any]:
        """The store: its name, the folder of its media, the name of the report, and the registered embeddings."""
        return {
            "name": self.name,
            "media_root": self.root,
            "report": self.reported.name,
            "embeddings": [
                {
                    "name": entry.name,
                    "dataset": entry.dataset,
                    "modality": entry.modality,
                    "model": entry.model,
                    "metric": entry.metric,
                }
                for entry in self._store.registry.values()
            ],
        }

    @cached_property
    def first_split(self) -> Split:
        """The split whose captions are shown first: E-MM1:100M, unless the store has none of it."""
        with self._store.cursor() as cursor:
            return "100m" if read.captions(cursor, "100m", read.Span(limit=1)) else "1m"

    def captions(self, dataset: Split, span: Span) -> dict[str, Any]:
        """Captions in the order of their ids; `previous` and `next`: others come before the one and after the other, or None."""
        with self._store.cursor() as cursor:
            found = read.captions(cursor, dataset, _one_more(span))
        shown, around = _around(found, span, lambda item: item.id)
        return {"captions": [describe(each, self.folder) for each in shown], **around}

    def item(
        self, dataset: Split, modality: str, number: int, chosen: Chosen = EVERY_NEIGHBOUR
    ) -> dict[str, Any] | None:
        """An item with all that it is connected to; None if the store has no such item.

        `previous` and `next` are the ids before and after its own; `groups` are those chosen of a caption of E-MM1:100M,
        `neighbour_of` the captions that have the item as a neighbour, `triplets` the first ratings that it is part of,
        `categories` those of a sample of EShot; `embeddings` are the names of those that are of its kind.
        """
        with self._store.cursor() as cursor:
            found = read.items(cursor, dataset, modality, [number])[number]
            if not found.columns:
                return None
            before, after = read.beside(cursor, dataset, modality, number)
            shown = describe(found, self.folder) | {"previous": before, "next": after}
            shown["embeddings"] = self._embeddings_of(dataset, modality)
            if dataset == SPLITS[0] and modality == "text":
                shown["groups"] = [describe_group(group, self.folder) for group in read.groups(cursor, number, chosen)]
            elif dataset == SPLITS[0]:
                near = read.captions_near(cursor, modality, number)
                shown["neighbour_of"] = [
                    {"nn_index": rank, "caption": describe(caption, self.folder)} for rank, caption in near
                ]
            elif dataset == SPLITS[1]:
                rated = read.triplets(cursor, read.Wanted(about=(modality, number)))
                shown["triplets"] = [describe_triplet(triplet, self.folder) for triplet in rated]
            else:
                shown["categories"] = read.categories(cursor, modality, number)
        return shown

    def groups(self, caption: int, chosen: Chosen) -> dict[str, Any]:
        """The groups of a caption."""
        with self._store.cursor() as cursor:
            found = read.groups(cursor, caption, chosen)
        return {"groups": [describe_group(group, self.folder) for group in found]}

    def triplets(self, wanted: read.Wanted) -> dict[str, Any]:
        """Rated triplets; `previous` and `next` as for captions."""
        with self._store.cursor() as cursor:
            found = read.triplets(cursor, replace(wanted, span=_one_more(wanted.span)))
        shown, around = _around(found, wanted.span, lambda triplet: triplet.place)
        return {"triplets": [describe_triplet(each, self.folder) for each in shown], **around}

    def alike(self, number: int, by: str, base: str, k: int, narrowed: Narrowed) -> dict[str, Any]:
        """The items most like an item, with their scores and the time that took."""
        found = alike(self._store, number, by, base, k, narrowed)
        return {
            "hits": [
                {"rank": rank, "score": score, "item": describe(item, self.folder)} for rank, item, score in found.hits
            ],
            "metric": found.metric,
            "seconds": found.seconds,
        }

    def text_copied(self, text: str, encoder: str, base: str, k: int, narrowed: Narrowed) -> Copied:
        """The program that finds the items most like a text."""
        return self.copies.text(text, encoder, self._store.registry[base], k, narrowed)

    def basket(self, named: Sequence[baskets.Named]) -> dict[str, Any]:
        """The items of a basket, in its order."""
        with self._store.cursor() as cursor:
            found = baskets.find(cursor, named)
        return {"items": [describe(item, self.folder) for item in found]}

    def exported(self, named: Sequence[baskets.Named], format: baskets.Format) -> bytes:  # noqa: A002 - as options have it
        """The ids of a basket as a file."""
        with self._store.cursor() as cursor:
            return baskets.exported(cursor, named, format)

    @property
    def argument(self) -> str:
        """The store as an argument of a command in a shell."""
        return shlex.quote(str(self._store.path))

    @cached_property
    def triplet_choices(self) -> dict[str, list[str]]:
        """The values of each filter of triplets, which do not change while the store is open for reading."""
        with self._store.cursor() as cursor:
            return read.triplet_choices(cursor)

    @cached_property
    def copies(self) -> Copies:
        """The texts that say in SQL and Python what is on screen."""
        from emm1.explore.copied import Copies  # noqa: PLC0415 - sqlglot takes longer to import than the rest to start

        return Copies(self._store.path)

    def alike_copied(self, number: int, by: str, base: str, k: int, narrowed: Narrowed) -> Copied:
        """The text of what `alike` finds."""
        return self.copies.alike(self._store.registry[by], self._store.registry[base], number, k, narrowed)

    def eshot(self) -> dict[str, Any]:
        """The categories of EShot; with a report on it, how many samples are classified correctly in each direction."""
        with self._store.cursor() as cursor:
            rows = eshot.classes(cursor)
        report = self.reported.confusions
        correct = report.accuracies() if report is not None and report.eshot else {}
        return {
            "categories": [
                {
                    "category": category,
                    "audio": audio,
                    "points": points,
                    "correct": {
                        direction: {"correct": right, "samples": samples}
                        for direction, (right, samples) in correct.get(category, {}).items()
                    },
                }
                for category, audio, points in rows
            ],
        }

    def eshot_category(self, category: str, limit: int) -> dict[str, Any] | None:
        """The samples of a category of EShot, at most so many of each modality; None if there is no such category."""
        with self._store.cursor() as cursor:
            found = eshot.samples(cursor, category, limit)
        if not found:
            return None
        samples = {
            modality: {"count": each.count, "items": [describe(item, self.folder) for item in each.items]}
            for modality, each in found.items()
        }
        return {"category": category, **samples}

    def media(self, dataset: Split, modality: str, number: int) -> Media | None:
        """The media of an item; None for items that are no files, and if the store has no such item."""
        if modality not in FILE_MODALITIES:
            return None
        with self._store.cursor() as cursor:
            found = read.items(cursor, dataset, modality, [number])[number]
        return self.folder.find(found.path) if found.columns else None

    def _embeddings_of(self, dataset: Split, modality: str) -> list[str]:
        entries = self._store.registry.values()
        return [entry.name for entry in entries if (entry.dataset, entry.modality) == (dataset, modality)]


def _one_more(span: Span) -> Span:
    """One row more than is shown says whether others follow."""
    return replace(span, limit=span.limit + 1)


def _around(found: list[T], span: Span, place: Callable[[T], int]) -> tuple[list[T], dict[str, int | None]]:
    """What is shown of `_one_more`, and before and after which place there are others.

    >>> _around([3, 5, 8], Span(after=2, limit=2), int), _around([3, 5, 8], Span(before=9, limit=2), int)
    (([3, 5], {'previous': 3, 'next': 5}), ([5, 8], {'previous': 5, 'next': 8}))
    >>> _around([3, 5], Span(limit=2), int), _around([], Span(after=9), int), _around([], Span(before=0), int)
    (([3, 5], {'previous': None, 'next': None}), ([], {'previous': 10, 'next': None}), ([], {'previous': None, 'next': None}))
    """
    more = len(found) > span.limit
    if span.before is None:
        shown = found[: span.limit]
        first = place(shown[0]) if shown else span.after + 1
        around = (first if span.after >= 0 else None, place(shown[-1]) if shown and more else None)
    else:
        shown = found[len(found) - span.limit :] if more else found
        around = (place(shown[0]) if shown and more else None, place(shown[-1]) if shown else None)
    return shown, dict(zip(("previous", "next"), around, strict=True))
