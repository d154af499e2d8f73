"""The vectors of a model that groups are made of, compared with or scored by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from emm1.checks import PathLike
from emm1.embeddings.file import Embeddings, Metric
from emm1.errors import EmbeddingError
from emm1.evaluation.opening import open_model
from emm1.store.store import Store


class Vectors:
    """The embeddings of one modality.

    Attributes:
        source: the name or the file that they were opened by.
        embeddings: the embeddings.
        metric: the metric that they are registered with; cosine for a file.
    """

    def __init__(self, source: PathLike, embeddings: Embeddings, metric: Metric) -> None:
        self.source = source
        self.embeddings = embeddings
        self.metric: Metric = metric
        self.ids = np.sort(embeddings.ids)

    def has(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these items have a vector."""
        if not len(self.ids):
            return np.zeros(ids.shape, bool)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        found: NDArray[np.bool_] = self.ids[places] == ids
        return found


def open_vectors(store: Store, embeddings: Mapping[str, PathLike]) -> dict[str, Vectors]:
    """The vectors of a model of the items of groups, by modality.

    Raises:
        EmbeddingError: see `emm1.evaluation.opening.open_model`; or there is only one modality.
    """
    model = open_model(store, "100m", embeddings, "the groups")
    if len(model) == 1:
        raise EmbeddingError(
            f"groups have several modalities: give embeddings of another one besides {next(iter(model))}"
        )
    return {m: Vectors(embeddings[m], opened, store.metric(embeddings[m])) for m, opened in model.items()}


def captions_and_items(model: Mapping[str, Vectors]) -> tuple[Vectors, dict[str, Vectors]]:
    """The vectors of the captions, and those of the other modalities.

    Raises:
        EmbeddingError: there are none of the captions.
    """
    if "text" not in model:
        raise EmbeddingError("groups are the nearest items of captions: give embeddings of text too")
    return model["text"], {modality: vectors for modality, vectors in model.items() if modality != "text"}
