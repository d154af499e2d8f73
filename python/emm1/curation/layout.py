"""A layout in two dimensions of exact nearest neighbours: UMAP, which is given them, from where principal axes put the rows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.curation.numbering import Numbering
from emm1.embeddings import Embeddings
from emm1.embeddings.file import Metric
from emm1.embeddings.knn import knn
from emm1.errors import EmbeddingError, Error

# Up to so many rows, the projection on two principal axes shows all distances.
FEW = 3
# Principal axes are those of so many rows, evenly chosen, with at most so many components in all.
AXES_ROWS, AXES_COMPONENTS = 2048, 1 << 26
# Rows that are projected at a time.
BATCH = 4096
# The start of the layout, and the noise that sets equal rows apart, as UMAP scales its own.
SIDE, NOISE = 10.0, 1e-4
Told = Callable[[str, int, int], object]


def layout(
    rows: Embeddings, *, n_neighbors: int, min_dist: float, metric: Metric, seed: int, told: Told
) -> NDArray[np.float32]:
    """The layout of all rows, float32, (rows, 2), in their order.

    The same arguments give the same layout on the same machine. On another one its bits may differ, because UMAP's arithmetic is
    compiled for the processor.

    Args:
        rows: the rows. By cosine none may be zero.
        n_neighbors: neighbours that each row is to be near to, itself among them.
        min_dist: how near points may be.
        metric: ``cosine`` or ``l2``.
        seed: decides about the noise of the start and the order in which UMAP takes points.
        told: called with what is being done, the amount done and how much there is.

    Raises:
        Error: umap-learn is not installed.
        emm1.errors.EmbeddingError: a row holds NaN or an infinity.
    """
    start = _start(rows, metric, seed, told)
    if len(rows) <= FEW:
        return start
    reducer_of = umap()
    indices, distances = neighbours(rows, min(n_neighbors, len(rows) - 1), metric, told)
    epochs = 500 if len(rows) <= 10_000 else 200  # noqa: PLR2004 - UMAP's own default, which the progress needs
    with _quiet():
        reducer = reducer_of(
            n_neighbors=indices.shape[1],
            min_dist=min_dist,
            n_epochs=epochs,
            init=start,
            random_state=seed,
            n_jobs=1,  # what a random_state asks for
            precomputed_knn=(indices, distances),
            force_approximation_algorithm=True,  # otherwise few rows are compared again
            tqdm_kwds={
                "disable": False,
                "file": _Epochs(told),
                "bar_format": "{n_fmt}/{total_fmt}",
                "mininterval": 0.2,
            },
        )
        # Neighbours and start are given, so that UMAP needs of the rows only how many there are.
        placed: NDArray[np.float32] = reducer.fit_transform(start)
    return placed


def umap() -> Any:
    """The class that lays out.

    Raises:
        Error: umap-learn is not installed.
    """
    try:
        with _quiet():
            from umap import UMAP  # noqa: PLC0415 - of the extra
    except ModuleNotFoundError as error:
        raise Error(f"a map needs the package umap-learn ({error.name} is missing): pip install 'emm1[map]'") from error
    return UMAP


def neighbours(
    rows: Embeddings, n_neighbors: int, metric: Metric, told: Told
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The exact neighbours of each row as UMAP takes them: each row itself first, then others from the nearest on.

    Returns:
        The positions of the neighbours, int32, (rows, n_neighbors), and their distances, float32: Euclidean, or 1 − cosine.
    """
    indices = np.empty((len(rows), n_neighbors), np.int32)
    distances = np.zeros((len(rows), n_neighbors), np.float32)
    indices[:, 0] = np.arange(len(rows))
    positions, done = Numbering(rows.ids, np.arange(len(rows), dtype=np.int32)), 0
    told("nearest neighbours", 0, len(rows))
    for found in knn(rows, rows, n_neighbors - 1, metric=metric, exclude_self=True):
        batch = slice(done, done := done + len(found.query_ids))
        indices[batch, 1:] = positions.of(found.ids.ravel()).reshape(found.ids.shape)
        distances[batch, 1:] = found.scores if metric == "l2" else np.maximum(1 - found.scores, 0)
        told("nearest neighbours", done, len(rows))
    return indices, distances


def _start(rows: Embeddings, metric: Metric, seed: int, told: Told) -> NDArray[np.float32]:
    """Where the layout starts: the projection on two principal axes.

    It keeps what is far apart in place as well as eigenvectors of the graph do (D. Kobak and G. C. Linderman, "Initialization is
    critical for preserving global data structure in both t-SNE and UMAP", Nature Biotechnology 39, 2021), takes seconds, and
    does not mind a graph of many components, which equal rows give.
    """
    mean, axes = _principal_axes(rows, metric)
    placed = np.zeros((len(rows), 2))
    done = 0
    for vectors in _batches(rows, metric):
        placed[done : done + len(vectors), : axes.shape[1]] = (vectors - mean) @ axes
        done += len(vectors)
        told("principal axes", done, len(rows))
    largest = np.abs(placed).max(initial=0)
    placed *= SIDE / largest if largest > 0 else 1
    if len(rows) > FEW:
        placed += np.random.default_rng(seed).normal(scale=NOISE, size=placed.shape)
    return placed.astype(np.float32)


def _principal_axes(rows: Embeddings, metric: Metric) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean, (dim,), and the two principal axes, (dim, 2), of some rows; one axis where there is one dimension."""
    count = max(min(len(rows), AXES_ROWS, AXES_COMPONENTS // rows.dim), 1)
    chosen = rows.ids[np.linspace(0, len(rows) - 1, count).astype(np.int64)]
    vectors = _scaled(rows.vectors(chosen), metric)
    mean = vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    axes = directions[:2].T
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return mean, axes * np.sign(largest)


def _batches(rows: Embeddings, metric: Metric) -> Iterator[NDArray[np.float64]]:
    for begin in range(0, len(rows), BATCH):
        yield _scaled(rows.rows(begin, begin + BATCH)[1], metric)


def _scaled(vectors: NDArray[np.float32], metric: Metric) -> NDArray[np.float64]:
    """The vectors in float64; by cosine only their directions count.

    Raises:
        emm1.errors.EmbeddingError: a vector has no place.
    """
    wide = vectors.astype(np.float64)
    if not np.isfinite(wide).all():
        raise EmbeddingError("a row holds NaN or an infinity, which has no place on a map: `emm1 check` says which")
    return wide if metric == "l2" else wide / np.linalg.norm(wide, axis=1, keepdims=True)


def _quiet() -> warnings.catch_warnings[None]:
    """What UMAP and its packages remark is about options that nobody chose here."""
    return warnings.catch_warnings(action="ignore")


class _Epochs:
    """A file to which UMAP's progress bar writes how many of its epochs are done."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def write(self, text: str) -> None:
        """Take what the bar would show."""
        if found := re.search(r"(\d+)/(\d+)", text):
            self._told("layout", int(found[1]), int(found[2]))

    def flush(self) -> None:
        """Nothing waits."""
