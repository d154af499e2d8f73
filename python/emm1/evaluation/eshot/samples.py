"""EShot in a store: its samples, with vectors from registered embeddings or from a file, of one model or of several."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.checks import PathLike, shown
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError, StoreError
from emm1.evaluation.eshot.classify import EShotReport, Samples, evaluate
from emm1.evaluation.eshot.comparison import EShotComparison, check_names, compare
from emm1.evaluation.report.provenance import LeftOut, Source
from emm1.store.excluded import Excluded, excluded
from emm1.store.registered import is_file, item_ids
from emm1.store.store import Store


def eshot_of(
    store: Store,
    audio: PathLike | None,
    points: PathLike | None,
    models: Mapping[str, tuple[PathLike, PathLike]] | None,
    baseline: str | None,
    exclude: Sequence[str] = (),
    available: bool = False,
) -> EShotReport | EShotComparison:
    """The report of one model, or the comparison of several.

    Raises:
        emm1.errors.Error: what `Store.eshot` refuses.
    """
    with store.cursor() as connection:
        out = excluded(connection, exclude, available)
    if models is None:
        if audio is None or points is None or baseline is not None:
            raise EmbeddingError(
                "give audio and points of one model, or models={'new': (audio, points)} and their baseline"
            )
        return evaluate(samples_of(store, "audio", audio, out), samples_of(store, "points", points, out))
    if audio is not None or points is not None:
        raise EmbeddingError("give audio and points of one model, or models, not both")
    if not isinstance(models, Mapping):
        raise EmbeddingError(f"models must map names to (audio, points), not {shown(models)}")
    check_names([*models], baseline)
    pairs = {name: _pair(name, sources) for name, sources in models.items()}
    return compare({name: _samples_of_model(store, name, *pair, out) for name, pair in pairs.items()}, baseline)


def _pair(name: str, sources: Any) -> tuple[PathLike, PathLike]:
    """The audio and the points of a model."""
    if not isinstance(sources, tuple | list) or [isinstance(each, str | os.PathLike) for each in sources] != [
        True,
        True,
    ]:
        raise EmbeddingError(f"model {name!r} must have (audio, points), two names or files, not {shown(sources)}")
    return sources[0], sources[1]


def _samples_of_model(
    store: Store, name: str, audio: PathLike, points: PathLike, out: Excluded
) -> tuple[Samples, Samples]:
    try:
        return samples_of(store, "audio", audio, out), samples_of(store, "points", points, out)
    except EmbeddingError as error:
        error.reason = f"model {name!r}: {error.reason}"
        raise


def samples_of(store: Store, modality: str, source: PathLike, out: Excluded) -> Samples:
    """The samples of a modality by category, and their vectors where there are any.

    Args:
        store: the store that lists the samples.
        modality: ``audio`` or ``points``.
        source: the registered name or the file of the embeddings.
        out: the samples that count as not there.

    Raises:
        emm1.errors.Error: a file that does not fit, an unknown name, or a store without EShot.
    """
    categories: dict[str, list[int]] = {}
    with store.cursor() as connection:
        rows = connection.execute(
            "SELECT category, eshot_id FROM eshot.categories WHERE modality = ? ORDER BY rowid", [modality]
        ).fetchall()
    for category, eshot_id in rows:
        categories.setdefault(category, []).append(eshot_id)
    if not categories:
        raise StoreError(f"{store.path} holds no EShot {modality} samples: build it with the eshot folder")
    embeddings, ids = _of_file(store, modality, Path(source)) if is_file(source) else _of_name(store, modality, source)
    of_file, vectors = Source.of(store, source, embeddings), embeddings.vectors(embeddings.ids)
    if not out:
        return Samples(ids, vectors, categories, of_file)
    listed = np.unique(np.concatenate([np.array(each, np.int64) for each in categories.values()]))
    gone = set(listed[out.has("eshot", modality, listed)].tolist())
    left = {name: [each for each in own if each not in gone] for name, own in categories.items()}
    there = ~out.has("eshot", modality, ids)
    left_out = LeftOut.of(out, {modality: ("eshot", modality, listed)})
    return Samples(ids[there], vectors[there], left, of_file, left_out)


def _of_name(store: Store, modality: str, name: PathLike) -> tuple[Embeddings, NDArray[np.int64]]:
    entry = store.registry[os.fspath(name)]
    if (entry.dataset, entry.modality) != ("eshot", modality):
        raise EmbeddingError(
            f"{entry.name!r} is {entry.dataset} {entry.modality}, expected embeddings of eshot {modality}"
        )
    embeddings = store.embeddings(name)
    return embeddings, embeddings.ids


def _of_file(store: Store, modality: str, path: Path) -> tuple[Embeddings, NDArray[np.int64]]:
    """Open a file; if it has no ids, row i is the i-th row of the info CSV, as in the published script."""
    embeddings = Embeddings(path)
    if embeddings.ids_path is not None:
        return embeddings, embeddings.ids
    with store.cursor() as connection:
        ids = item_ids(connection, "eshot", modality)
    if len(ids) != len(embeddings):
        raise EmbeddingError(
            f"{path} has {len(embeddings):,} rows and no ids, but eshot.{modality} has {len(ids):,}: give one vector "
            f"for each row of the info CSV, in its order, or put the ids in {path.stem}.ids.npy next to it"
        )
    return embeddings, ids
