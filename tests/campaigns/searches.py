"""Random searches of random files, each answer compared to the last bit with the reference in NumPy.

A target of `fuzz.py`: a case depends only on its dice, and is described by the lines that are kept when it fails.
"""

from __future__ import annotations

import random
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import reference
from formats import WRITERS
from kinds import KINDS, as_stored, components
from numpy.typing import NDArray

import emm1
from emm1.embeddings.file import METRICS, Metric
from emm1.errors import EmbeddingsWarning

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

DIMS = (1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 100, 127, 128, 129, 200, 255, 256, 257, 300, 384, 512, 768)
WIDE = (1000, 1023, 1024, 1025, 1536, 2047, 2048, 2049, 4095, 4096, 4097)
SKETCHED = ((8192, 9001, 16_384, 20_011), (48, 64, 65, 128, 192, 256))
"""Rows and dims of files whose codes begin with a sketch, if the kind of vectors allows it."""
ROWS = (1, 2, 3, 15, 40, 63, 64, 65, 95, 96, 97, 161, 300, 1000, 3000)
# One query, a few that run one by one, and full and partial panels of 8, 16 and 32; from 24 on also without codes.
BATCHES = (1, 1, 1, 2, 5, 6, 7, 8, 9, 16, 17, 23, 24, 25, 31, 32, 33, 40, 65, 100)
CODES = ("none", "none", "beside", "beside", "beside", "elsewhere", "elsewhere", "old")
NOWHERE = (-77, 2**32 + 5, 2**63 - 1, -(2**63))
"""Ids that no file has."""


@dataclass(frozen=True)
class Plan:
    """The description of a case, which is kept when it fails."""

    seed: int
    writer: int
    kind: str
    query_kind: str
    rows: int
    dims: int
    queries: int
    codes: str
    spoilt: bool
    ids: bool
    metric: Metric
    threads: int

    @classmethod
    def drawn(cls, dice: random.Random) -> Plan:
        """A random plan, with more queries if there are few components."""
        dims = dice.choice(WIDE) if dice.random() < 0.15 else dice.choice((*DIMS, dice.randint(1, 700)))
        rows = dice.choice(ROWS)
        large = dice.random() < 0.01  # enough work for several threads
        most = 5_000_000 if large else 600_000
        rows = max(1, most // dims) if large else min(rows, max(1, most // dims))
        kind, codes = dice.choice(list(KINDS)), dice.choice(CODES)
        if dice.random() < 0.04:
            rows, dims, most = dice.choice(SKETCHED[0]), dice.choice(SKETCHED[1]), 20_000_000
            kind, codes = dice.choice(("clustered", "falling")), "beside"
        queries = min(dice.choice(BATCHES), max(1, 4 * most // (rows * dims)))
        spoilt = dice.random() < 0.03
        return cls(
            seed=dice.getrandbits(32),
            writer=dice.randrange(len(WRITERS)),
            kind=kind,
            query_kind=dice.choice((kind, kind, *KINDS)),
            rows=rows,
            dims=dims,
            queries=queries,
            codes="none" if spoilt else codes,
            spoilt=spoilt,
            ids=dice.random() < 0.6,
            metric=dice.choice(METRICS),
            threads=dice.choice((1, 2, 3, 8)),
        )

    def __str__(self) -> str:
        return "\n".join(f"{field.name} = {getattr(self, field.name)}" for field in fields(self)) + "\n"


class Trial:
    """A file, queries, and their scores from NumPy."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.dice = random.Random(plan.seed)
        self.chance = np.random.default_rng(plan.seed)
        write, self.dtype = WRITERS[plan.writer]
        stored = as_stored(components(plan.kind, plan.rows, plan.dims, self.chance), self.dtype)
        self.spoilt = self.chance.integers(0, plan.rows) if plan.spoilt and "float" in self.dtype else None
        if self.spoilt is not None:
            stored[self.spoilt, self.chance.integers(0, plan.dims)] = self.chance.choice([np.nan, np.inf, -np.inf])
        self.x: Floats = stored.astype(np.float32)
        self.path = folder / write(folder, stored)
        self.ids: Ids = np.arange(plan.rows)
        if plan.ids:
            self.ids = self.chance.permutation(3 * plan.rows)[: plan.rows] * self.dice.choice((1, 1, 10**15)) - 9
        self.given = self._queries()
        self.q: Floats = self.given.astype(np.float32)
        self.e = self._opened()
        self.argument = self._argument()
        self.metric = plan.metric
        self.found = np.stack([reference.scores(plan.metric, query, self.x) for query in self.q])

    def _queries(self) -> NDArray[Any]:
        """Queries of another kind, queries that are rows, differ from rows in the last bit, or point the other way.

        Sometimes they are float64 with more digits than float32 has, which are rounded once.
        """
        plan = self.plan
        q = as_stored(components(plan.query_kind, plan.queries, plan.dims, self.chance), "float32")
        for number in range(plan.queries):
            row = self.x[self.dice.randrange(plan.rows)]
            match self.dice.randrange(5):
                case 0:
                    q[number] = row
                case 1:
                    q[number] = np.nextafter(row, np.float32(0))
                case 2:
                    q[number] = -row
        q = np.nan_to_num(q, nan=1.0, posinf=2.0, neginf=-2.0)  # a row that is not finite cannot be a query
        if self.dice.random() < 0.3:
            q = q.astype(np.float64) * (1 - 3e-8 * self.chance.random(q.shape))
        result: NDArray[Any] = q
        return result

    def _opened(self) -> emm1.Embeddings:
        plan, ids = self.plan, self.folder / "given.npy"
        np.save(ids, self.ids)
        self.ids_path = ids if plan.ids else None
        given: Any = self.ids_path if self.dice.random() < 0.5 or not plan.ids else self.ids
        default = Path(f"{self.path}.codes")
        place = self.folder / "elsewhere.codes" if plan.codes == "elsewhere" else default
        without = emm1.Embeddings(self.path, given, codes=False)
        if plan.codes == "none" or without.why_no_codes is not None:  # for example on a tmpfs
            self.codes = None
            return without
        without.build_codes(place, threads=plan.threads)
        if plan.codes == "old":  # the codes of another file with the same shape
            other = self.folder / "other.npy"
            np.save(other, self.x[::-1] + np.float32(1))
            shutil.copy(emm1.Embeddings(other).build_codes(), default)
        self.codes = place
        return emm1.Embeddings(self.path, given, codes=place)

    def _argument(self) -> str:
        """The file as an argument in SQL."""
        ids = f"?ids={self.ids_path}" if self.ids_path else ""
        return f"{self.path}{ids}?codes={self.codes or ''}"

    def check(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Check all searches."""
        if self.spoilt is not None:
            self.check_spoilt(int(self.spoilt))
            return
        beyond = np.isinf(self.found).any(axis=1)
        if beyond.any():
            self.check_beyond(int(np.flatnonzero(beyond)[0]))
        numbers = np.flatnonzero(~beyond)
        if not len(numbers):
            return
        self.given, self.q, self.found = self.given[numbers], self.q[numbers], self.found[numbers]
        self.check_search()
        self.check_within()
        self.check_scores()
        self.check_pairs_and_knn()
        if self.dice.random() < 0.4:
            self.check_sql(connection)

    def check_beyond(self, number: int) -> None:
        """A query with scores beyond FLOAT: an error names such a row if, and only if, one is among the best."""
        found, k = self.found[number], self.dice.choice((1, 5, self.plan.rows))
        best = self.best(found, k, np.ones(self.plan.rows, bool))
        with expected_of("row", np.flatnonzero(np.isinf(found)).tolist()) as refused:
            hits = self.e.search(self.given[number], k, self.metric, threads=self.plan.threads)
            same(hits.ids, self.ids[best], f"ids next to infinities, k = {k}")
            same(hits.scores, found[best], f"scores next to infinities, k = {k}")
        assert bool(refused) == bool(np.isinf(found[best]).any()), (
            "an infinity was returned, or there was an error without one"
        )

    def check_spoilt(self, row: int) -> None:
        """Every call that reads a row with NaN or an infinity names it, and no other call fails."""
        calls: list[Callable[[], object]] = [
            lambda: self.e.search(self.given, 3, self.metric, threads=self.plan.threads),
            lambda: self.e.score(self.ids[[row]], self.q[0], self.metric),
            lambda: self.e.centroid(self.ids),
            self.e.build_codes,
        ]
        if self.e.why_no_codes is not None:
            calls.pop()
        for call in calls:
            with expected_of("row", [row]) as refused:
                call()
            assert refused, "no error for a row that is not finite"
        others = np.arange(self.plan.rows) != row
        best = self.best(self.found[0], 3, others)
        if np.isfinite(self.found[0][others]).all():
            same(
                self.e.search(self.given[0], 3, self.metric, self.ids[others]).ids, self.ids[best], "ids of the others"
            )

    def k(self, found: Floats) -> int:
        """A random k, often one at which several rows are tied."""
        ordered = np.sort(found if self.metric == "l2" else -found)
        ties = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
        if len(ties) and self.dice.random() < 0.6:
            return int(self.dice.choice(ties[:500].tolist()))
        return self.dice.choice((1, 1, 2, 10, 10, 100, max(1, self.plan.rows // 5), self.plan.rows, self.plan.rows + 5))

    def among(self) -> tuple[Ids | None, NDArray[np.bool_]]:
        """Ids to look among, some of which repeat or do not exist, and the rows that have them."""
        if self.dice.random() < 0.5:
            return None, np.ones(self.plan.rows, bool)
        chosen = self.chance.random(self.plan.rows) < self.dice.choice((0.0, 0.01, 0.3, 0.9))
        listed = self.chance.permutation(np.concatenate([self.ids[chosen], self.ids[chosen][:3], NOWHERE]))
        return listed, chosen

    def best(self, found: Floats, k: int, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Positions of the k best among the chosen rows."""
        best = reference.order(self.metric, found, self.ids)
        return best[chosen[best]][:k]

    def check_search(self) -> None:
        """The k best of all queries at once, and of a single one."""
        for queries in (slice(None), self.dice.randrange(len(self.q))):
            k = self.k(self.found[0])
            among, chosen = self.among()
            hits = self.e.search(self.given[queries], k, self.metric, among, self.plan.threads)
            found = np.atleast_2d(self.found[queries])
            for number, (ids, scores) in enumerate(zip(*map(np.atleast_2d, hits), strict=True)):
                best = self.best(found[number], k, chosen)
                same(ids, self.ids[best], f"ids of query {number} of {len(found)}, k = {k}")
                same(scores, found[number][best], f"scores of query {number} of {len(found)}, k = {k}")

    def thresholds(self, found: Floats) -> Iterator[float]:
        """The score of a row, its neighbours in float32 and float64, and extreme values."""
        own = found[self.dice.randrange(len(found))]
        for value in (own, np.float64(own)):
            yield float(value)
            yield float(np.nextafter(value, type(value)(np.inf)))
            yield float(np.nextafter(value, type(value)(-np.inf)))
        yield from (0.0, -0.0, np.inf, -np.inf, 1e300, -1e300)

    def check_within(self) -> None:
        """Some thresholds for one query."""
        number = self.dice.randrange(len(self.q))
        found = self.found[number]
        for threshold in self.dice.sample(list(self.thresholds(found)), 4):
            among, chosen = self.among()
            best = self.best(found, len(found), chosen & reference.within(self.metric, found, threshold))
            hits = self.e.within(self.q[number], threshold, self.metric, among, self.plan.threads)
            same(hits.ids, self.ids[best], f"ids within {threshold!r}")
            same(hits.scores, found[best], f"scores within {threshold!r}")

    def some(self, most: int = 40) -> NDArray[np.intp]:
        """Random rows, perhaps with repeats."""
        return self.chance.integers(0, self.plan.rows, self.dice.randint(1, most))

    def check_scores(self) -> None:
        """Scores, vectors and centroids of ids."""
        rows, number = self.some(), self.dice.randrange(len(self.q))
        same(self.e.score(self.ids[rows], self.q[number], self.metric), self.found[number][rows], "score")
        same(self.e.vectors(self.ids[rows]), self.x[rows], "vectors")
        same(self.e.centroid(self.ids[rows]), reference.centroid(self.x[np.sort(rows)]), "centroid")

    def check_pairs_and_knn(self) -> None:
        """The queries as a second file."""
        np.save(self.folder / "queries.npy", self.q)
        queries = emm1.Embeddings(self.folder / "queries.npy", codes=False)
        rows, k = self.some(), self.k(self.found[0])
        numbers = self.chance.integers(0, len(self.q), len(rows))
        pairs = emm1.score_pairs(queries, numbers, self.e, self.ids[rows], self.metric, self.plan.threads)
        same(pairs, self.found[numbers, rows], "score_pairs")
        (part,) = emm1.knn(queries, self.e, k, metric=self.metric, threads=self.plan.threads)
        everything = np.ones(self.plan.rows, bool)
        for number, (ids, scores) in enumerate(zip(part.ids, part.scores, strict=True)):
            best = self.best(self.found[number], k, everything)
            same(ids, self.ids[best], f"ids of knn, query {number}, k = {k}")
            same(scores, self.found[number][best], f"scores of knn, query {number}, k = {k}")

    def check_sql(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The functions of the extension on the same file."""

        def ask(sql: str, **arguments: object) -> Any:
            known = {"file": self.argument, "metric": self.metric, **arguments}
            used = {name: value for name, value in known.items() if f"${name}" in sql}
            return connection.execute(f"SELECT {sql}", used).fetchone()[0]  # type: ignore[index]

        number, k = self.dice.randrange(len(self.q)), self.k(self.found[0])
        query, found = self.q[number].tolist(), self.found[number]
        among, chosen = self.among()
        name, listed = ("emm1_topk", "") if among is None else ("emm1_topk_among", "$ids::BIGINT[], ")
        ids = [] if among is None else among.tolist()
        hits = ask(f"{name}($file, $query::FLOAT[], {listed}$k, $metric)", query=query, ids=ids, k=k)
        self._same_hits(hits, found, self.best(found, k, chosen), "emm1_topk")
        threshold = self.dice.choice([value for value in self.thresholds(found) if np.isfinite(value)])
        best = self.best(found, len(found), reference.within(self.metric, found, threshold))
        hits = ask("emm1_within($file, $query::FLOAT[], $threshold::DOUBLE, $metric)", query=query, threshold=threshold)
        self._same_hits(hits, found, best, f"emm1_within {threshold!r}")
        rows = self.some(9)
        one, other = (int(self.ids[row]) for row in (rows[0], rows[-1]))
        score = ask("emm1_score($file, $id, $query::FLOAT[], $metric)", id=one, query=query)
        same([score], found[rows[:1]], "emm1_score")
        alike = reference.scores(self.metric, self.x[rows[0]], self.x[rows[-1:]])
        if np.isfinite(alike).all():
            same([ask("emm1_similarity($file, $a, $file, $b, $metric)", a=one, b=other)], alike, "emm1_similarity")
        same(ask("emm1_vector($file, $id)", id=one), self.x[rows[0]], "emm1_vector")
        listed_rows = self.ids[rows].tolist()
        mean = ask("(SELECT emm1_centroid($file, id) FROM unnest($ids::BIGINT[]) r(id))", ids=listed_rows)
        same(mean, reference.centroid(self.x[np.sort(rows)]), "emm1_centroid")

    def _same_hits(self, hits: list[dict[str, Any]], found: Floats, best: NDArray[np.intp], what: str) -> None:
        same([hit["id"] for hit in hits], self.ids[best], f"ids of {what}")
        same([hit["score"] for hit in hits], found[best], f"scores of {what}")


class expected_of:  # noqa: N801 - reads as a sentence
    """A block that may fail with an emm1 error that names one of some rows; true if it did."""

    def __init__(self, what: str, numbers: list[int]) -> None:
        self.what, self.numbers, self.raised = what, numbers, False

    def __enter__(self) -> expected_of:  # noqa: PYI034
        return self

    def __bool__(self) -> bool:
        return self.raised

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if not isinstance(error, emm1.Error):
            return False
        named = re.search(rf"{self.what} (\d+)", str(error))
        assert named, f"names no {self.what}: {error}"
        assert int(named[1]) in self.numbers, f"names the wrong {self.what}: {error}"
        self.raised = True
        return True


def same(found: Any, expected: NDArray[Any], what: str) -> None:
    """Check that two arrays are identical; −0.0 equals 0.0."""
    array = np.asarray(found, expected.dtype).reshape(-1 if expected.ndim == 1 else expected.shape)
    assert array.shape == expected.shape, f"{what}: {array.shape}, expected {expected.shape}"
    wrong = np.flatnonzero((array != expected).ravel())
    if len(wrong):
        at = wrong[0]
        raise AssertionError(f"{what}: at {at} {array.ravel()[at]!r}, expected {expected.ravel()[at]!r}")


class Searches:
    """The target: each case has its own folder, which is then removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = duckdb.connect(config={"allow_unsigned_extensions": True, "threads": 2})
        emm1.load_extension(self.connection)

    def search(self, dice: random.Random) -> tuple[bytes, Callable[[], object]]:
        """A random case."""
        plan = Plan.drawn(dice)

        def run() -> None:
            folder = self.folder / "case"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore", category=EmbeddingsWarning):
                Trial(plan, folder).check(self.connection)

        return str(plan).encode(), run
