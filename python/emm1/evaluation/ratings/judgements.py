"""The rated triplets of a store with a model's similarities: which rows can be scored, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.dataset import MODALITIES
from emm1.embeddings.file import Embeddings
from emm1.embeddings.pairs import score_pairs
from emm1.errors import StoreError
from emm1.evaluation.ratings.agreement import GRADES
from emm1.evaluation.report.provenance import LeftOut
from emm1.store.excluded import Excluded
from emm1.store.store import Store

ANNOTATED = "encord_annotated_id"
# What the annotated item is compared with, and the column of its id.
AGAINST = {"paired": "encord_paired_id", "caption": "encord_text_id"}
# The columns of items, and those that say of which modality they are; captions are text.
ITEMS = {
    "encord_text_id": None,
    "encord_paired_id": "paired_modality",
    "encord_annotated_id": "annotated_modality",
}
TRIPLETS = """
    SELECT rowid AS triplet, encord_text_id, paired_modality::VARCHAR AS paired_modality,
        annotated_modality::VARCHAR AS annotated_modality, encord_paired_id, encord_annotated_id, annotation
    FROM e_mm1_1m.triplets ORDER BY rowid
"""


@dataclass(frozen=True)
class Judgements:
    """The rows of an ordered pair of modalities that have a rating and both vectors.

    Attributes:
        against: ``paired`` if the annotated item is compared with the paired item, ``caption`` if with the caption.
        paired_modality: the modality of the item that the caption belongs to.
        annotated_modality: the modality of the item that was rated.
        rows: the rows of the triplets, every one of them, repeats too.
        similarity: cosine, float32, (rows,).
        left_out: how many rows were left out, by reason: without_vector, without_rating.

    >>> rows = pl.DataFrame({"encord_text_id": [0, 0, 2], "encord_paired_id": [5, 5, 6], "annotation": [1, 3, 1]})
    >>> judged = Judgements("paired", "audio", "image", rows, np.array([0.9, 0.2, 0.7], np.float32), {})
    >>> judged.query.tolist(), judged.where(judged.annotation == 3).captions.tolist()
    ([0, 0, 3], [0])
    """

    against: str
    paired_modality: str
    annotated_modality: str
    rows: pl.DataFrame
    similarity: NDArray[np.float32]
    left_out: Mapping[str, int]

    @cached_property
    def annotation(self) -> NDArray[np.int64]:
        """The ratings, 1 (Good) to 3 (Bad), (rows,)."""
        return self.rows["annotation"].to_numpy().astype(np.int64)

    @cached_property
    def query(self) -> NDArray[np.int64]:
        """A number for each caption and paired item, (rows,): the rows of one number are candidates of one query."""
        return self._codes("encord_text_id", "encord_paired_id")

    @cached_property
    def items(self) -> NDArray[np.int64]:
        """A number for each two items that are compared, (rows,): a model gives one similarity to the rows of one number."""
        return self._codes(AGAINST[self.against], ANNOTATED)

    @cached_property
    def captions(self) -> NDArray[np.int64]:
        """The id of the caption of each row, (rows,); −1 if it has none."""
        return self.rows["encord_text_id"].fill_null(-1).to_numpy().astype(np.int64)

    def codes(self, column: str) -> NDArray[np.int64]:
        """A number from 0 for each id of a column, (rows,)."""
        return np.unique(self.rows[column].fill_null(-1).to_numpy(), return_inverse=True)[1]

    def _codes(self, first: str, second: str) -> NDArray[np.int64]:
        left, right = self.codes(first), self.codes(second)
        return left * (int(right.max(initial=0)) + 1) + right

    def where(self, chosen: NDArray[np.bool_]) -> Judgements:
        """Only some of the rows."""
        return Judgements(
            self.against,
            self.paired_modality,
            self.annotated_modality,
            self.rows.filter(pl.Series(chosen)),
            self.similarity[chosen],
            self.left_out,
        )


def triplets_of(store: Store) -> pl.DataFrame:
    """All rated triplets, in the order of the published file, with their row number in `triplet`.

    Raises:
        StoreError: there are none.
    """
    with store.cursor() as connection:
        frame = pl.DataFrame(connection.sql(TRIPLETS).to_arrow_table())
    if frame.is_empty():
        raise StoreError(f"{store.path} holds no rated triplets: build it with e-mm1_1m/triplets.csv")
    return frame


def without(out: Excluded, triplets: pl.DataFrame) -> tuple[pl.DataFrame, LeftOut]:
    """The triplets that name no excluded item, and how many items were taken out.

    Raises:
        StoreError: no triplet is left.
    """
    if not out:
        return triplets, LeftOut()
    gone = np.zeros(len(triplets), np.bool_)
    items: dict[str, tuple[str, str, NDArray[np.int64]]] = {}
    for modality in MODALITIES:
        named = []
        for column, kind in ITEMS.items():
            of = triplets[column].is_not_null()
            if kind is not None:
                of &= triplets[kind] == modality
            elif modality != "text":
                continue
            rows = np.flatnonzero(of.to_numpy())
            named.append(triplets[column].gather(rows).cast(pl.Int64).to_numpy())
            gone[rows] |= out.has("1m", modality, named[-1])
        items[modality] = ("1m", modality, np.concatenate(named))
    left_out = LeftOut.of(out, {modality: each for modality, each in items.items() if len(each[2])})
    if gone.all():
        raise StoreError(f"no triplet is left without {left_out}")
    return triplets.filter(pl.Series(~gone)), left_out


def judge(triplets: pl.DataFrame, model: Mapping[str, Embeddings], against: str) -> list[Judgements]:
    """Score the triplets of every ordered pair of modalities for which the model has both embeddings.

    Args:
        triplets: as `triplets_of` gives them.
        model: the embeddings by modality.
        against: ``paired`` or ``caption``.

    Returns:
        One entry for each ordered pair that has rows, in alphabetical order.

    Raises:
        EmbeddingError: a vector has NaN or an infinity.
    """
    judged = []
    for (paired, annotated), rows in sorted(triplets.group_by("paired_modality", "annotated_modality")):
        first, second = (paired if against == "paired" else "text"), annotated
        if first in model and second in model:
            judged.append(_score(rows, model[first], model[second], against))
    return judged


def _score(rows: pl.DataFrame, first: Embeddings, second: Embeddings, against: str) -> Judgements:
    vectors = np.ones(len(rows), bool)
    for embeddings, column in ((first, AGAINST[against]), (second, ANNOTATED)):
        known = rows[column].is_not_null().to_numpy()
        vectors &= known & np.isin(rows[column].fill_null(-1).to_numpy(), embeddings.ids)
    rated = rows["annotation"].is_between(1, GRADES).fill_null(False).to_numpy()
    kept = rows.filter(pl.Series(vectors & rated))
    ids = [kept[column].to_numpy() for column in (AGAINST[against], ANNOTATED)]
    similarity = score_pairs(first, ids[0], second, ids[1])
    left_out = {"without_vector": int((~vectors).sum()), "without_rating": int((vectors & ~rated).sum())}
    paired, annotated = rows.row(0)[2:4]
    return Judgements(against, paired, annotated, kept, similarity, left_out)


def coverage(triplets: pl.DataFrame, judged: list[Judgements], model: Mapping[str, Any], against: str) -> pl.DataFrame:
    """How many rows of each ordered pair of modalities were scored, and why the others were not.

    Returns:
        The columns paired_modality, annotated_modality, rows, scored, without_vector, without_rating and missing: the
        modalities without embeddings, NULL where both are there.
    """
    counts = (
        triplets.group_by("paired_modality", "annotated_modality")
        .len("rows")
        .sort("paired_modality", "annotated_modality")
    )
    scored = {(each.paired_modality, each.annotated_modality): each for each in judged}
    found = []
    for paired, annotated, rows in counts.iter_rows():
        each = scored.get((paired, annotated))
        needed = dict.fromkeys([paired if against == "paired" else "text", annotated])
        found.append(
            {
                "paired_modality": paired,
                "annotated_modality": annotated,
                "rows": rows,
                "scored": len(each.rows) if each else 0,
                "without_vector": each.left_out["without_vector"] if each else rows,
                "without_rating": each.left_out["without_rating"] if each else 0,
                "missing": ", ".join(name for name in needed if name not in model) or None,
            }
        )
    return pl.DataFrame(found, schema_overrides={"missing": pl.String, **dict.fromkeys(("rows", "scored"), pl.Int64)})
