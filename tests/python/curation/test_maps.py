"""Maps keep near what is near, are whole or as they were, and what cannot be mapped is left out or refused with a reason."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness
from system import emm1_cli, small_disk

import emm1
from emm1.curation.layout import neighbours
from emm1.curation.map_rows import only, sampled
from emm1.embeddings.file import Metric

needs_umap = pytest.mark.skipif(find_spec("umap") is None, reason="umap-learn is not installed")
Rows = NDArray[np.floating]
WORD = 2**64 - 1


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("maps") / "emm1.duckdb"
    emm1.build(tree, path, splits=["100m"]).close()
    return path


@pytest.fixture
def store(built: Path, tmp_path: Path) -> emm1.Store:
    path = tmp_path / "emm1.duckdb"
    path.write_bytes(built.read_bytes())
    return emm1.open(path)


def add(store: emm1.Store, rows: Rows, metric: Metric = "cosine", name: str = "x") -> NDArray[np.int64]:
    """Register rows under ids that are not their positions; returns the ids."""
    ids = np.arange(len(rows))[::-1] * 2
    file = store.path.with_name(f"{name}.npy")
    np.save(file, rows)
    store.registry.add(name, file, dataset="100m", modality="text", ids=ids, metric=metric)
    return ids


def places(store: emm1.Store, ids: NDArray[np.int64], name: str = "x") -> NDArray[np.float64]:
    """Where a map puts these ids; NaN for those that it does not have."""
    rows = store.sql("SELECT id, x, y FROM maps WHERE name = $name", params={"name": name}).fetchall()
    found = {number: place for number, *place in rows}
    assert len(found) == len(rows)
    return np.array([found.get(number, [np.nan, np.nan]) for number in ids.tolist()])


def clusters(rows: int, dims: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(8, dims))
    return (centres[random.integers(0, 8, rows)] + 0.2 * random.normal(size=(rows, dims))).astype(np.float32)


def distances_of(rows: Rows, metric: Metric) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    if metric == "cosine":
        directions = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        return np.asarray(1 - directions @ directions.T)
    return np.asarray(np.linalg.norm(wide[:, None] - wide[None], axis=2))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_neighbours_are_those_of_numpy(tmp_path: Path, metric: Metric, dtype: str) -> None:
    rows = clusters(300, 24).astype(dtype)
    np.save(tmp_path / "x.npy", rows)
    told: list[tuple[str, int, int]] = []
    indices, found = neighbours(
        emm1.Embeddings(tmp_path / "x.npy", ids=np.arange(300)[::-1]), 15, metric, lambda *said: told.append(said)
    )
    true = distances_of(rows, metric)
    np.fill_diagonal(true, -1)
    order = np.argsort(true, axis=1)[:, :15]
    np.fill_diagonal(true, 0)
    assert np.array_equal(indices, order)
    assert np.array_equal(indices[:, 0], np.arange(300))
    np.testing.assert_allclose(found, np.take_along_axis(true, order, axis=1), atol=2e-6)
    assert (found >= 0).all()
    assert told[0] == ("nearest neighbours", 0, 300)
    assert told[-1] == ("nearest neighbours", 300, 300)


@needs_umap
@pytest.mark.parametrize("metric", ["cosine", "l2", "dot"])
def test_near_items_are_near(store: emm1.Store, metric: Metric) -> None:
    rows = clusters(400, 16)
    ids = add(store, rows, metric)
    report = store.map("x")
    placed = places(store, ids)
    space = "euclidean" if metric == "l2" else "cosine"
    kept = trustworthiness(rows, placed, n_neighbors=10, metric=space)
    by_chance = trustworthiness(rows, np.random.default_rng(0).normal(size=placed.shape), n_neighbors=10, metric=space)
    assert kept > 0.9
    assert by_chance < 0.6
    assert (report.rows, report.of, report.zero_rows, report.replaced) == (400, 400, 0, 0)
    assert report.metric == ("l2" if metric == "l2" else "cosine")
    assert any("a dot product is no distance" in note for note in report.notes) == (metric == "dot")
    again = store.map("x")
    assert again.replaced == 400
    assert np.array_equal(places(store, ids), placed)  # on the same machine
    store.map("x", seed=1)
    assert not np.array_equal(places(store, ids), placed)


def hashed(value: int) -> int:
    """SplitMix64, as its paper has it, in Python's integers."""
    x = (value + 0x9E3779B97F4A7C15) & WORD
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & WORD
    return x ^ x >> 31


@pytest.mark.parametrize("seed", [0, 7])
def test_a_sample_is_that_of_the_smallest_hashes(seed: int) -> None:
    ids = np.arange(1000)[::-1] * 3
    best = sorted(ids.tolist(), key=lambda number: hashed(number ^ hashed(seed)))[:100]
    assert set(ids[sampled(ids, 100, seed)].tolist()) == set(best)
    assert sampled(ids, 1000, seed).all()


@needs_umap
def test_a_sample_is_mapped_by_itself(store: emm1.Store) -> None:
    rows = clusters(600, 16)
    ids = add(store, rows)
    report = store.map("x", sample=200)
    placed = places(store, ids)
    chosen = ~np.isnan(placed[:, 0])
    assert (report.rows, report.of) == (200, 600)
    assert np.array_equal(chosen, sampled(ids, 200, 0))
    assert trustworthiness(rows[chosen], placed[chosen], n_neighbors=10, metric="cosine") > 0.9
    assert "a sample: 200 of 600 vectors" in str(report)
    assert not list(store.path.parent.glob(".emm1-map-*"))


@needs_umap
def test_vectors_without_a_direction_are_left_out(store: emm1.Store) -> None:
    rows = clusters(60, 8)
    rows[[3, 50]] = 0
    ids = add(store, rows)
    report = store.map("x")
    assert np.flatnonzero(np.isnan(places(store, ids)[:, 0])).tolist() == [3, 50]
    assert (report.rows, report.zero_rows) == (58, 2)
    assert "left out: 2 zero vectors" in str(report)
    assert store.map("x", metric="l2").rows == 60  # where they are a place like any other


@needs_umap
@pytest.mark.parametrize(
    ("rows", "neighbors"),
    [
        (clusters(1, 4), 0),
        (clusters(2, 4), 0),
        (clusters(3, 4), 0),
        (clusters(4, 4), 3),
        (clusters(12, 4), 11),
        (clusters(40, 1), 15),
        (np.ones((40, 4), np.float32), 15),
        (np.repeat(clusters(4, 8), 30, axis=0), 15),
        (clusters(40, 8).astype(np.float16), 15),
        (clusters(40, 8) * np.float32(1e-20), 15),
    ],
    ids=[
        "1 row",
        "2 rows",
        "3 rows",
        "4 rows",
        "few rows",
        "1 dimension",
        "all equal",
        "many equal",
        "float16",
        "tiny",
    ],
)
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_every_row_has_a_place(store: emm1.Store, rows: Rows, neighbors: int, metric: Metric) -> None:
    ids = add(store, rows, metric)
    report = store.map("x")
    assert np.isfinite(places(store, ids)).all()
    assert report.n_neighbors == neighbors
    assert ("because there are only" in str(report)) == (0 < neighbors < 15)


@pytest.mark.parametrize("stage", ["norms", "principal axes", "copying the rows of the map", "writing the map"])
def test_the_former_map_is_kept(store: emm1.Store, stage: str) -> None:
    ids = add(store, clusters(3, 4))
    store.map("x")
    before = places(store, ids)

    def interrupt(what: str, _done: int, _total: int) -> None:
        if what == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.map("x", sample=2, progress=interrupt)
    assert np.array_equal(places(store, ids), before)
    assert not list(store.path.parent.glob(".emm1-map-*"))
    store.map("x", sample=2)
    assert np.isnan(places(store, ids)).any(axis=1).sum() == 1


def test_a_failed_write_leaves_the_former_map(store: emm1.Store) -> None:
    ids = add(store, clusters(3, 4))
    store.map("x")
    before = places(store, ids)
    with store.cursor() as other:
        other.begin()
        other.execute("DELETE FROM maps")
        with pytest.raises(emm1.StoreError, match="changed by another connection meanwhile: make the map again"):
            store.map("x")
        other.rollback()
    assert np.array_equal(places(store, ids), before)


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", clusters(4000, 256))
    embeddings = emm1.Embeddings(tmp_path / "x.npy")
    with (
        small_disk(tmp_path / "small", "1m") as small,
        pytest.raises(emm1.errors.WriteError, match="cannot hold the rows of the map: No space left on device"),
        only(embeddings, np.arange(4000) > 0, small, lambda *_: None),
    ):
        pass


def test_maps_of_several_embeddings(store: emm1.Store) -> None:
    for name in ("x", "y"):
        add(store, clusters(3, 4), name=name)
        store.map(name)
    store.map("x", sample=2)
    rows = store.sql("SELECT name, count(*) FROM maps GROUP BY name ORDER BY name").fetchall()
    assert rows == [("x", 2), ("y", 3)]


WRONG: dict[str, tuple[Callable[[emm1.Store], object], str]] = {
    "an unknown name": (lambda store: store.map("z"), "x"),
    "one neighbour": (
        lambda store: store.map("x", n_neighbors=1),
        "n_neighbors must be a whole number of at least 2, not 1",
    ),
    "no sample": (lambda store: store.map("x", sample=0), "sample must be a whole number of at least 1"),
    "a fraction": (lambda store: store.map("x", sample=1.5), "sample must be a whole number"),  # type: ignore[arg-type]
    "a large seed": (lambda store: store.map("x", seed=2**32), "seed must be a whole number from 0 to 4,294,967,295"),
    "far apart": (lambda store: store.map("x", min_dist=1.1), "min_dist must be a number from 0 to 1, not 1.1"),
    "no distance": (lambda store: store.map("x", metric="dot"), "neighbours on a map go by cosine or l2, not by 'dot'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused(store: emm1.Store, case: str) -> None:
    add(store, clusters(3, 4))
    ask, said = WRONG[case]
    with pytest.raises(emm1.EmbeddingError, match=said):
        ask(store)


def test_nothing_but_zero_vectors(store: emm1.Store) -> None:
    add(store, np.zeros((5, 4), np.float32))
    with pytest.raises(emm1.EmbeddingError, match="'x' has only zero vectors, 5 of them: there is nothing to map"):
        store.map("x")


def test_without_the_package(store: emm1.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, clusters(4, 4))
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(emm1.Error, match=r"a map needs the package umap-learn .*: pip install 'emm1\[map\]'"):
        store.map("x")


def test_a_store_for_reading(store: emm1.Store) -> None:
    add(store, clusters(3, 4))
    path = store.path
    store.close()
    with (
        emm1.open(path, read_only=True) as reading,
        pytest.raises(emm1.StoreError, match="open it for writing to map embeddings"),
    ):
        reading.map("x")


def test_the_command(store: emm1.Store) -> None:
    add(store, clusters(3, 4), "dot")
    path = store.path
    store.close()
    done = emm1_cli("map", path, "x", "--sample", "2")
    assert (done.returncode, done.stdout) == (0, "map of x: 2 points, by cosine, on principal axes\n")
    assert "emm1: note: a sample: 2 of 3 vectors" in done.stderr
    assert (
        "emm1: note: neighbours go by cosine, although searches go by dot: a dot product is no distance" in done.stderr
    )
    assert emm1_cli("map", path, "x", "--n-neighbors", "1").returncode == 2
    assert emm1_cli("map", path, "z").returncode == 1


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("rows", [3, 40])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_without_a_place(tree: Path, tmp_path: Path, metric: Metric, rows: int, value: float) -> None:
    vectors = np.random.default_rng(0).standard_normal((rows, 8)).astype(np.float32)
    vectors[1, 2] = value
    np.save(tmp_path / "rows.npy", vectors)
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=[1]) as store:
        try:
            store.add_embeddings("rows", tmp_path / "rows.npy", dataset="100m", modality="image")
        except emm1.EmbeddingError:
            return  # refused before
        with pytest.raises(emm1.EmbeddingError, match="NaN or"):
            store.map("rows", metric=metric)
