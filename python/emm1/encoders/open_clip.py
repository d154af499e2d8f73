"""``open-clip:MODEL/WEIGHTS``: captions and images by open_clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.encoders.unreadable import encode_readable, read_image
from emm1.errors import EmbeddingError


class OpenClip:
    """A model of open_clip; its vectors are of unit length.

    Args:
        model: the model.
        transform: makes a tensor of an image.
        tokenizer: makes tensors of texts.
    """

    modalities = ("text", "image")

    def __init__(self, model: Any, transform: Callable[[Any], Any], tokenizer: Callable[[list[str]], Any]) -> None:
        self._model, self._transform, self._tokenizer = model.eval(), transform, tokenizer
        self._device = next(model.parameters()).device
        self.dims = self._encode_texts(["a"]).shape[1]

    def encode(self, modality: str, items: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of captions or of images."""
        if modality == "text":
            return self._encode_texts(list(items))
        return encode_readable([read_image(path) for path in items], self.dims, self._encode_images)

    def _encode_texts(self, texts: list[str]) -> NDArray[np.float32]:
        return self._encode(self._model.encode_text, self._tokenizer(texts))

    def _encode_images(self, images: list[Any]) -> NDArray[np.float32]:
        import torch

        return self._encode(self._model.encode_image, torch.stack([self._transform(image) for image in images]))

    def _encode(self, encode: Callable[..., Any], batch: Any) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            vectors: NDArray[np.float32] = encode(batch.to(self._device), normalize=True).float().cpu().numpy()
        return vectors


def load(argument: str | None) -> OpenClip:
    """A model with pretrained weights, on the GPU if there is one.

    Raises:
        emm1.errors.EmbeddingError: no model or no weights are named.
    """
    import open_clip
    import torch

    model, slash, weights = (argument or "").partition("/")
    if not argument or not (slash or ":" in argument):
        raise EmbeddingError(
            "name a model and its weights: open-clip:MODEL/WEIGHTS, for example open-clip:ViT-B-32/laion2b_s34b_b79k "
            "(open_clip.list_pretrained() lists them), or open-clip:hf-hub:OWNER/MODEL"
        )
    if ":" in argument:  # hf-hub:OWNER/MODEL, local-dir:FOLDER
        model, weights = argument, ""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loaded, transform = open_clip.create_model_from_pretrained(model, pretrained=weights or None, device=device)
    return OpenClip(loaded, transform, open_clip.get_tokenizer(model))
