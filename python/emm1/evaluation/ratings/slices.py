"""What the rated items are: the values of their info tables, to slice a report by, and their captions and paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from emm1.dataset import KEYS, SCHEMAS
from emm1.errors import EmbeddingError
from emm1.evaluation.ratings.judgements import Judgements
from emm1.evaluation.report.words import WORDS, word_ranges

if TYPE_CHECKING:
    from emm1.store.store import Store

# Whose column it is, by its prefix, and the column of the triplets with their ids.
ROLES = {"caption": "encord_text_id", "paired": "encord_paired_id", "annotated": "encord_annotated_id"}
ITEM_COLUMNS = """
    SELECT chosen.disagreement, t.encord_text_id, t.paired_modality::VARCHAR AS paired_modality,
        t.annotated_modality::VARCHAR AS annotated_modality, t.encord_paired_id, t.encord_annotated_id, t.annotation,
        m.annotation_label::VARCHAR AS annotation_label, chosen.similarity, x.caption,
        f.file_path AS paired_modality_file_path, h.file_path AS annotated_modality_file_path
    FROM emm1_chosen chosen
    JOIN e_mm1_1m.triplets t ON t.rowid = chosen.triplet
    LEFT JOIN e_mm1_1m.annotation_mapping m ON m.annotation = t.annotation
    LEFT JOIN e_mm1_1m.text x ON x.encord_text_id = t.encord_text_id
    LEFT JOIN assets f ON f.dataset = '1m' AND f.modality = t.paired_modality AND f.id = t.encord_paired_id
    LEFT JOIN assets h ON h.dataset = '1m' AND h.modality = t.annotated_modality AND h.id = t.encord_annotated_id
    ORDER BY chosen.disagreement DESC, chosen.triplet
"""


def slices_of(store: Store, judgements: Judgements, column: str) -> pl.Series | None:
    """The value of a column for each row, as text; `RatingsReport.by` says which columns there are.

    Returns:
        The values, (rows,); None if the info table of the modality has no such column.
    """
    role, _, name = column.partition("_")
    if role not in ROLES:
        return None
    modality, id_column = modality_of(judgements, role), ROLES[role]
    table, key = f"{SCHEMAS['1m']}.{modality}", KEYS["1m", modality]
    wanted = "caption" if column == WORDS else name
    with store.cursor() as connection:
        info = connection.table(table)
        if wanted not in info.columns:
            return None
        values = pl.DataFrame(info.select(*dict.fromkeys([key, wanted])).to_arrow_table()).rename({key: "id"})
    found = judgements.rows.select(pl.col(id_column).alias("id").cast(values["id"].dtype)).join(
        values, on="id", how="left", maintain_order="left"
    )["id" if wanted == key else wanted]
    return word_ranges(found) if column == WORDS else found.cast(pl.String).rename(column)


def modality_of(judgements: Judgements, role: str) -> str:
    """The modality of the items in one of the `ROLES`."""
    return {"paired": judgements.paired_modality, "annotated": judgements.annotated_modality}.get(role, "text")


def no_such_column(store: Store, judged: list[Judgements], column: str) -> EmbeddingError:
    """The error about a column that no info table of the judged rows has; it lists those that they have."""
    role = column.partition("_")[0]
    with store.cursor() as connection:
        tables = sorted({f"{SCHEMAS['1m']}.{modality_of(each, role)}" for each in judged})
        known = "; ".join(f"{table} has {', '.join(connection.table(table).columns)}" for table in tables)
    return EmbeddingError(
        f"no column {column!r}: {WORDS}, or caption_, paired_ or annotated_ before a column of the info table; {known}"
    )


def items_of(store: Store, chosen: pl.DataFrame) -> pl.DataFrame:
    """Rows of the triplets, given by `triplet` with similarity and disagreement, with captions, labels and paths."""
    with store.cursor() as connection:
        connection.register("emm1_chosen", chosen.select("triplet", "similarity", "disagreement").to_arrow())
        return pl.DataFrame(connection.sql(ITEM_COLUMNS).to_arrow_table())
