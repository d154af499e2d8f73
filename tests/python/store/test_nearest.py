"""`Store.nearest`: several queries, what is left out, and what the items are; scores against the float64 reference."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import order, scores

import emm1
from emm1.embeddings.file import METRICS, Metric
from emm1.embeddings.others import search_others


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[emm1.Store]:
    """A store with embeddings of captions, of images (each vector four times) and of EShot."""
    folder = tmp_path_factory.mktemp("nearest")
    with emm1.build(tree, folder / "emm1.duckdb") as store:
        images = np.load(tree / "embeddings/image.npy")
        images[:] = images[np.arange(len(images)) // 4]
        np.save(folder / "image.npy", images)
        store.add_embeddings("image", folder / "image.npy", dataset="100m", modality="image")
        store.add_embeddings("text", tree / "embeddings/text.npy", dataset="100m", modality="text", metric="l2")
        store.add_embeddings("points", tree / "embeddings/eshot_points.npy", dataset="eshot", modality="points")
        yield store


def expected(
    store: emm1.Store, name: str, query: NDArray[Any], k: int, metric: Metric, left_out: NDArray[np.bool_] | None = None
) -> list[tuple[int, int, float]]:
    """Rank, id and score by the reference."""
    embeddings = store.embeddings(name)
    ids, rows = embeddings.rows(0, len(embeddings))
    if left_out is not None:
        ids, rows = ids[~left_out], rows[~left_out]
    found = scores(metric, query.astype(np.float32), rows)
    best = order(metric, found, ids)[:k]
    return [(rank, int(ids[row]), float(found[row])) for rank, row in enumerate(best, 1)]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", ["image", "text", "points"])
def test_several_queries_are_as_many_single_ones(store: emm1.Store, name: str, metric: Metric) -> None:
    queries = np.random.default_rng(3).normal(size=(7, 16))
    relation = store.nearest(name, queries, k=9, metric=metric)
    assert relation.columns == ["query_index", "rank", "id", "score"]
    assert [str(kind) for kind in relation.types] == ["BIGINT", "BIGINT", "BIGINT", "FLOAT"]
    rows = relation.fetchall()
    assert rows == [(i, *row) for i, query in enumerate(queries) for row in expected(store, name, query, 9, metric)]
    single = store.nearest(name, queries[4], k=9, metric=metric)
    assert single.columns == ["rank", "id", "score"]
    assert single.fetchall() == [row[1:] for row in rows if row[0] == 4]


def test_as_few_queries_and_items_as_there_are(store: emm1.Store) -> None:
    assert store.nearest("image", np.empty((0, 16))).fetchall() == []
    assert store.nearest("image", np.empty((0, 16)), with_items=True, exclude_self=True).columns[-1] == "file_path"
    assert store.nearest("image", np.ones((1, 16)), k=2).select("query_index").fetchall() == [(0,), (0,)]
    every = len(store.embeddings("image"))
    assert len(store.nearest("image", np.ones((2, 16)), k=10**6).fetchall()) == 2 * every
    assert len(store.nearest("image", ids=3, k=2**62, exclude_self=True).fetchall()) == every - 1
    assert store.nearest("image", np.ones((2, 16)), where="false", exclude_self=True).fetchall() == []


def test_by_ids(store: emm1.Store) -> None:
    vectors = store.embeddings("image").vectors([9, 2, 9])
    assert store.nearest("image", ids=[9, 2, 9]).fetchall() == store.nearest("image", vectors).fetchall()
    assert store.nearest("image", ids=2).fetchall() == store.nearest("image", vectors[1]).fetchall()
    assert store.nearest("image", ids=np.int32(2)).columns == ["rank", "id", "score"]
    for wrong in (None, vectors):
        with pytest.raises(emm1.EmbeddingError, match="one of queries, ids and text"):
            store.nearest("image", wrong, ids=wrong if wrong is None else [9, 2, 9])
    with pytest.raises(emm1.EmbeddingError, match="id 999999"):
        store.nearest("image", ids=[2, 999_999])


@pytest.mark.parametrize("where", [None, "encord_image_id % 3 > 0"])
@pytest.mark.parametrize("metric", METRICS)
def test_an_item_is_not_among_its_own_neighbours(store: emm1.Store, metric: Metric, where: str | None) -> None:
    """By id the item itself is left out, by vector every item that is equal; k others are found."""
    embeddings = store.embeddings("image")
    ids, rows = embeddings.rows(0, len(embeddings))
    outside = np.zeros(len(ids), bool) if where is None else ids % 3 == 0
    asked = [0, 5, 6, 41]
    for k in (1, 3, 10):
        by_id = store.nearest("image", ids=asked, k=k, metric=metric, where=where, exclude_self=True).fetchall()
        assert by_id == [
            (i, *row)
            for i, item in enumerate(asked)
            for row in expected(store, "image", rows[item], k, metric, outside | (ids == item))
        ]
        vectors = embeddings.vectors(asked)
        by_vector = store.nearest("image", vectors, k=k, metric=metric, where=where, exclude_self=True).fetchall()
        assert by_vector == [
            (i, *row)
            for i, vector in enumerate(vectors)
            for row in expected(store, "image", vector, k, metric, outside | (rows == vector).all(axis=1))
        ]
    one = store.nearest("image", ids=5, k=3, metric=metric, where=where, exclude_self=True).fetchall()
    assert one == expected(store, "image", rows[5], 3, metric, outside | (ids == 5))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.integers(-1, 1), st.integers(-1, 1)), min_size=1, max_size=30),
    k=st.integers(1, 12),
    metric=st.sampled_from(METRICS),
    by_id=st.booleans(),
)
def test_others_of_vectors_with_many_equals(
    tmp_path: Path, rows: list[tuple[int, int]], k: int, metric: Metric, by_id: bool
) -> None:
    vectors = np.array(rows, np.float32)
    np.save(tmp_path / "x.npy", vectors)
    ids = np.arange(len(rows))
    embeddings = emm1.Embeddings(tmp_path / "x.npy")
    found = search_others(embeddings, vectors, k, metric, None, ids if by_id else None)
    assert len(found) == len(rows)
    for row, (found_ids, found_scores) in enumerate(zip(*found, strict=True)):
        others = ids != row if by_id else (vectors != vectors[row]).any(axis=1)
        reference = scores(metric, vectors[row], vectors[others])
        best = order(metric, reference, ids[others])[:k]
        assert found_ids[: len(best)].tolist() == ids[others][best].tolist()
        assert found_scores[: len(best)].tobytes() == reference[best].tobytes()
        assert set(found_ids[len(best) :].tolist()) <= {-1}
        assert np.isnan(found_scores[len(best) :]).all()


@pytest.mark.parametrize(("name", "what"), [("image", "file_path"), ("text", "caption"), ("points", "file_path")])
def test_with_items(store: emm1.Store, tmp_path: Path, name: str, what: str) -> None:
    entry = store.registry[name]
    items = f"""
        SELECT a.id, a.source_dataset, a.dataset_license, {"t.caption" if what == "caption" else "a.file_path"}
        FROM assets a LEFT JOIN e_mm1_100m.text t ON t.encord_text_id = a.id
        WHERE dataset = '{entry.dataset}' AND modality = '{entry.modality}'
    """
    store.sql(f"SET VARIABLE emm1_root = '{tmp_path}'")
    known = {row[0]: row[1:] for row in store.sql(items).fetchall()}
    queries = np.random.default_rng(5).normal(size=(20, 16))
    for asked in (queries, queries[0]):
        plain, relation = store.nearest(name, asked), store.nearest(name, asked, with_items=True)
        assert relation.columns == [*plain.columns, "source_dataset", "dataset_license", what]
        assert relation.fetchall() == [(*row, *known[row[-2]]) for row in plain.fetchall()]
    if what == "file_path":
        assert relation.fetchall()[0][-1].startswith(f"{tmp_path}/")
    store.sql("RESET VARIABLE emm1_root")


def test_an_item_without_an_info_row(tree: Path, tmp_path: Path) -> None:
    """The hit stays, with NULLs."""
    np.save(tmp_path / "x.npy", np.eye(3, 16, dtype=np.float32))
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=[1]) as store:
        store.registry.add("x", tmp_path / "x.npy", ids=[7, 123_456_789, 8], dataset="100m", modality="image")
        found = store.nearest("x", np.eye(3, 16)[1], k=1, with_items=True).fetchall()
        assert found == [(1, 123_456_789, 1.0, None, None, None)]


def test_the_relation_is_one_like_others(store: emm1.Store) -> None:
    near = store.nearest("image", ids=[1, 2], k=4, with_items=True)
    assert near.filter("rank = 1").select("id").fetchall() == [(0,), (0,)]
    assert store.sql("SELECT count(*), min(file_path) IS NULL FROM near").fetchall() == [(8, False)]
    assert near.pl().shape == (8, 7)
    assert near.fetchall() == near.fetchall()


def test_where_external_access_is_off(tree: Path, tmp_path: Path) -> None:
    """DuckDB then looks for no variables."""
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=[1]) as store:
        store.add_embeddings("text", tree / "embeddings/text.npy", dataset="100m", modality="text")
        before = store.nearest("text", ids=[3, 4], with_items=True).fetchall()
        store.sql("SET enable_external_access = false")
        assert store.nearest("text", ids=[3, 4], with_items=True).fetchall() == before


def test_a_search_imports_no_frames(store: emm1.Store) -> None:
    """Their import takes longer than the search."""
    code = """
import sys, emm1
with emm1.open(sys.argv[1], read_only=True) as store:
    query = store.embeddings("image").vectors([1])[0]
    print(store.nearest("image", query, where="encord_image_id < 50", exclude_self=True, with_items=True).fetchall())
print({"polars", "pyarrow", "pandas", "sqlglot"} & set(sys.modules), file=sys.stderr)
"""
    store.connection.execute("CHECKPOINT")
    copy = store.path.with_name("copy.duckdb")
    copy.write_bytes(store.path.read_bytes())
    done = subprocess.run([sys.executable, "-c", code, copy], capture_output=True, text=True, check=True)
    assert (len(done.stdout.split("), (")), done.stderr) == (10, "set()\n")
