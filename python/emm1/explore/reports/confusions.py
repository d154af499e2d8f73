"""A saved report on EShot, or on any zero-shot classification: which classes are taken for which, and the samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from emm1.dataset import Split
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.explore.items import CONNECTED, Item, items

if TYPE_CHECKING:
    from emm1.store.registered import Registered

FILE, PREDICTIONS = "report.json", "predictions.parquet"
# What a direction of EShot classifies. Another classification has one direction, which needs no name.
CLASSIFIED = {"audio_to_points": "audio", "points_to_audio": "points"}
ONLY = "samples_to_classes"


@dataclass(frozen=True)
class Confusion:
    """A class that is taken for another.

    Attributes:
        category: the class.
        predicted: what is the most similar to its samples instead.
        count: how many samples.
        samples: how many samples the class has.
        items: the first of them, in the order of the report.
    """

    category: str
    predicted: str
    count: int
    samples: int
    items: list[Item]


class Confusions:
    """The confusions of a saved report; a sample whose most similar class is any of its own is none.

    Args:
        folder: what `EShotReport.save` or `ZeroShotReport.save` wrote.
        registry: the registered embeddings, which say what the samples of a zero-shot classification are.

    Raises:
        emm1.errors.FileNotFoundError: there is no such report.
        emm1.errors.EmbeddingError: it is not as this version writes it, or not about items of this store.
    """

    def __init__(self, folder: Path, registry: Mapping[str, Registered]) -> None:
        self.folder = folder
        try:
            parts = json.loads((folder / FILE).read_text(encoding="utf-8"))
            sources = parts["provenance"]
            self.eshot = "categories" in parts
            sides = [sources[side] for side in (CLASSIFIED.values() if self.eshot else ("samples", "classes"))]
            names = [str(side["name"] or Path(side["path"]).name) if side else "given vectors" for side in sides]
            self.name = (" ↔ " if self.eshot else " → ").join(names)
            self._kinds: dict[str, tuple[Split, str]] = (
                {direction: ("eshot", modality) for direction, modality in CLASSIFIED.items()}
                if self.eshot
                else {ONLY: _kind(sides[0], registry)}
            )
            self._frame = _frame(pl.read_parquet(folder / PREDICTIONS))
        except OSError as error:
            raise FileNotFoundError(
                f"{folder} holds no saved report on EShot or a zero-shot classification as this version writes it: "
                f"{error.strerror or error}"
            ) from error
        except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise EmbeddingError(
                f"{folder} does not hold a report on EShot or on a zero-shot classification of registered embeddings of this "
                "store, as this version writes it"
            ) from error

    @property
    def directions(self) -> list[str]:
        """The directions of the report: two of EShot, one of another classification."""
        return list(self._kinds)

    def accuracies(self) -> dict[str, dict[str, tuple[int, int]]]:
        """By class and direction: how many samples are classified correctly, and of how many."""
        rows = self._frame.group_by("category", "direction").agg(
            pl.len(), pl.col("wrong").not_().sum().alias("correct")
        )
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for category, direction, samples, correct in rows.sort("category", "direction").iter_rows():
            found.setdefault(category, {})[direction] = (correct, samples)
        return found

    def read(
        self,
        connection: duckdb.DuckDBPyConnection,
        direction: str,
        category: str | None,
        predicted: str | None,
        start: int,
        limit: int,
    ) -> tuple[int, list[Confusion]]:
        """How many pairs of classes are confused, and some of them from a place on: the most frequent first.

        Args:
            connection: of the store.
            direction: one of `directions`.
            category: only samples of this class; None for all.
            predicted: only what is taken for this class; None for all.
            start: the place of the first.
            limit: how many at most.
        """
        whole = self._frame.filter(direction=direction)
        wrong = whole.filter("wrong")
        for column, name in (("category", category), ("predicted", predicted)):
            wrong = wrong if name is None else wrong.filter(pl.col(column) == name)
        pairs = wrong.group_by("category", "predicted", maintain_order=True).agg(
            pl.len().alias("count"), pl.col("id").head(CONNECTED).alias("ids")
        )
        sizes = whole.group_by("category").agg(pl.len().alias("samples"))
        rows = (
            pairs.join(sizes, on="category")
            .sort("count", "category", "predicted", descending=[True, False, False])
            .slice(start, limit)
        )
        known = items(connection, *self._kinds[direction], rows["ids"].explode().to_list())
        return len(pairs), [
            Confusion(name, other, count, samples, [known[number] for number in ids])
            for name, other, count, ids, samples in rows.iter_rows()
        ]


def _kind(samples: Any, registry: Mapping[str, Registered]) -> tuple[Split, str]:
    """The split and the modality of the samples of a zero-shot classification, by what its report says of them."""
    if samples["name"] not in registry:
        raise ValueError(samples["name"])
    entry = registry[samples["name"]]
    return entry.dataset, entry.modality


def _frame(predictions: pl.DataFrame) -> pl.DataFrame:
    """One row for each sample and each of its classes: direction, id, category, predicted, wrong."""
    predicted = pl.col("predicted").list.first()
    if "labels" in predictions.columns:
        return predictions.select(
            pl.lit(ONLY).alias("direction"),
            "id",
            pl.col("labels").alias("category"),
            predicted,
            pl.col("labels").list.contains(predicted).not_().alias("wrong"),
        ).explode("category")
    return predictions.select(
        "direction",
        pl.col("eshot_id").alias("id"),
        "category",
        predicted,
        (predicted != pl.col("category")).alias("wrong"),
    )
