"""Leaves out of retrieval what counts as not there: as queries, as right answers and as rows of the gallery."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from emm1.errors import EmbeddingError
from emm1.evaluation.report.provenance import LeftOut
from emm1.evaluation.retrieval.answers import Whole
from emm1.evaluation.retrieval.pairs import Pairs
from emm1.evaluation.retrieval.task import Side
from emm1.store.excluded import Excluded, need_items


def without(
    out: Excluded, pairs: Pairs, queries: Side, base: Side, among: Whole | None
) -> tuple[Pairs, Whole, LeftOut]:
    """The pairs of the queries that are left, the ids that are left of the gallery, and how many items were taken out.

    A query that has lost its right answers is still asked, so that it is counted: none is in the gallery.

    Raises:
        EmbeddingError: it is not known of which items the vectors are, or no query is left.
    """
    entries = [need_items(side.entry, side.name) for side in (queries, base)]
    sides = [(entry.dataset, entry.modality) for entry in entries]
    asked = pairs.frame["query_id"].to_numpy()
    ids = np.union1d(base.embeddings.ids, pairs.frame["id"].to_numpy())
    if among is not None:
        ids = np.intersect1d(ids, among)
    left_out = LeftOut.of(out, {"queries": (*sides[0], asked), "gallery": (*sides[1], ids)})
    left = pairs.frame.filter(pl.Series(~out.has(*sides[0], asked)))
    if left.is_empty():
        raise EmbeddingError(f"no query is left of {len(np.unique(asked)):,} without {left_out}")
    return replace(pairs, frame=left), ids[~out.has(*sides[1], ids)], left_out
