"""An entry of a store's registry: an embedding file, and what its rows are."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from emm1 import _native
from emm1.checks import PathLike, shown
from emm1.dataset import KEYS, SCHEMAS, Split
from emm1.embeddings.file import Embeddings, Metric, check_registered
from emm1.errors import EmbeddingError


@dataclass(frozen=True)
class Registered:
    """An embedding file and what its rows are.

    Attributes:
        name: its name in the store.
        dataset: ``100m``, ``1m`` or ``eshot``.
        modality: the modality of the items that its rows are.
        metric: the metric used by default.
        path: the file.
        ids_path: the file of ids, or for shards the folder of them; None where the row number is the id.
        codes: the file of codes; None if it is beside the file, False for none.
        model: the model that made its vectors; None if none was named.
        found: what the store knows of it; None before it is registered.
    """

    name: str
    dataset: Split
    modality: str
    metric: Metric
    path: Path
    ids_path: Path | None
    codes: Path | Literal[False] | None = None
    model: str | None = None
    found: _native.Registered | None = field(default=None, compare=False, repr=False)

    def open(self) -> Embeddings:
        """Open the embeddings.

        Raises:
            emm1.errors.EmbeddingError: they are not of the shape that was registered.
        """
        embeddings = Embeddings(self.path, ids=self.ids_path, codes=self.codes)
        if self.found is not None:
            check_registered(embeddings, self.found)
        return embeddings

    @property
    def codes_path(self) -> Path | None:
        """The path of the codes, whether they exist or not; None if it was registered without."""
        return (self.codes or None) if self.codes is not None else _native.codes_beside(self.path)

    @property
    def table(self) -> str:
        """The table whose rows are the items."""
        return f"{SCHEMAS[self.dataset]}.{self.modality}"

    @property
    def key(self) -> str:
        """Its id column."""
        return KEYS[self.dataset, self.modality]


def item_ids(connection: duckdb.DuckDBPyConnection, dataset: Split, modality: str) -> NDArray[np.int64]:
    """The ids of all items of a split and modality, in the order of the published file."""
    items = connection.table(f"{SCHEMAS[dataset]}.{modality}").order("rowid")
    column = items.select(KEYS[dataset, modality]).to_arrow_table().column(0)
    ids: NDArray[np.int64] = column.to_numpy().astype(np.int64)
    return ids


def is_file(source: PathLike) -> bool:
    """Whether a source is a path, with a separator or a known suffix; other text is a registered name.

    Raises:
        EmbeddingError: it is neither text nor a path.
    """
    if not isinstance(source, str | os.PathLike):
        raise EmbeddingError(f"embeddings of a store are a registered name or the path of a file, not {shown(source)}")
    text = os.fspath(source)
    return not isinstance(source, str) or _native.is_file(text)


def check_same_items(queries: Registered | None, base: Registered | None) -> None:
    """Refuse to leave out the row with the query's own id where equal ids are different items; None is a file.

    Raises:
        EmbeddingError: they are of other splits or modalities.
    """
    if queries and base and (queries.dataset, queries.modality) != (base.dataset, base.modality):
        raise EmbeddingError(
            f"exclude_self leaves out the row with the query's own id, but {queries.name!r} is {queries.dataset} {queries.modality}, and "
            f"{base.name!r} is {base.dataset} {base.modality}: equal ids are different items"
        )
