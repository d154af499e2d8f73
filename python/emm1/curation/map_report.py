"""What a map shows, and what one should know of it."""

from __future__ import annotations

from dataclasses import dataclass

from emm1.embeddings.file import Metric


@dataclass(frozen=True)
class MapReport:
    """A map that was made; `str()` says it in words.

    Attributes:
        name: the embeddings.
        rows: points of the map.
        of: vectors of the embeddings.
        zero_rows: vectors that were left out because they have no direction, by which cosines go.
        n_neighbors: neighbours that each point is near to, itself among them; fewer than asked for if there are fewer rows, and 0
            if there are so few that no layout is needed.
        asked_neighbors: how many were asked for.
        min_dist: how near points may be.
        metric: the distance: ``cosine`` or ``l2``.
        registered_metric: the metric of the embeddings.
        seed: the seed.
        replaced: points of the map that this one replaced.
    """

    name: str
    rows: int
    of: int
    zero_rows: int
    n_neighbors: int
    asked_neighbors: int
    min_dist: float
    metric: Metric
    registered_metric: Metric
    seed: int
    replaced: int

    def __str__(self) -> str:
        """For people."""
        return "\n".join([self.summary, *self.notes])

    @property
    def summary(self) -> str:
        """What was made."""
        points = f"map of {self.name}: {self.rows:,} points"
        if not self.n_neighbors:
            return f"{points}, by {self.metric}, on principal axes"
        return f"{points}, {self.n_neighbors} neighbours by {self.metric}, min_dist {self.min_dist:g}, seed {self.seed}"

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        notes = []
        if self.n_neighbors:
            notes.append(
                "on another machine the same arguments give a map with other bits: UMAP's arithmetic is compiled for the processor"
            )
        if self.rows < self.of - self.zero_rows:
            notes.append(
                f"a sample: {self.rows:,} of {self.of:,} vectors, chosen by a hash of their ids and the seed; neighbours are those "
                "within the sample"
            )
        if self.zero_rows:
            notes.append(
                f"left out: {self.zero_rows:,} zero vectors, which are in no direction, so no cosine says what is near"
            )
        if self.metric != self.registered_metric:
            notes.append(
                f"neighbours go by {self.metric}, although searches go by {self.registered_metric}"
                + (": a dot product is no distance" if self.registered_metric == "dot" else "")
            )
        if 0 < self.n_neighbors < self.asked_neighbors:
            notes.append(
                f"n_neighbors is {self.n_neighbors}, not {self.asked_neighbors}, because there are only {self.rows} points"
            )
        if self.replaced:
            notes.append(f"the map of before was replaced: {self.replaced:,} points")
        return notes
