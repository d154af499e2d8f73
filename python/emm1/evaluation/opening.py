"""Opens the embeddings of a model, one file for each modality, for evaluations of the items of one split."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from emm1.checks import PathLike, shown
from emm1.dataset import MODALITIES, Split
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError
from emm1.store.registered import Registered, is_file
from emm1.store.registration import identify
from emm1.store.store import Store


def open_model(store: Store, dataset: Split, embeddings: Mapping[str, PathLike], what: str) -> dict[str, Embeddings]:
    """The embeddings of a model by modality, in the order of `emm1.dataset.MODALITIES`.

    Args:
        store: the store.
        dataset: the split whose items the vectors must be.
        embeddings: a registered name or a file for each modality.
        what: what is evaluated, for errors: ``the groups``.

    Raises:
        EmbeddingError: an unknown modality or name, embeddings of another split or modality, a file without ids whose row
            numbers are not ids, or embeddings of different dimensions.
    """
    if not isinstance(embeddings, Mapping) or not embeddings:
        raise EmbeddingError(
            f"embeddings must name at least one modality, as {{'image': NAME}}, not {shown(embeddings)}"
        )
    for modality in embeddings:
        if modality not in MODALITIES:
            raise EmbeddingError(f"unknown modality {modality!r}: {', '.join(MODALITIES)}")
    opened = {m: _open(store, dataset, m, embeddings[m], what) for m in MODALITIES if m in embeddings}
    if len({each.dim for each in opened.values()}) > 1:
        dims = ", ".join(f"{modality} {each.dim}" for modality, each in opened.items())
        raise EmbeddingError(f"embeddings have different dimensions ({dims}): embed all modalities with one model")
    return opened


def _open(store: Store, dataset: Split, modality: str, source: PathLike, what: str) -> Embeddings:
    if not is_file(source):
        entry = store.registry[os.fspath(source)]
        if (entry.dataset, entry.modality) != (dataset, modality):
            raise EmbeddingError(
                f"{entry.name!r} is {entry.dataset} {entry.modality}, expected embeddings of {dataset} {modality}: "
                f"{what} belong to the split {dataset}"
            )
        return store.embeddings(source)
    opened = store.embeddings(source)
    if opened.ids_path is None:  # the row numbers must be ids
        entry = Registered(str(source), dataset, modality, "cosine", Path(source), None)
        with store.cursor() as connection:
            identify(connection, store.path.parent, entry, opened)
    return opened
