"""Makes a map of embeddings: places in two dimensions at which near items are near, kept in the store."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.checks import shown
from emm1.curation.layout import FEW, Told, layout, umap
from emm1.curation.map_report import MapReport
from emm1.curation.map_rows import only, sampled
from emm1.embeddings.file import Embeddings, Metric
from emm1.errors import EmbeddingError
from emm1.store.registration import norms_of
from emm1.store.transactions import all_or_nothing

if TYPE_CHECKING:
    import duckdb

    from emm1.store.store import Store

MAPPED: tuple[Metric, ...] = ("cosine", "l2")
LARGEST_SEED = 2**32 - 1  # of NumPy's RandomState, which UMAP uses


def make_map(
    store: Store,
    name: str,
    *,
    n_neighbors: int,
    min_dist: float,
    metric: Metric | None,
    sample: int,
    seed: int,
    progress: Told,
) -> MapReport:
    """Make a map; `emm1.Store.map` says what the arguments mean."""
    entry = store.registry[name]
    n_neighbors = _whole(n_neighbors, "n_neighbors", 2)
    sample, seed = _whole(sample, "sample", 1), _whole(seed, "seed", 0, LARGEST_SEED)
    if isinstance(min_dist, bool) or not isinstance(min_dist, int | float) or not 0 <= min_dist <= 1:
        raise EmbeddingError(f"min_dist must be a number from 0 to 1, not {shown(min_dist)}")
    chosen_metric = metric or ("l2" if entry.metric == "l2" else "cosine")
    if chosen_metric not in MAPPED:
        raise EmbeddingError(f"neighbours on a map go by {' or '.join(MAPPED)}, not by {shown(metric)}")
    _replace(store, name, None)  # so that a store for reading is refused before the work
    embeddings = store.embeddings(name)
    if len(embeddings) > FEW:
        umap()  # likewise, where the package is missing
    zero = _without_direction(embeddings, chosen_metric, progress)
    ids = embeddings.ids
    wanted = ~zero
    wanted[wanted] = sampled(ids[wanted], sample, seed)
    if not wanted.any():
        raise EmbeddingError(f"{name!r} has {_nothing(embeddings)}: there is nothing to map")
    with only(embeddings, wanted, store.path.parent, progress) as rows:
        placed = layout(
            rows, n_neighbors=n_neighbors, min_dist=min_dist, metric=chosen_metric, seed=seed, told=progress
        )
    count = len(placed)
    progress("writing the map", 0, 0)
    return MapReport(
        name,
        rows=count,
        of=len(embeddings),
        zero_rows=int(np.count_nonzero(zero)),
        n_neighbors=min(n_neighbors, count - 1) if count > FEW else 0,
        asked_neighbors=n_neighbors,
        min_dist=float(min_dist),
        metric=chosen_metric,
        registered_metric=entry.metric,
        seed=seed,
        replaced=_replace(store, name, pa.table({"id": ids[wanted], "x": placed[:, 0], "y": placed[:, 1]})),
    )


def _whole(value: int, name: str, least: int, most: int | None = None) -> int:
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or (most is not None and number > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most:,}"
        raise EmbeddingError(f"{name} must be a whole number {limits}, not {shown(value)}")
    return number


def _without_direction(embeddings: Embeddings, metric: Metric, told: Told) -> NDArray[np.bool_]:
    """Whether a row is a zero vector where only directions count."""
    if metric == "l2":
        return np.zeros(len(embeddings), np.bool_)
    norms = norms_of(embeddings, lambda rows: told("norms", rows, len(embeddings)))
    return np.asarray(norms == 0)


def _nothing(embeddings: Embeddings) -> str:
    return f"only zero vectors, {len(embeddings):,} of them" if len(embeddings) else "no vectors"


def _replace(store: Store, name: str, points: pa.Table | None) -> int:
    """Put points in the place of a map, or leave it as it is; returns how many points it had.

    It happens in one transaction, so that the map is always the old one or the new one.

    Raises:
        emm1.errors.StoreError: the store is open for reading only.
    """
    changed = "the maps were changed by another connection meanwhile: make the map again"
    with store.cursor() as connection, all_or_nothing(connection, purpose="map embeddings", changed=changed):
        return _written(connection, name, points)


def _written(connection: duckdb.DuckDBPyConnection, name: str, points: pa.Table | None) -> int:
    if points is None:
        connection.execute("DELETE FROM maps WHERE false")
        return 0
    ((replaced,),) = connection.execute("SELECT count(*) FROM maps WHERE name = $name", {"name": name}).fetchall()
    connection.execute("DELETE FROM maps WHERE name = $name", {"name": name})
    connection.register("emm1_points", points)
    connection.execute("INSERT INTO maps SELECT $name, id, x, y FROM emm1_points ORDER BY id", {"name": name})
    connection.unregister("emm1_points")
    return int(replaced)
