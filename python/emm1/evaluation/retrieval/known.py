"""The right answers that a store knows: captions and their items, neighbours in groups, rated triplets, and equal ids."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import duckdb
import polars as pl

from emm1.dataset import FILE_MODALITIES
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError, StoreError
from emm1.evaluation.retrieval.pairs import KEYS as PAIR
from emm1.evaluation.retrieval.pairs import SCHEMA, Pairs
from emm1.store.excluded import Excluded
from emm1.store.kept import kept
from emm1.store.registered import Registered

# The split that the pairs of a kind are in, the embeddings that they fit, and what they measure.
KINDS = {
    "captions": (
        "1m",
        "text and another modality, either way",
        "a caption and the item that it belongs to, as published",
    ),
    "groups": (
        "100m",
        "text and another modality, either way",
        "neighbours that the model found that made the groups: this measures agreement with that model, not truth",
    ),
    "triplets": (
        "1m",
        "text, or the modality of paired items, and then the modality of annotated items",
        "what people rated, Good 2, Partial 1, Bad 0; of several ratings the lower median; items without a rating count as not right",
    ),
}
NOTHING = Excluded()
SAME_ID = "same-id"
SAME = "rows with the same id"
NO_ID, NO_RATING = "without an id", "with a rating other than 1 to 3"


def known_pairs(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    queries: Registered | None,
    base: Registered | None,
    excluded: Excluded = NOTHING,
) -> Pairs:
    """The pairs of a kind between two modalities.

    Args:
        connection: a connection to the store.
        kind: ``captions``, ``groups`` or ``triplets``.
        queries: the registered embeddings of the queries; None for a file.
        base: those of the gallery, likewise.
        excluded: of the pairs ``triplets``, triplets with such an item are left out, of which the pair may have another two.

    Raises:
        EmbeddingError: the kind is not about these modalities.
        StoreError: the store holds no such pairs.
    """
    _, fits, meaning = KINDS[kind]
    if queries is None or base is None:
        raise EmbeddingError(
            f"the pairs {kind} depend on what the vectors are of, which is not known of a file: register it, or give a file of pairs"
        )
    if not _fit(kind, queries, base):
        others = " and ".join(other for other in KINDS if _fit(other, queries, base))
        raise EmbeddingError(
            f"the pairs {kind} are between {fits}, of the split {KINDS[kind][0]}: {queries.name!r} is {queries.dataset} "
            f"{queries.modality}, and {base.name!r} is {base.dataset} {base.modality}"
            f"{'; between these there are the pairs ' if others else ''}{others}"
        )
    table = "groups" if kind == "groups" else "triplets"
    query = (files("emm1") / "sql" / "evaluation" / f"{kind}.sql").read_text(encoding="utf-8")
    if kind == "triplets":
        connection.register("emm1_rated", kept(connection, "FROM e_mm1_1m.triplets", excluded))
    parameters: dict[str, Any] = {"queries": queries.modality, "base": base.modality}
    frame = pl.DataFrame(connection.sql(query, params=parameters).to_arrow_table())
    left_out = {}
    for reason, odd in ((NO_RATING, pl.col("grade").is_null()), (NO_ID, pl.any_horizontal(pl.col(*PAIR).is_null()))):
        if rows := int(frame.filter(odd)["rows"].sum()):
            left_out[reason] = rows
            frame = frame.filter(~odd)
    if frame.is_empty():
        raise StoreError(
            f"the store has no rows in {table} for the pairs {kind} from {queries.modality} to {base.modality}"
        )
    return Pairs(
        frame.select(*SCHEMA).sort(PAIR).cast(pl.Schema(SCHEMA)),  # smaller before than after
        kind,
        meaning,
        left_out,
    )


def _fit(kind: str, queries: Registered, base: Registered) -> bool:
    """Whether a kind of pairs is between what these are of."""
    if {queries.dataset, base.dataset} != {KINDS[kind][0]}:
        return False
    if kind == "triplets":
        return base.modality in FILE_MODALITIES
    return (queries.modality == "text") != (base.modality == "text")


def same_id(embeddings: Embeddings, queries: Registered | None, base: Registered | None) -> Pairs:
    """Every id of the queries as its own right answer.

    Raises:
        EmbeddingError: equal ids are different items.
    """
    if queries and base and (queries.dataset, queries.modality) != (base.dataset, base.modality):
        raise EmbeddingError(
            f"{queries.name!r} is {queries.dataset} {queries.modality}, and {base.name!r} is {base.dataset} {base.modality}: their "
            f"ids are not of the same items. Give pairs other than {SAME_ID}"
        )
    ids = pl.Series("id", embeddings.ids).sort()
    return Pairs(
        pl.DataFrame({"query_id": ids, "id": ids, "grade": pl.repeat(1, len(ids), eager=True)}, schema=SCHEMA),
        SAME_ID,
        SAME,
    )
