"""Which files an evaluation read, when, and by which version of emm1."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emm1.checks import PathLike
from emm1.embeddings.file import Embeddings
from emm1.store.excluded import NOT_AVAILABLE, Excluded
from emm1.store.registered import is_file

if TYPE_CHECKING:
    from emm1.store.store import Store


@dataclass(frozen=True)
class Source:
    """A file of embeddings that an evaluation read.

    Attributes:
        path: the file or folder, absolute.
        ids: the file of ids; None if the rows are in the order of the info CSV, or are their own ids.
        rows: the number of rows.
        dims: the number of components of each.
        dtype: the type of a component in the file.
        store: the store that says what the rows are, absolute.
        name: the name that the embeddings are registered under; None for a file.
        metric: the metric that they are registered with; None for a file. Evaluations compare by cosine, whatever it is.
    """

    path: str
    ids: str | None
    rows: int
    dims: int
    dtype: str
    store: str | None = None
    name: str | None = None
    metric: str | None = None

    @classmethod
    def of_file(cls, embeddings: Embeddings) -> Source:
        """A file that no store knows."""
        return cls(
            path=os.path.abspath(embeddings.path),
            ids=None if embeddings.ids_path is None else os.path.abspath(embeddings.ids_path),
            rows=len(embeddings),
            dims=embeddings.dim,
            dtype=str(embeddings.dtype),
        )

    @classmethod
    def of(cls, store: Store, source: PathLike, embeddings: Embeddings) -> Source:
        """What was opened.

        Args:
            store: the store that says what the rows are.
            source: the registered name or the file, as it was given.
            embeddings: what it led to.
        """
        registered = None if is_file(source) else os.fspath(source)
        return replace(
            cls.of_file(embeddings),
            store=os.path.abspath(store.path),
            name=registered,
            metric=None if registered is None else store.metric(registered),
        )


@dataclass(frozen=True)
class LeftOut:
    """What was told to count as not there, and how many items of an evaluation did; false if nothing was.

    Attributes:
        flags: the flags of items that were excluded.
        available: whether items were excluded whose media file is not known to be well.
        items: how many items each flag took out, an item with two flags twice, by what the items are, such as their modality.

    >>> print(LeftOut(("leak",), False, {"queries": {"leak": 3}, "gallery": {"leak": 1200}}))
    leak (3 of queries, 1,200 of gallery)
    """

    flags: tuple[str, ...] = ()
    available: bool = False
    items: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, excluded: Excluded, items: Mapping[str, tuple[str, str, NDArray[np.int64]]]) -> LeftOut:
        """What was excluded of some items: dataset, modality and ids, by what they are."""
        counts = {what: excluded.count(*each) for what, each in items.items()} if excluded else {}
        return cls(excluded.flags, excluded.available, counts)

    def __bool__(self) -> bool:
        return bool(self.flags) or self.available

    def __str__(self) -> str:
        reasons = [*self.flags, *([NOT_AVAILABLE] if self.available else [])]
        counts = {
            reason: ", ".join(f"{found[reason]:,} of {what}" for what, found in self.items.items())
            for reason in reasons
        }
        return ", ".join(f"{reason} ({count})" for reason, count in counts.items())

    def and_of(self, other: LeftOut) -> LeftOut:
        """This, with the items of another evaluation's part."""
        return replace(self, items={**self.items, **other.items})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: nothing if nothing was excluded."""
        return {"excluded": {**asdict(self), "flags": [*self.flags]}} if self else {}


@dataclass(frozen=True)
class Provenance:
    """What was compared, when and by what.

    Attributes:
        evaluated_at: the time, UTC.
        emm1: the version of emm1.
        sources: the embeddings by what they are, such as their modality; None for those that were not read from a file.
        excluded: what counted as not there.
    """

    evaluated_at: datetime
    emm1: str
    sources: Mapping[str, Source | None]
    excluded: LeftOut = field(default_factory=LeftOut)

    @classmethod
    def now(cls, **sources: Source | None) -> Provenance:
        """An evaluation at this moment.

        >>> Provenance.now(audio=None, points=None).evaluated_at.tzinfo
        datetime.timezone.utc
        """
        return cls(datetime.now(UTC).replace(microsecond=0), version("emm1"), sources)

    @property
    def audio(self) -> Source | None:
        """The audio embeddings; None if there are none, or they were not read from a file."""
        return self.sources.get("audio")

    @property
    def points(self) -> Source | None:
        """The embeddings of the point clouds, likewise."""
        return self.sources.get("points")

    @property
    def store(self) -> str | None:
        """The store that says what the rows of the embeddings are."""
        return next((source.store for source in self.sources.values() if source), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the sources beside the time and the version.

        >>> [*Provenance.now(audio=None, points=None).to_dict()]
        ['evaluated_at', 'emm1', 'audio', 'points']
        """
        sources = {name: source and asdict(source) for name, source in self.sources.items()}
        return {
            "evaluated_at": self.evaluated_at.isoformat(),
            "emm1": self.emm1,
            **sources,
            **self.excluded.to_dict(),
        }
