"""Which files an evaluation read, when, and by which version of emm1."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any


@dataclass(frozen=True)
class Source:
    """The embeddings that samples come from.

    Attributes:
        path: the file or folder, absolute.
        ids: the file of ids; None if the rows are in the order of the info CSV, or are their own ids.
        rows: the number of rows.
        dims: the number of components of each.
        dtype: the type of a component in the file.
        store: the store that lists the samples, absolute.
        name: the name that the embeddings are registered under; None for a file.
        metric: the metric that they are registered with; None for a file. EShot always compares by cosine.
    """

    path: str
    ids: str | None
    rows: int
    dims: int
    dtype: str
    store: str | None = None
    name: str | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Provenance:
    """What was compared, when and by what.

    Attributes:
        evaluated_at: the time, UTC.
        emm1: the version of emm1.
        audio: the audio embeddings; None if they were not read from a file.
        points: the embeddings of the point clouds, likewise.
    """

    evaluated_at: datetime
    emm1: str
    audio: Source | None
    points: Source | None

    @classmethod
    def now(cls, *, audio: Source | None, points: Source | None) -> Provenance:
        """An evaluation at this moment.

        >>> Provenance.now(audio=None, points=None).evaluated_at.tzinfo
        datetime.timezone.utc
        """
        return cls(datetime.now(UTC).replace(microsecond=0), version("emm1"), audio, points)

    @property
    def store(self) -> str | None:
        """The store that lists the samples."""
        return next((source.store for source in (self.audio, self.points) if source), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON.

        >>> Provenance.now(audio=None, points=None).to_dict()["audio"] is None
        True
        """
        return asdict(self) | {"evaluated_at": self.evaluated_at.isoformat()}
