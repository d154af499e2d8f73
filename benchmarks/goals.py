"""The goals that a run of search is held against, and the table that says which of them were missed."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.markdown import table, times
from benchmarks.record import Row

OURS, BEFORE = "emm1", "emm1 before"
RIVALS = (
    "NumPy", "FAISS Flat", "FAISS FlatPanorama", "usearch exact", "LanceDB flat", "DuckDB arrays",
)  # fmt: skip
PANORAMA = RIVALS[2:3]
ONE, HUNDRED, BATCH = "1 query", "k = 100", "512 queries"
HELD_OUT, CROSS = "held out", "cross-modal"
SIZES = {"clustered": 400_000, "isotropic": 400_000}
REAL_SIZE = 40_000
"""The goals are for files of so many vectors and more."""
SAME = 0.95
"""No slower, up to the noise of a measurement."""


@dataclass(frozen=True)
class Goal:
    """How many times as fast as the fastest of some contenders emm1 should be.

    Attributes:
        vectors: the kind of vectors.
        threads: how many threads search.
        measure: the name of the number.
        least: how many times as fast.
        against: the contenders.
        queries: which queries.
    """

    vectors: str
    threads: int
    measure: str
    least: float
    against: tuple[str, ...]
    queries: str = HELD_OUT

    def concerns(self, row: Row) -> bool:
        """Whether a row is of a file that the goal is for."""
        of = row.conditions
        large = int(of["rows"]) >= SIZES.get(self.vectors, REAL_SIZE)
        return row.task == "search" and of["vectors"] == self.vectors and of["dtype"] == "float32" and large

    def row(self, rows: list[Row]) -> dict[str, str]:
        """What was wanted and what was measured."""
        asked = {"threads": self.threads, "queries": self.queries}
        found = {
            row.contender: row.seconds(self.measure)
            for row in rows
            if self.concerns(row)
            and {"queries": HELD_OUT, **row.conditions}.items() >= asked.items()
            and self.measure in row.measured
        }
        others = {name: found[name] for name in self.against if name in found}
        against = self.against[0] if len(self.against) == 1 else "the best exact rival"
        cells = {
            "vectors": f"{self.vectors}, {self.queries} queries" if self.queries == CROSS else self.vectors,
            "threads": str(self.threads),
            "task": self.measure,
            "against": against,
            "goal": times(self.least, 3),
        }
        if OURS not in found or not others:
            return {**cells, "measured": "", "": "not measured"}
        best = min(others, key=lambda name: others[name])
        ratio = others[best] / found[OURS]
        if best != against:
            cells["against"] += f", {best}"
        return {**cells, "measured": times(ratio, 3), "": "reached" if ratio >= self.least else "**missed**"}


def goals() -> list[Goal]:
    """All goals."""
    found = [Goal("clustered", 2, ONE, 20, RIVALS), Goal("clustered", 1, ONE, 15, RIVALS)]
    found += [Goal("clustered", threads, HUNDRED, 15, RIVALS) for threads in (2, 1)]
    for kind in ("minilm", "glove", "wordllama"):
        for threads in (2, 1):
            found += [Goal(kind, threads, ONE, 2, (BEFORE,)), Goal(kind, threads, ONE, 4, PANORAMA)]
    found += [Goal("lsa", threads, ONE, 1.2, (BEFORE,)) for threads in (2, 1)]
    found += [Goal("isotropic", threads, ONE, 1.3, (BEFORE,)) for threads in (2, 1)]
    found += [Goal(kind, threads, ONE, 1.3, (BEFORE,), CROSS) for kind in ("clustered", "minilm") for threads in (2, 1)]
    found += [Goal("clustered", 2, BATCH, 10, RIVALS), Goal("clustered", 2, BATCH, 2, (BEFORE,))]
    found += [Goal("isotropic", 2, BATCH, SAME, (BEFORE,))]
    return found


def reached(rows: list[Row]) -> str:
    """The table of the goals for files of which there are rows."""
    return table([goal.row(rows) for goal in goals() if any(goal.concerns(row) for row in rows)], texts=4)
