"""``ebind`` and ``ebind:MODEL``: all five modalities by EBind, the model that E-MM1 was published with.

Vectors have 1,024 components; as the model computes in bfloat16, they are of unit length only roughly. Its weights are published
under CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.encoders.unreadable import encode_readable
from emm1.errors import EmbeddingError, Error
from emm1.media.points import read_points

MODEL = "encord-team/ebind-full"
DIMS = 1024


class EBind:
    """EBind.

    Args:
        model: an `ebind.EBindModel`.
        processor: an `ebind.EBindProcessor` for it.
    """

    dims = DIMS

    def __init__(self, model: Any, processor: Any) -> None:
        self._model, self._processor = model.eval(), processor
        self.modalities = [str(getattr(each, "value", each)) for each in model.modalities]
        self._device = next(model.parameters()).device

    def encode(self, modality: str, items: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of captions, or of files: images, films, sound, or point clouds of (points, 6).

        Raises:
            emm1.errors.EmbeddingError: what films and sound are decoded with is not there.
        """
        if modality in {"audio", "video"}:
            check_decoder()
        loaded = [self._load(modality, item) for item in items]
        return encode_readable(loaded, DIMS, lambda tensors: self._encode(modality, tensors))

    def _load(self, modality: str, item: str) -> Any:
        """What the model takes; None if the file cannot be read."""
        if modality == "points":
            return _points(item)
        try:
            return self._processor.processors[modality](item)  # None for some kinds of files, an exception for others
        except Exception:  # noqa: BLE001 - whatever a decoder raises
            return None

    def _encode(self, modality: str, tensors: list[Any]) -> NDArray[np.float32]:
        import torch

        vectors = np.empty((len(tensors), DIMS), np.float32)
        # Point clouds may have different numbers of points: those that are alike go together.
        for shape in {tensor.shape for tensor in tensors}:
            alike = [number for number, tensor in enumerate(tensors) if tensor.shape == shape]
            batch = torch.stack([tensors[number] for number in alike]).to(self._device)
            with torch.inference_mode():
                vectors[alike] = self._model.forward(**{modality: batch})[modality].float().cpu().numpy()
        return vectors


def check_decoder() -> None:
    """Decode a short sound, because without FFmpeg EBind takes every film and every sound for damaged.

    Raises:
        emm1.errors.EmbeddingError: torchcodec cannot decode it.
    """
    from torchcodec.decoders import AudioDecoder

    with io.BytesIO() as file:
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
            sound.writeframes(bytes(3_200))
        silence = file.getvalue()
    try:
        AudioDecoder(silence).get_all_samples()
    except Exception as error:  # whatever keeps FFmpeg's libraries from being loaded
        raise EmbeddingError(
            "EBind decodes films and sound with torchcodec, which does not work here: it needs the shared libraries of FFmpeg, "
            "which the package ffmpeg of the operating system has"
        ) from error


def _points(path: str) -> Any:
    """A point cloud as a tensor of (points, 6), also from a pickled dictionary, which EBind's own processor does not take."""
    import torch

    try:
        return torch.from_numpy(read_points(path).array)
    except Error:
        return None


def load(argument: str | None) -> EBind:
    """A published model, on the GPU if there is one."""
    import torch
    from ebind import EBindModel, EBindProcessor

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = argument or MODEL
    return EBind(EBindModel.from_pretrained(name).to(device), EBindProcessor.from_pretrained(name))
