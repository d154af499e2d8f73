"""Saved reports on retrieval, query by query: where a model fails, and where it is right and another one wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
import polars as pl

from emm1.dataset import MODALITIES_OF, SPLITS, Split
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.evaluation.retrieval.protocol import Hashes
from emm1.explore.items import Item, items
from emm1.explore.reports.kind import Kind
from emm1.store.registered import Registered

ItemKind = tuple[Split, str]
Hit = tuple[int, Item, float, int | None]
SHOWN_HITS = 5
FILE, QUERIES, HITS = "retrieval.json", "per_query.parquet", "hits.parquet"


@dataclass(frozen=True)
class Answer:
    """What one model answered to a query.

    Attributes:
        right: the best right answer; None if it has no vector.
        best_rank: the rank of that answer if ties are broken in its favour; None likewise.
        hits: rank, item, score and grade of the first hits; the grade is None where nothing is known of the pair.
    """

    right: Item | None
    best_rank: int | None
    hits: list[Hit]


@dataclass(frozen=True)
class Failure:
    """A query with what each model answered: first the one that is looked at, then the one that it is compared with."""

    query: Item
    answers: list[Answer]


@dataclass(frozen=True)
class Saved:
    """A saved report on retrieval between items of a store.

    Attributes:
        folder: where it is.
        name: the embeddings of queries and gallery.
        kinds: what the queries and the rows of the gallery are.
        embeddings: the names and the rows of their embeddings.
        hashes: what another report must share to be compared with it.
        ranks: query_id, best_rank, cluster: the id of the best right answer.
    """

    folder: Path
    name: str
    kinds: tuple[ItemKind, ItemKind]
    embeddings: list[tuple[str, int]]
    hashes: Hashes
    ranks: pl.DataFrame

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `RetrievalReport.save` wrote; hits are read when they are asked for.

        Raises:
            emm1.errors.FileNotFoundError: a file of it is missing.
            emm1.errors.EmbeddingError: it is not as this version writes it, or not about items of a store.
        """
        try:
            parts = json.loads((folder / FILE).read_text(encoding="utf-8"))
            sides = [parts["provenance"][side] for side in ("queries", "gallery")]
            queries, gallery = (_kind(side["items"]) for side in sides)
            pl.read_parquet_schema(folder / HITS)
            return cls(
                folder,
                " → ".join(str(side["name"]) for side in sides),
                (queries, gallery),
                [(str(side["name"]), int(side["rows"])) for side in sides],
                Hashes(**parts["sha256"]),
                pl.read_parquet(folder / QUERIES, columns=["query_id", "best_rank", "cluster"]),
            )
        except OSError as error:
            raise FileNotFoundError(
                f"{folder} holds no saved report on retrieval: {error.strerror or error}"
            ) from error
        except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise EmbeddingError(
                f"{folder} does not hold a report on retrieval between items of a store, as this version writes it"
            ) from error

    def answers(self, connection: duckdb.DuckDBPyConnection, ids: Sequence[int]) -> list[Answer]:
        """What the model answered to some queries, in their order."""
        ranks = {query: (best, right) for query, best, right in self.ranks.filter(_among(ids)).iter_rows()}
        wanted = _among(ids) & (pl.col("rank") <= SHOWN_HITS)
        hits = pl.scan_parquet(self.folder / HITS).filter(wanted).sort("query_id", "rank").collect()
        rights = [right for best, right in ranks.values() if best is not None]
        known = items(connection, *self.kinds[1], [*rights, *hits["id"].to_list()])
        found: dict[int, list[Hit]] = {query: [] for query in ids}
        for query, rank, hit, score, grade in hits.select("query_id", "rank", "id", "score", "grade").iter_rows():
            found[query].append((rank, known[hit], score, grade))
        rows = ((query, *ranks[query]) for query in ids)
        return [Answer(None if best is None else known[right], best, found[query]) for query, best, right in rows]


class Failures:
    """The failures of a model by its saved report, and how it differs from another one by theirs.

    Args:
        registry: the embeddings of the store.
        model: the folder of the report that is looked at.
        baseline: the folder of the report that it is compared with, or None.

    Raises:
        emm1.errors.FileNotFoundError: there is no such report.
        emm1.errors.EmbeddingError: one is not as this version writes it, or not about embeddings of this store, or the two do not
            have the same queries, gallery, right answers and rules.
    """

    def __init__(self, registry: Mapping[str, Registered], model: Path, baseline: Path | None = None) -> None:
        self._sides = [Saved.read(folder) for folder in (model, baseline) if folder is not None]
        for side in self._sides:
            _check_store(side, registry)
        self.names = [side.name for side in self._sides]
        self.folders = [side.folder for side in self._sides]
        _check(self._sides)
        ranks = self._sides[0].ranks.select("query_id", "best_rank")
        right = {"model": pl.col("best_rank") == 1}
        if baseline is not None:
            ranks = ranks.join(self._sides[1].ranks.select("query_id", baseline_rank="best_rank"), on="query_id")
            right["baseline"] = pl.col("baseline_rank") == 1
        model_right, *others = (each.fill_null(value=False) for each in right.values())
        wanted = {Kind.failures: ~model_right}
        for baseline_right in others:
            wanted |= {Kind.gained: model_right & ~baseline_right, Kind.lost: ~model_right & baseline_right}
        # The worst rank first, of the model that is wrong; queries whose right answer has no vector come last.
        by = {kind: "baseline_rank" if kind is Kind.gained else "best_rank" for kind in wanted}
        self._ids = {
            kind: ranks.filter(condition)
            .sort(by[kind], "query_id", descending=[True, False], nulls_last=True)["query_id"]
            .to_list()
            for kind, condition in wanted.items()
        }

    @property
    def counts(self) -> dict[str, int]:
        """How many queries there are of each kind."""
        return {kind.value: len(ids) for kind, ids in self._ids.items()}

    def read(self, connection: duckdb.DuckDBPyConnection, kind: Kind, start: int, limit: int) -> list[Failure]:
        """Some of the queries of a kind, from a place on: the worst first.

        Raises:
            emm1.errors.EmbeddingError: the kind compares with another report, and there is none.
        """
        if kind not in self._ids:
            raise EmbeddingError(f"queries are {kind.value} in comparison with another report: name two")
        ids = self._ids[kind][start : start + limit]
        queries = items(connection, *self._sides[0].kinds[0], ids)
        answers = [side.answers(connection, ids) for side in self._sides]
        return [
            Failure(queries[query], list(each)) for query, each in zip(ids, zip(*answers, strict=True), strict=True)
        ]


def _check_store(side: Saved, registry: Mapping[str, Registered]) -> None:
    """Refuse a report of another store, whose ids are those of other items."""
    for (name, rows), kind in zip(side.embeddings, side.kinds, strict=True):
        about = f"{side.folder} is a report on {name!r}, {rows:,} rows of {' '.join(kind)} items"
        entry = registry.get(name)
        if entry is None:
            raise EmbeddingError(f"{about}, which this store has not registered: open the store that it was made with")
        if (entry.dataset, entry.modality) != kind or len(entry.open()) != rows:
            raise EmbeddingError(
                f"{about}, and {name!r} of this store are others: open the store that it was made with"
            )


def _check(sides: Sequence[Saved]) -> None:
    """Refuse two reports that do not answer the same queries on the same gallery."""
    first, *others = sides
    for other in others:
        differing = first.hashes.differing(other.hashes)
        if first.kinds != other.kinds or differing:
            raise EmbeddingError(
                f"the reports in {first.folder} and {other.folder} cannot be compared: they differ in "
                f"{', '.join(differing) or 'the items that they are about'}"
            )


def _among(ids: Sequence[int]) -> pl.Expr:
    return pl.col("query_id").is_in(list(ids))


def _kind(named: str | None) -> ItemKind:
    """The split and the modality of items, as a report names them; it has no name for those of a file."""
    dataset, _, modality = (named or "").partition(" ")
    if dataset not in SPLITS or modality not in MODALITIES_OF[dataset]:
        raise ValueError(named)
    return dataset, modality
