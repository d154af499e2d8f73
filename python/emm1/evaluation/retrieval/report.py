"""The report on retrieval: one direction, from queries to a gallery, with everything that its numbers depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from emm1.evaluation.retrieval import text
from emm1.evaluation.retrieval.answers import Real
from emm1.evaluation.retrieval.comparison import RetrievalComparison, compare
from emm1.evaluation.retrieval.measures import MEDIAN
from emm1.evaluation.retrieval.protocol import Hashes
from emm1.evaluation.retrieval.ranking import best_rows
from emm1.evaluation.retrieval.slices import Slices
from emm1.evaluation.retrieval.summary import PER_QUERY, SCHEMA, Measured
from emm1.evaluation.retrieval.task import Coverage, Outcome, Task

HITS = {"query_id": pl.Int64, "rank": pl.Int64, "id": pl.Int64, "score": pl.Float32, "grade": pl.Int64}


@dataclass(frozen=True, eq=False, repr=False)
class RetrievalReport:
    """How high right answers rank among all rows of a gallery: `str(report)` is its text.

    Every measure is an expectation over a random order of rows with equal scores, with its best and worst case beside it. A right
    answer without a vector counts as not found. `Store.retrieval` and `emm1.retrieval` give it.
    """

    task: Task
    outcome: Outcome
    metrics: Sequence[str]
    evaluated_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __repr__(self) -> str:
        return (
            f"RetrievalReport({self.task.queries.name!r} → {self.task.base.name!r}: {self.coverage.queries:,} queries)"
        )

    def __str__(self) -> str:
        return "\n".join(text.lines(self, self.metrics))

    def to_frame(self) -> pl.DataFrame:
        """All measures.

        Returns:
            One row for each, with the columns

            * metric: hit@K (papers' "R@K": at least one right answer among the first K), recall@K (right answers among the first K,
              of all), precision@K, nDCG@K (the gain is the grade), MRR, mAP, R-precision, and median_rank of the first right answer.
            * value: over the queries that count; an infinite median_rank if most of them have no right answer with a vector.
            * low, high: its 95 % interval; NULL without resamples, and if there is only one cluster of queries.
            * queries: how many count; gallery: the rows that are searched; coverage: the share of the queries that count.
            * best, worst: with ties broken in favour of the right answers, and against them.
            * clusters: how many clusters of queries the interval rests on.
        """
        return self._frame

    @property
    def coverage(self) -> Coverage:
        """Which queries count, and which of their right answers can be found."""
        return self.outcome.coverage

    @property
    def clusters(self) -> int:
        """How many clusters of queries there are."""
        return int(self._frame["clusters"][0])

    @property
    def tied(self) -> int:
        """How many queries have a tie between a right answer and another row, which the order of rows could decide."""
        answers = self.outcome.answers
        return len(np.unique(answers.query[answers.rows > np.repeat(answers.ties.right, answers.ties.right)]))

    @cached_property
    def per_query(self) -> pl.DataFrame:
        """The queries that count, in the order of their ids.

        Returns:
            query_id; positives: its right answers; best_rank, worst_rank: of the first of them, as ties are broken; NULL if none
            has a vector; ap; rank: the first's on average; rr (reciprocal rank), r_precision and the measures at each k; with_vector: the right
            answers that have a vector; cluster: the id of the best right answer, by which queries are resampled together.
        """
        values, answers = self.measured.values, self.outcome.answers
        columns = {
            "query_id": self.outcome.query_ids,
            "positives": answers.positives,
            "best_rank": _known(self.measured.best[MEDIAN]),
            "worst_rank": _known(self.measured.worst[MEDIAN]),
            "ap": values["mAP"],
            "rank": _known(values[MEDIAN]),
            "rr": values["MRR"],
            "r_precision": values["R-precision"],
            **{name: each for name, each in values.items() if name not in PER_QUERY},
            "with_vector": np.bincount(answers.query, minlength=answers.queries),
            "cluster": self.outcome.cluster,
        }
        return pl.DataFrame(columns).with_columns(pl.col("best_rank", "worst_rank").cast(pl.Int64))

    @cached_property
    def hits(self) -> pl.DataFrame:
        """The best rows for each query that counts, as many as the largest k; equal scores by ascending id.

        Returns:
            query_id, rank (from 1), id, score, grade: of the pair; NULL if nothing is known of it.
        """
        task, ids = self.task, self.outcome.query_ids
        sides = task.queries.embeddings, task.base.embeddings
        names = ("query_id", "rank", "id", "score")
        batches = best_rows(*sides, ids, max(task.rules.ks), task.rules, task.among)
        found = pl.concat([pl.DataFrame(dict(zip(names, batch, strict=True))) for batch in batches])
        joined = found.join(self.outcome.pairs, on=["query_id", "id"], how="left", maintain_order="left")
        return pl.DataFrame(joined.select(*HITS), schema_overrides=HITS)

    @cached_property
    def hashes(self) -> Hashes:
        """What a report must share with this one to be compared with it."""
        return Hashes.of(self.outcome, self.task.rules)

    @cached_property
    def measured(self) -> Measured:
        """The measures of each query."""
        cluster = np.unique(self.outcome.cluster, return_inverse=True)[1]
        return Measured(self.outcome.answers, self.task.rules.ks, cluster)

    @cached_property
    def _frame(self) -> pl.DataFrame:
        rows = self.measured.rows(self.task.rules.resamples)
        frame = pl.DataFrame(rows, schema_overrides=SCHEMA)
        whole = {"gallery": len(self.outcome.gallery), "coverage": self.coverage.share}
        return frame.with_columns(**{name: pl.lit(value) for name, value in whole.items()}).select(*SCHEMA)

    def by(self, column: str) -> pl.DataFrame:
        """The columns of `to_frame` for each value of a column of the queries' info rows, which comes first; the store must be open.

        Args:
            column: a column such as source_dataset, or caption_words, the number of words of captions.

        Raises:
            EmbeddingError: the queries are of a file, or there is no such column; the message lists them.
        """
        return Slices(self, column).to_frame()

    def compare(self, baseline: RetrievalReport | str | Path, *, common: bool = False) -> RetrievalComparison:
        """Compare with another model that answered the same queries on the same gallery, with the same right answers.

        Args:
            baseline: its report, or the folder that it was saved to.
            common: run both again on the rows, queries and right answers that both have, where these differ.

        Raises:
            EmbeddingError: galleries, queries, pairs or rules differ; the message says how to go on.
        """
        return compare(self, baseline, common)

    def save(self, folder: str | Path) -> Path:
        """Write the report as files, which are replaced if they exist.

        Writes retrieval.txt, retrieval.html, retrieval.json (with the protocol and its hashes), retrieval.csv (`to_frame`),
        per_query.parquet and hits.parquet.

        Args:
            folder: the folder to write to; created if missing.

        Returns:
            The folder.

        Raises:
            emm1.errors.Error: the folder is a file, or cannot be written.
        """
        from emm1.evaluation.retrieval import files  # noqa: PLC0415 - only needed for files

        return files.save(self, Path(folder))


def _known(ranks: Real) -> pl.Series:
    """Ranks with NULL where there is none."""
    return pl.Series(np.where(np.isinf(ranks), np.nan, ranks)).fill_nan(None)
