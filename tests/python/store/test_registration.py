"""What is found out about a file when it is registered: the source of its ids, which items it covers, odd vectors."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from system import emm1_cli

import emm1
from emm1.errors import EmbeddingsWarning
from emm1.store.registration import Registration


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> emm1.Store:
    return emm1.open(shutil.copy(store_path, tmp_path / "emm1.duckdb"))


@pytest.fixture
def image(tree: Path) -> np.ndarray:
    return np.asarray(np.load(tree / "embeddings/image.npy"))


@pytest.fixture
def items(store: emm1.Store) -> list[int]:
    """The ids of the images, ascending, as SQL has them."""
    ids = store.sql("SELECT encord_image_id FROM e_mm1_100m.image ORDER BY ALL").fetchall()
    return [number for (number,) in ids]


def add(store: emm1.Store, file: Path, **options: Any) -> Registration:
    options = {"dataset": "100m", "modality": "image", "replace": True, **options}
    return store.registry.add("x", file, **options)


def test_where_the_ids_come_from(store: emm1.Store, tree: Path, tmp_path: Path, items: list[int]) -> None:
    rows = np.eye(4, dtype=np.float32)
    np.save(file := tmp_path / "few.npy", rows)
    np.save(tmp_path / "ids.npy", items[:4])
    found = add(store, file, ids=tmp_path / "ids.npy")
    assert (found.id_source, found.ids_path, found.covered) == ("given", tmp_path / "ids.npy", 4)
    assert (
        str(found) == f"4 × 4 float32; ids as given, in ids.npy; 4 of {len(items):,} image items of 100m have a vector"
    )
    found = add(store, file, ids=items[:4])
    assert (found.id_source, found.ids_path) == ("given", tmp_path / "few.ids.npy")
    found = add(store, file)
    assert (found.id_source, found.ids_path, found.facts[1]) == (
        "beside",
        tmp_path / "few.ids.npy",
        "ids from few.ids.npy",
    )
    (tmp_path / "shards").mkdir()
    np.save(tmp_path / "shards/1.npy", rows)
    np.save(tmp_path / "shards/1.ids.npy", items[:4])
    assert add(store, tmp_path / "shards").facts[1] == "ids from shards/*.ids.npy"
    found = add(store, tree / "embeddings/eshot_audio.npy", dataset="eshot", modality="audio")
    assert (found.id_source, found.items, found.covered) == ("info order", found.rows, found.rows)
    assert found.facts[1] == "ids in the order of the info CSV"


def test_how_many_items_have_a_vector(store: emm1.Store, image: np.ndarray, tmp_path: Path, items: list[int]) -> None:
    beyond = max(items) + 1
    np.save(file := tmp_path / "x.npy", image[:20])
    np.save(tmp_path / "ids.npy", [*items[:17], beyond, beyond + 1, beyond + 2])
    found = add(store, file, ids=tmp_path / "ids.npy")
    assert (found.rows, found.covered, found.items) == (20, 17, len(items))
    assert found.notes == (f"3 of its 20 ids are not in e_mm1_100m.image (the first is {beyond})",)
    np.save(tmp_path / "ids.npy", np.arange(beyond, beyond + 20))
    found = add(store, file, ids=tmp_path / "ids.npy")
    assert found.covered == 0
    assert found.notes == (
        f"none of its ids is in e_mm1_100m.image (the first is {beyond}): are they of another split or modality?",
    )


def test_rows_without_ids_for_some_of_the_items(store: emm1.Store, tmp_path: Path) -> None:
    """The ids of the points of the sample are the row numbers, as those of the published files may be."""
    store.connection.execute("DELETE FROM e_mm1_100m.points")
    store.connection.execute(
        "INSERT INTO e_mm1_100m.points BY NAME SELECT range::INTEGER AS encord_points_id FROM range(9)"
    )
    for rows, notes in ((9, 0), (6, 1)):
        np.save(file := tmp_path / f"{rows}.npy", np.eye(rows, dtype=np.float32))
        found = add(store, file, modality="points")
        assert (found.id_source, found.ids_path, found.covered, found.items) == ("row numbers", None, rows, 9)
        assert len(found.notes) == notes
    assert "6 rows and no ids, but there are 9 points items of 100m" in found.notes[0]
    np.save(file := tmp_path / "10.npy", np.eye(10, dtype=np.float32))
    with pytest.raises(emm1.EmbeddingError, match="row 9 would be the item 9"):
        add(store, file, modality="points")


WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "codes": lambda _: {},
    "no codes": lambda _: {"codes": False},
    "codes that were there": lambda path: {"codes": emm1.Embeddings(path).build_codes()},
}


@pytest.mark.parametrize("way", WAYS)
def test_zero_vectors_and_norms(way: str, store: emm1.Store, tmp_path: Path, items: list[int]) -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(len(items), 24)).astype(np.float32) * rng.uniform(0.1, 9, size=(len(items), 1))
    rows[[7, 12, 70]] = 0
    np.save(file := tmp_path / "x.npy", rows.astype(np.float32))
    norms = np.linalg.norm(rows.astype(np.float32).astype(np.float64), axis=1)
    norms = norms[norms > 0]
    ids = items[::-1]
    np.save(tmp_path / "x.ids.npy", ids)
    options = WAYS[way](file)
    found = add(store, file, metric="cosine", **options)
    assert found.zero_rows == 3
    assert found.norms == pytest.approx((norms.min(), np.median(norms), norms.max()), rel=1e-6)
    zero = (
        f"zero vectors: 3 of {len(ids):,} rows (the first is row 7, id {ids[7]}); their cosine and dot product with "
        "everything are 0"
    )
    assert found.notes == (zero,)
    with pytest.warns(EmbeddingsWarning) as warned:
        store.add_embeddings("x", file, dataset="100m", modality="image", metric="dot", replace=True, **options)
    assert str(warned[0].message) == f"x: {zero}"
    assert f"from {norms.min():.4g} to {norms.max():.4g} (median {np.median(norms):.4g})" in str(warned[1].message)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("metric", ["dot", "cosine", "l2"])
def test_unit_vectors_are_not_noted(
    dtype: str, metric: str, store: emm1.Store, tmp_path: Path, items: list[int]
) -> None:
    rows = np.random.default_rng(3).normal(size=(len(items), 48))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.save(file := tmp_path / "x.npy", (rows * 127 if dtype == "int8" else rows).astype(dtype))
    np.save(tmp_path / "x.ids.npy", items)
    found = add(store, file, metric=metric)
    assert len(found.notes) == (dtype == "int8" and metric == "dot")


def test_a_store_without_such_items(store: emm1.Store, tmp_path: Path) -> None:
    np.save(file := tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    store.connection.execute("DELETE FROM e_mm1_100m.video")
    found = add(store, file, modality="video")
    assert (found.covered, found.items, found.facts[2]) == (0, 0, "the store has no video items of 100m")
    assert found.notes == ("e_mm1_100m.video is empty in this store, so the ids were not checked",)


def test_only_zero_vectors(store: emm1.Store, tmp_path: Path, items: list[int]) -> None:
    np.save(file := tmp_path / "x.npy", np.zeros((3, 5), np.float32))
    np.save(tmp_path / "x.ids.npy", items[:3])
    found = add(store, file, metric="dot")
    assert (found.zero_rows, found.norms, len(found.notes)) == (3, None, 1)


@pytest.mark.parametrize("codes", [None, False])
def test_nan_is_refused(codes: Any, store: emm1.Store, image: np.ndarray, tmp_path: Path, items: list[int]) -> None:
    rows = image.copy()
    rows[11, 2] = np.inf
    np.save(file := tmp_path / "x.npy", rows)
    with pytest.raises(emm1.EmbeddingError, match=rf"row 11 \(id {items[11]}\) holds NaN or an infinity"):
        add(store, file, ids=items, codes=codes)
    assert "x" not in store.registry
    assert not (tmp_path / "x.ids.npy").exists()


def test_nothing_is_said_of_the_sample(store: emm1.Store, tree: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in ("cosine", "dot"):
            for name in ("text", "image", "video"):
                file = tree / f"embeddings/{name}.npy"
                store.add_embeddings(name, file, dataset="100m", modality=name, metric=metric, replace=True)


def test_the_command_says_it(store: emm1.Store, image: np.ndarray, tmp_path: Path, items: list[int]) -> None:
    store.close()
    rows = image[:50] * 3
    rows[4] = 0
    np.save(tmp_path / "x.npy", rows)
    np.save(tmp_path / "x.ids.npy", items[:50])
    done = emm1_cli(
        *("embeddings", "add", store.path, "x", tmp_path / "x.npy"),
        *("--dataset", "100m", "--modality", "image", "--metric", "dot"),
    )
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            f"x: 50 × {image.shape[1]} float32; ids from x.ids.npy",
            f"50 of {len(items):,} image items of 100m have a vector",
        ],
    )
    assert [line.split(" (")[0] for line in done.stderr.splitlines()] == [
        "emm1: note: zero vectors: 1 of 50 rows",
        "emm1: note: the norms of its vectors are 3, not 1, and the metric is dot: scores are multiples of cosines",
    ]


def test_a_store_without_embeddings(store: emm1.Store) -> None:
    store.close()
    done = emm1_cli("search", store.path, "nothing", "--id", 0)
    assert done.returncode == 1
    assert done.stderr == (
        "emm1: no embeddings are called 'nothing': none are registered in this store: register a file with "
        "`emm1 embeddings add`, or in Python with `Store.add_embeddings`\n"
    )
    done = emm1_cli("embeddings", "verify", store.path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "emm1: note: no embeddings are registered in this store, so there is nothing to verify\n"
