"""``sentence-transformers:MODEL``: captions, and images where the model takes them, by sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.encoders.unreadable import encode_readable, read_image
from emm1.errors import EmbeddingError


class SentenceTransformerEncoder:
    """A model of sentence-transformers.

    Args:
        model: a `sentence_transformers.SentenceTransformer`.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.modalities = [each for each in ("text", "image") if each in model.modalities]
        self.dims = int(model.get_embedding_dimension())

    def encode(self, modality: str, items: Sequence[str]) -> NDArray[Any]:
        """The vectors of captions or of images."""
        if modality == "text":
            return self._encode(list(items))
        return encode_readable([read_image(path) for path in items], self.dims, self._encode)

    def _encode(self, items: list[Any]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = self._model.encode(items, batch_size=len(items), show_progress_bar=False)
        return vectors


def load(argument: str | None) -> SentenceTransformerEncoder:
    """A model by its name on the Hub, or by the path of its folder.

    Raises:
        emm1.errors.EmbeddingError: no model is named.
    """
    from sentence_transformers import SentenceTransformer

    if argument is None:
        raise EmbeddingError(
            "name a model: sentence-transformers:MODEL, for example sentence-transformers:all-MiniLM-L6-v2"
        )
    return SentenceTransformerEncoder(SentenceTransformer(argument))
