"""A saved report on retrieval, query by query: those whose first hit is not right, the worst first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from emm1.dataset import MODALITIES_OF, SPLITS, Split
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.explore.items import Item, items

Kind = tuple[Split, str]
SHOWN_HITS = 5


@dataclass(frozen=True)
class Failure:
    """A query whose first hit is not right.

    Attributes:
        query: the query.
        right: its best right answer; None if it has no vector.
        best_rank: the rank of that answer if ties are broken in its favour; None likewise.
        hits: rank, item, score and grade of the first hits; the grade is None where nothing is known of the pair.
    """

    query: Item
    right: Item | None
    best_rank: int | None
    hits: list[tuple[int, Item, float, int | None]]


class Failures:
    """The failures of a saved report on retrieval; files are read when they are asked for.

    Args:
        folder: what `RetrievalReport.save` wrote.

    Raises:
        emm1.errors.FileNotFoundError: there is no such report.
        emm1.errors.EmbeddingError: it is not as this version writes it, or not about items of a store.
    """

    def __init__(self, folder: Path) -> None:
        self._hits = folder / "hits.parquet"
        try:
            sides = json.loads((folder / "retrieval.json").read_text(encoding="utf-8"))["provenance"]
            self.name = " → ".join(str(sides[side]["name"]) for side in ("queries", "gallery"))
            self._queries, self._gallery = (_kind(sides[side]["items"]) for side in ("queries", "gallery"))
            failed = pl.col("best_rank").is_null() | (pl.col("best_rank") > 1)
            self._failed = (
                pl.read_parquet(folder / "per_query.parquet", columns=["query_id", "best_rank", "cluster"])
                .filter(failed)
                .sort("best_rank", "query_id", descending=[True, False], nulls_last=True)
            )
            pl.read_parquet_schema(self._hits)
        except OSError as error:
            raise FileNotFoundError(
                f"{folder} holds no saved report on retrieval: {error.strerror or error}"
            ) from error
        except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise EmbeddingError(
                f"{folder} does not hold a report on retrieval between items of a store, as this version writes it"
            ) from error

    def __len__(self) -> int:
        """How many queries failed."""
        return len(self._failed)

    def read(self, connection: duckdb.DuckDBPyConnection, start: int, limit: int) -> list[Failure]:
        """Some of the failures, from a place on."""
        rows = self._failed[start : start + limit]
        wanted = pl.col("query_id").is_in(rows["query_id"].to_list()) & (pl.col("rank") <= SHOWN_HITS)
        hits = pl.scan_parquet(self._hits).filter(wanted).sort("query_id", "rank").collect()
        queries = items(connection, *self._queries, rows["query_id"].to_list())
        gallery = items(connection, *self._gallery, [*rows["cluster"].to_list(), *hits["id"].to_list()])
        return [
            Failure(
                queries[query],
                None if best is None else gallery[right],
                best,
                [
                    (rank, gallery[hit], score, grade)
                    for rank, hit, score, grade in hits.filter(query_id=query)
                    .select("rank", "id", "score", "grade")
                    .iter_rows()
                ],
            )
            for query, best, right in rows.iter_rows()
        ]


def _kind(named: str | None) -> Kind:
    """The split and the modality of items, as a report names them; it has no name for those of a file."""
    dataset, _, modality = (named or "").partition(" ")
    if dataset not in SPLITS or modality not in MODALITIES_OF[dataset]:
        raise ValueError(named)
    return dataset, modality
