"""Which items of the pairs to keep: pairs decide, never chains.

Items are taken in order of preference, and an item is dropped only if one that is kept is its partner. So everything dropped is
like something kept, and nothing is dropped because it is like something that is dropped (which a chain of near duplicates
would do to strangers).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from emm1.curation.duplicates.asked import Asked
from emm1.curation.universe import sql
from emm1.store.registered import item_ids

# Pairs that are taken from the database at a time.
BATCH = 1 << 14
SCHEMA = {
    "dataset": pl.String,
    "modality": pl.String,
    "id": pl.Int64,
    "kept_dataset": pl.String,
    "kept_id": pl.Int64,
    "score": pl.Float32,
}


def dropped(connection: duckdb.DuckDBPyConnection, asked: Asked, parts: Sequence[Path]) -> pl.DataFrame:
    """The items that are dropped, each with the kept item that comes first among its partners.

    Args:
        connection: the connection that sorts the pairs.
        asked: what was asked for.
        parts: the files of the pairs, at least one.

    Returns:
        dataset, modality, id, kept_dataset, kept_id and score, in the order of the kept items.
    """
    gone: set[int] = set()
    ids, kept, scores = array("q"), array("q"), array("f")
    if asked.comparable and parts:
        asking = {"parts": [str(part) for part in parts], "preferred": asked.preferred}
        pairs = connection.execute(sql("duplicates/by_preference"), asking)
        # The pairs come in the order of their preferred items: once one is reached, all that could drop it has been seen.
        one_kind = asked.preferred == "smaller id"
        while rows := pairs.fetchmany(BATCH):
            for first, second, score in rows:
                if second not in gone and not (one_kind and first in gone):
                    gone.add(second)
                    ids.append(second)
                    kept.append(first)
                    scores.append(score)
    preferred, rest = (asked.other, asked.one) if asked.preferred == "b" else (asked.one, asked.other)
    return pl.DataFrame(
        {
            "id": np.frombuffer(ids, np.int64) if ids else np.empty(0, np.int64),
            "kept_id": np.frombuffer(kept, np.int64) if kept else np.empty(0, np.int64),
            "score": np.frombuffer(scores, np.float32) if scores else np.empty(0, np.float32),
        }
    ).select(
        dataset=pl.lit(rest.dataset),
        modality=pl.lit(rest.modality),
        id="id",
        kept_dataset=pl.lit(preferred.dataset),
        kept_id="kept_id",
        score="score",
    )


def flags_of(connection: duckdb.DuckDBPyConnection, asked: Asked, items: pl.DataFrame) -> pl.DataFrame:
    """The rows of the table of flags that name them; embeddings may have ids of items that the store does not have."""
    rest = asked.other if asked.preferred == "a" else asked.one
    there = pl.Series(item_ids(connection, rest.dataset, rest.modality), dtype=pl.Int64)
    return items.filter(pl.col("id").is_in(there.implode())).select(
        "dataset",
        "modality",
        "id",
        flag=pl.lit("duplicate"),
        detail=pl.format(
            "kept: {} {} of {}, {} {}",
            "modality",
            "kept_id",
            "kept_dataset",
            pl.lit(asked.metric),
            pl.col("score").cast(pl.String),
        ),
    )
