"""All methods of a store may be called from any thread, with the same answers as in a single thread."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

import emm1

THREADS, ROUNDS = 16, 6


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[emm1.Store]:
    path = tmp_path_factory.mktemp("threads") / "emm1.duckdb"
    with emm1.build(tree, path) as built:
        for name in ("text", "image"):
            built.add_embeddings(name, tree / f"embeddings/{name}.npy", dataset="100m", modality=name)
        for name in ("audio", "points"):
            file = tree / f"embeddings/eshot_{name}.npy"
            built.add_embeddings(f"eshot_{name}", file, dataset="eshot", modality=name)
        yield built


def captions_of(store: emm1.Store, query: Any) -> Any:
    hits = store.nearest("text", query, k=5)
    assert isinstance(hits, duckdb.DuckDBPyRelation)  # the SQL below refers to it by name
    return store.sql("SELECT id, caption FROM hits JOIN e_mm1_100m.text ON id = encord_text_id ORDER BY id").fetchall()


def asked_by_cursor(store: emm1.Store) -> Any:
    with store.cursor() as cursor:
        return cursor.execute("SELECT media_root(), count(*) FROM e_mm1_100m.groups").fetchall()


def calls(store: emm1.Store) -> dict[str, Callable[[], Any]]:
    query = store.embeddings("text").vectors(store.embeddings("text").ids[:1])[0]
    some = store.embeddings("text").ids[:20].tolist()
    where = "source_dataset = 'COCO'"
    return {
        "nearest": lambda: store.nearest("image", query, k=7).fetchall(),
        "nearest where": lambda: store.nearest("image", query, k=7, where=where).fetchall(),
        "sql that sees a relation": lambda: captions_of(store, query),
        "sql": lambda: store.sql("SELECT count(*), sum(nn_index) FROM groups").fetchall(),
        "cursor": lambda: asked_by_cursor(store),
        "groups": lambda: store.groups(nn_index=[1, 2]).order("ALL").fetchall(),
        "frame of groups": lambda: pl.DataFrame(store.groups(nn_index=3).pl()).sort("encord_text_id").rows(),
        "groups of captions": lambda: store.groups(captions=some, modalities=["image"]).order("ALL").fetchall(),
        "triplets": lambda: store.triplets(modalities=["points", "audio"]).order("ALL").fetchall(),
        "metric": lambda: store.metric("image"),
        "embeddings": lambda: list(store.embeddings("image").ids),
        "eshot": lambda: str(store.eshot("eshot_audio", "eshot_points")),
    }


def test_everything_from_16_threads_at_once(store: emm1.Store) -> None:
    asked = calls(store)
    alone = {name: call() for name, call in asked.items()}
    at_once = threading.Barrier(THREADS)

    def ask(first: int) -> list[str]:
        at_once.wait()
        names = [*asked] * (ROUNDS // 3)
        return [name for name in names[first % len(names) :] + names if asked[name]() != alone[name]]

    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(ask, number) for number in range(THREADS)]
        # Meanwhile the thread that opened the store keeps using it too.
        wrong_here = [name for name in [*asked] * 2 if asked[name]() != alone[name]]
        assert [wrong for each in running for wrong in each.result()] + wrong_here == []


def test_relations_go_from_one_thread_to_another(store: emm1.Store) -> None:
    query = np.ones(16, np.float32)
    expected = store.nearest("image", query, k=5).fetchall()

    async def many() -> list[duckdb.DuckDBPyRelation]:
        asked = [asyncio.to_thread(store.nearest, "image", query, 5) for _ in range(40)]
        asked += [asyncio.to_thread(store.sql, "FROM (VALUES (1), (2)) AS v(n)") for _ in range(40)]
        return await asyncio.gather(*asked)

    found = asyncio.run(many())
    with ThreadPoolExecutor(THREADS) as pool:
        rows = list(pool.map(lambda relation: relation.fetchall(), found))
    assert rows == [expected] * 40 + [[(1,), (2,)]] * 40


def test_embeddings_registered_from_many_threads(tree: Path, store: emm1.Store, tmp_path: Path) -> None:
    rows = np.load(tree / "embeddings/image.npy")
    files = [tmp_path / f"added{number}.npy" for number in range(THREADS)]
    for file in files:
        np.save(file, rows)

    def add(number: int) -> Any:
        for name in (f"added{number}", "same"):
            store.add_embeddings(name, files[number], dataset="100m", modality="image", replace=True)
        return store.nearest(f"added{number}", rows[number], k=1).fetchall()[0][1]

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(add, range(THREADS))) == list(range(THREADS))
    names = {name for (name,) in store.sql("SELECT name FROM embeddings").fetchall()}
    assert {"same", *(file.stem for file in files)} <= names


def test_variables_of_the_thread_that_opened_the_store(tree: Path, store_path: Path, tmp_path: Path) -> None:
    ask = "SELECT media_root(), media_folder('audio'), count(*) FROM duckdb_tables() WHERE table_name = 'mine'"
    with emm1.open(store_path, read_only=True, root=tmp_path) as store, ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: store.sql(ask).fetchall()).result() == [(str(tmp_path), "audio", 0)]
        store.sql("SET VARIABLE emm1_root = '/da\"ta''s'")
        store.sql("SET VARIABLE emm1_audio_folder = 'video'")
        store.sql("CREATE TEMP TABLE mine AS SELECT 1")
        expected = [("/da\"ta's", "video", 0)]
        assert pool.submit(lambda: store.sql(ask).fetchall()).result() == expected
        assert pool.submit(lambda: store.cursor().execute(ask).fetchall()).result() == expected
        # A variable that another thread sets lasts only for that call.
        pool.submit(store.sql, "SET VARIABLE emm1_root = '/elsewhere'").result()
        assert pool.submit(lambda: store.sql(ask).fetchall()).result() == expected
        store.sql("RESET VARIABLE emm1_root")
        assert pool.submit(lambda: store.sql(ask).fetchall()).result()[0][0] == str(tree)
        assert store.sql("SELECT count(*) FROM mine").fetchall() == [(1,)]


def test_a_result_of_the_connection_is_fetched_whole(tree: Path, store: emm1.Store) -> None:
    """Other calls do not end the result; those that DuckDB cannot answer in the meantime raise an error."""
    query = "SELECT range FROM range(20_000)"
    meanwhile: dict[str, Callable[[], Any]] = {
        "cursor": lambda: asked_by_cursor(store),
        "embeddings": lambda: store.embeddings("image").ids,
        "metric": lambda: store.metric("image"),
        "eshot": lambda: store.eshot("eshot_audio", tree / "embeddings/eshot_points.npy"),
        "nearest": lambda: store.nearest("image", np.ones(16, np.float32)).fetchall(),
        "groups_frame": lambda: store.groups_frame(1),
        "triplets_frame": store.triplets_frame,
        "add": lambda: store.add_embeddings(
            "again", tree / "embeddings/image.npy", dataset="100m", modality="image", replace=True
        ),
    }
    for name, call in meanwhile.items():
        connection = store.connection
        rows = [connection.execute(query).fetchone()]
        with suppress(duckdb.Error):
            call()
        rows += connection.fetchall()
        assert rows == [(number,) for number in range(20_000)], name


def test_a_store_that_is_closed_is_closed_for_every_thread(store_path: Path) -> None:
    with warnings.catch_warnings(), ThreadPoolExecutor(1) as pool:
        store = emm1.open(store_path, read_only=True)
        relation = pool.submit(store.sql, "SELECT 1").result()
        cursor = pool.submit(store.cursor).result()
        store.close()
        for ask in (relation.fetchall, lambda: cursor.execute("SELECT 1")):  # DuckDB's own objects
            with pytest.raises(duckdb.ConnectionException):
                pool.submit(ask).result()
        with pytest.raises(emm1.StoreError, match=r"emm1\.duckdb is closed"):
            pool.submit(store.sql, "SELECT 1").result()
    # No connection keeps the file open: it can be opened with other settings.
    emm1.open(store_path).close()
