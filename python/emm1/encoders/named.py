"""What an encoder is, and how one is found by its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from emm1.checks import check_text
from emm1.errors import EmbeddingError

GROUP = "emm1.encoders"


@runtime_checkable
class Encoder(Protocol):
    """A model that turns items into vectors; its members may be attributes or properties."""

    @property
    def modalities(self) -> Sequence[str]:
        """The modalities that it takes, of ``text``, ``image``, ``audio``, ``video`` and ``points``."""

    @property
    def dims(self) -> int:
        """The components of its vectors."""

    def encode(self, modality: str, items: Sequence[str]) -> NDArray[Any]:
        """The vectors of some items, float, (items, dims).

        Args:
            modality: one of `modalities`.
            items: captions if the modality is ``text``, otherwise paths of files.

        Returns:
            A row for each item. A row of NaN says that its file cannot be read.
        """


def encoder_names() -> list[str]:
    """The names of the encoders that are installed, sorted; what they need may be missing.

    >>> import emm1
    >>> emm1.encoders.encoder_names()
    ['ebind', 'minilm', 'open-clip', 'sentence-transformers']
    """
    return sorted({point.name for point in entry_points(group=GROUP)})


@lru_cache(maxsize=1)
def encoder_named(name: str) -> Encoder:
    """The encoder with this name, loaded. It is kept until another one is asked for.

    Args:
        name: the name of an entry point, alone, or with a colon and what the encoder is to load, for example
            ``open-clip:ViT-B-32/laion2b_s34b_b79k``.

    Raises:
        emm1.errors.EmbeddingError: there is no such encoder, a package that it needs is missing, or it cannot be loaded.

    >>> import emm1
    >>> emm1.encoders.encoder_named("ours")
    Traceback (most recent call last):
    emm1.errors.EmbeddingError: there is no encoder 'ours': installed are ebind, minilm, open-clip, sentence-transformers
    """
    check_text(name)
    called, _, argument = name.partition(":")
    points = [point for point in entry_points(group=GROUP) if point.name == called]
    if not points:
        raise EmbeddingError(f"there is no encoder {called!r}: installed are {', '.join(encoder_names())}")
    encoder = _loaded(points[0], name, argument or None)
    if not isinstance(encoder, Encoder):
        raise EmbeddingError(f"the encoder {name!r} gives {encoder!r}, which lacks modalities, dims or encode")
    return encoder


def _loaded(point: EntryPoint, name: str, argument: str | None) -> object:
    try:
        return point.load()(argument)
    except EmbeddingError:
        raise
    except Exception as error:  # whatever a library raises that loads a model
        if isinstance(error, ModuleNotFoundError) and error.name is not None:
            raise EmbeddingError(
                f"the encoder {name!r} needs the module {error.name}, which is not installed: "
                f"docs/guide/encoders.md says how to install what encoders need"
            ) from error
        raise EmbeddingError(f"the encoder {name!r} cannot be loaded: {_in_a_line(_first_cause(error))}") from error


def check_modality(encoder: Encoder, modality: str) -> None:
    """Refuse a modality that an encoder does not take.

    Raises:
        emm1.errors.EmbeddingError: lists those that it takes.
    """
    if modality not in encoder.modalities:
        raise EmbeddingError(f"the encoder takes {', '.join(encoder.modalities)}, not {modality}")


def encoded(encoder: Encoder, modality: str, items: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of some items, float32, (items, dims), after a check of what the encoder gives.

    Raises:
        emm1.errors.EmbeddingError: the encoder does not take the modality, fails, or gives something else than such vectors.
    """
    check_modality(encoder, modality)
    try:
        given = encoder.encode(modality, items)
        with np.errstate(over="ignore", invalid="ignore"):
            vectors = np.asarray(given, np.float32)
    except EmbeddingError:
        raise
    except Exception as error:  # whatever a model raises
        raise EmbeddingError(
            f"the encoder failed at {len(items):,} {modality} items, of which {items[0]!r} is the first: {_in_a_line(error)}"
        ) from error
    if vectors.shape != (len(items), encoder.dims):
        raise EmbeddingError(
            f"the encoder gave an array {vectors.shape} for {len(items):,} items, and says that it has {encoder.dims:,} dims"
        )
    strange = ~(np.isfinite(vectors).all(axis=1) | np.isnan(vectors).all(axis=1))
    if strange.any():
        raise EmbeddingError(
            f"the encoder gave a vector with NaN or an infinity for {items[int(np.argmax(strange))]!r}"
        )
    return vectors


def _first_cause(error: BaseException) -> BaseException:
    """What a chain of exceptions began with: libraries hide that a package does not fit another behind names of their own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _in_a_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
