"""Arguments of the wrong form: the error names the argument in Python's terms, and nothing blocks forever."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from system import emm1_cli

import emm1
from emm1.arguments import read_query
from emm1.checks import duckdb_threads


@pytest.fixture
def x(tmp_path: Path) -> emm1.Embeddings:
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    return emm1.Embeddings(tmp_path / "x.npy")


MASKED = np.ma.masked_array([1.0, 2.0, 3.0], mask=[False, True, False])
WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "masked query": (lambda x: x.search(MASKED), "the query has masked values"),
    "masked queries": (lambda x: x.search([MASKED, MASKED]), "the query has masked values"),
    "masked within": (lambda x: x.within(MASKED, 0.5), "the query has masked values"),
    "masked ids": (lambda x: x.vectors(np.ma.masked_array([1, 2], mask=[False, True])), "ids has masked values"),
    "masked among": (
        lambda x: x.search([1, 0, 0], among=np.ma.masked_array([1, 2], mask=[False, True])),
        "among has masked",
    ),
    "metric": (lambda x: x.search([1, 0, 0], metric=None), "unknown metric None: cosine, dot or l2"),
    "metric of within": (lambda x: x.within([1, 0, 0], 0.5, metric=2), "unknown metric 2"),
    "metric of score": (lambda x: x.score([1], [1, 0, 0], metric=2), "unknown metric 2"),
    "metric of pairs": (
        lambda x: emm1.score_pairs(x, [1], x, [2], metric=2),  # type: ignore[arg-type]
        "unknown metric 2",
    ),
    "among": (lambda x: x.search([1, 0, 0], among="12"), "among must be a list of integers"),
    "among of numbers": (lambda x: x.search([1, 0, 0], among=[0.5]), "among must be a list of integers"),
    "ragged among": (
        lambda x: x.search([1, 0, 0], among=[[1], [1, 2]]),
        "among has the length 2 in row 1, but 1 in row 0",
    ),
    "ids": (lambda x: type(x)(x.path, ids={"a": 1}), "ids must be a list of integers, not {'a': 1}"),
    "one id": (lambda x: emm1.Embeddings(x.path, ids=5.5), "ids must be a list of integers"),
    "ids of bytes": (lambda x: emm1.Embeddings(x.path, ids=b"ids.npy"), "ids must be a list of integers"),
    "large id": (lambda x: x.vectors([2**70]), f"ids has the id {2**70}, which does not fit a signed 64-bit integer"),
    "large negative id": (lambda x: x.score([-(2**70)], [1, 0, 0]), f"ids has the id {-(2**70)}, which does not fit"),
    "large unsigned id": (lambda x: x.vectors([2**63]), f"ids has the id {2**63}, which does not fit"),
    "large among": (lambda x: x.search([1, 0, 0], among=[1, 2**70]), f"among has the id {2**70}"),
    "threads": (lambda x: x.search([1, 0, 0], threads="4"), "threads must be a whole number"),
    "threshold": (lambda x: x.within([1, 0, 0], "0.5"), "the threshold must be a number, not '0.5'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_arguments_of_embeddings(name: str, x: emm1.Embeddings) -> None:
    call, message = WRONG[name]
    with pytest.raises(emm1.EmbeddingError) as raised:
        call(x)
    assert str(raised.value).startswith(message)


def test_arguments_that_are_fine(x: Any) -> None:
    assert x.search(np.ma.masked_array([0.0, 1.0, 0.0]), k=1).ids.tolist() == [1]
    assert x.search([0, 1, 0], among={0, 2}).ids.tolist() == [0, 2]
    assert x.search([0, 1, 0], among=np.ma.masked_array([True, False, True])).ids.tolist() == [0, 2]


WRONG_BUILDS: dict[str, tuple[dict[str, Any], str]] = {
    "splits": ({"splits": "100m"}, "splits must be a list, such as ['100m']"),
    "one split": ({"splits": 1}, "splits must be a list"),
    "ranks": ({"ranks": "1-4"}, "ranks must be a list"),
    "rank": ({"ranks": [17]}, "ranks: 17 is not a rank: 1 (nearest) to 16"),
    "fraction of a rank": ({"ranks": 1.5}, "ranks must be a list"),
    "memory": ({"memory_limit": "lots"}, "the memory limit 'lots' is not an amount of memory: write it as 4GB"),
    "negative memory": ({"memory_limit": "-1GB"}, "the memory limit '-1GB' is not"),
    "no memory": ({"memory_limit": "0GB"}, "the memory limit '0GB' is not"),
    "memory as a number": ({"memory_limit": 4}, "the memory limit 4 is not"),
    "memory without a unit": ({"memory_limit": "4"}, "the memory limit '4' is not"),
    "threads as text": ({"threads": "4"}, "threads must be a whole number of at least 1, not '4'"),
    "no threads": ({"threads": 0}, "threads must be a whole number"),
    "threads as a truth": ({"threads": True}, "threads must be a whole number"),
    "half a thread": ({"threads": 2.5}, "threads must be a whole number"),
}


@pytest.mark.parametrize("name", WRONG_BUILDS)
def test_arguments_of_build(name: str, tree: Path, tmp_path: Path) -> None:
    arguments, message = WRONG_BUILDS[name]
    with pytest.raises(emm1.StoreError) as raised:
        emm1.build(tree, tmp_path / "emm1.duckdb", **arguments)
    assert str(raised.value).startswith(message)
    assert not list(tmp_path.iterdir())


def test_many_threads_are_as_many_as_there_are_processors(tree: Path, tmp_path: Path) -> None:
    assert duckdb_threads(100_000) == os.cpu_count()
    assert duckdb_threads(np.int64(1)) == 1
    done = emm1_cli("build", tree, tmp_path / "emm1.duckdb", "--splits", "eshot", "--threads", 100_000)
    assert (done.returncode, done.stderr) == (0, "")


def test_ranks_and_splits_of_any_kind(tree: Path, tmp_path: Path) -> None:
    with emm1.build(tree, tmp_path / "emm1.duckdb", ranks=np.arange(1, 3), splits={"100m"}) as store:
        assert store.sql("SELECT DISTINCT nn_index FROM groups ORDER BY ALL").fetchall() == [(1,), (2,)]
        first: Any = np.int64(1)
        assert store.groups(nn_index=first).shape[0] == store.groups(nn_index=[1]).shape[0]


def test_a_store_whose_path_has_a_question_mark(tree: Path, store_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "why?"
    folder.mkdir()
    os.link(store_path, folder / "emm1.duckdb")
    for path in (tmp_path / "a?b.duckdb", folder / "emm1.duckdb"):
        with pytest.raises(emm1.StoreError, match="must not contain a question mark"):
            emm1.open(path)
        with pytest.raises(emm1.StoreError, match="must not contain a question mark"):
            emm1.build(tree, path)
        for arguments in (["info", path], ["build", tree, path], ["upgrade", path]):
            done = emm1_cli(*arguments)
            assert done.returncode == 1
            assert "question mark" in done.stderr or "does not exist" in done.stderr
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["why?", "emm1.duckdb"]


def test_pipes_and_devices(own_tree: Path, store_path: Path, tmp_path: Path) -> None:
    pipes = [tmp_path / f"pipe{suffix}" for suffix in ("", ".npy", ".npz", ".pt", ".parquet", ".arrow", ".duckdb")]
    for pipe in pipes:
        os.mkfifo(pipe)
    source = own_tree / "e-mm1_100m/infos/image.csv"
    source.unlink()
    os.mkfifo(source)
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "a.parquet")
    calls: list[Callable[[], object]] = [
        lambda: read_query(tmp_path / "pipe.npy"),
        lambda: read_query(Path("/dev/zero")),
        *(lambda pipe=pipe: emm1.import_embeddings(pipe, tmp_path / "x.npy") for pipe in pipes[2:6]),
        lambda: emm1.import_embeddings(folder, tmp_path / "x.npy"),
        lambda: emm1.open(tmp_path / "pipe.duckdb"),
        lambda: emm1.open("/dev/zero", read_only=True),
        lambda: emm1.build(own_tree, tmp_path / "new.duckdb"),
    ]
    for call in calls:
        with pytest.raises(emm1.Error, match=r"is not a regular file$"):
            call()
    source.unlink()
    with pytest.raises(emm1.StoreError, match=r"is not a regular file$"):
        emm1.build(own_tree, tmp_path / "pipe.duckdb")
    done = emm1_cli("search", store_path, "none", "--vector", tmp_path / "pipe.npy")
    assert done.returncode == 1


def test_vectors_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("1 2 3\n")
    np.save(tmp_path / "objects.npy", np.array([{}, 1], object))
    np.savez(tmp_path / "v.npz", a=np.ones(3))
    (tmp_path / "empty.npy").touch()
    for name, message in (
        ("v.txt", "is not a .npy file: write the vector with numpy.save"),
        ("v.npz", "is not a .npy file: write"),
        ("empty.npy", "is not a .npy file: write"),
        ("objects.npy", "is not a .npy file of numbers: it holds Python objects"),
        ("", "cannot be read: Is a directory"),
    ):
        with pytest.raises(emm1.EmbeddingError) as raised:
            read_query(tmp_path / name)
        assert message in str(raised.value)
        assert "pickle" not in str(raised.value)


@pytest.fixture
def store(tree: Path, tmp_path: Path) -> emm1.Store:
    return emm1.build(tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=[1])


def test_messages_in_words_of_python(tree: Path, store: emm1.Store, tmp_path: Path) -> None:
    image = tree / "embeddings/image.npy"
    store.add_embeddings("image", image, dataset="100m", modality="image")
    np.save(tmp_path / "many.npy", np.ones((100_000, 2), np.float32))
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: store.nearest(3, np.ones(16)), "no embeddings are called '3': registered are image"),  # type: ignore[arg-type]
        (lambda: store.triplets(modalities=5), "modalities must be a list"),  # type: ignore[arg-type]
        (lambda: store.groups(modalities="image"), r"modalities must be a list, such as \['image'\]"),
        (lambda: store.nearest("image", np.ones(16), where="nope = 1"), "the condition 'nope = 1' does not fit"),
        (lambda: store.add_embeddings("image", image, dataset="100m", modality="image"), "is taken"),
        (lambda: store.add_embeddings("m", tmp_path / "many.npy", dataset="100m", modality="image"), "name the file"),
        (lambda: emm1.build(tree, tmp_path / "b.duckdb", splits=["100m"], ranks=[1], memory_limit="1MB"), "memory"),
    ]
    for call, message in calls:
        with pytest.raises(emm1.Error, match=message) as raised:
            call()
        assert " --" not in str(raised.value)


def found_in_sql(store: emm1.Store, name: str, vector: Any) -> int:
    query = "SELECT id FROM nearest($name, $query, k := 1)"
    rows = store.connection.execute(query, {"name": name, "query": vector.tolist()}).fetchall()
    return int(rows[0][0])


def test_ids_as_an_array_are_written_beside_the_file(store: emm1.Store, tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    file, ids_file = tmp_path / "mine.npy", tmp_path / "mine.ids.npy"
    np.save(file, rows)
    wrong: list[tuple[Any, str]] = [
        ([1, 2], "2 ids"),
        ([1, 1, 2, 3, 4], "1"),
        ([1.5] * 5, "ids must be a list of integers"),
        (np.ma.masked_array([1, 2, 3, 4, 5], mask=[True, False, False, False, False]), "ids has masked values"),
    ]
    for ids, message in wrong:
        with pytest.raises(emm1.EmbeddingError, match=message):
            store.add_embeddings("mine", file, ids=ids, dataset="100m", modality="image")
        assert not ids_file.exists()
    with pytest.raises(emm1.EmbeddingError):
        store.add_embeddings("mine", file, ids=[9, 8, 7, 6, 5], dataset="100m", modality="smell")
    assert not ids_file.exists()
    store.add_embeddings("mine", file, ids=range(9, 4, -1), dataset="100m", modality="image")
    assert np.load(ids_file).tolist() == [9, 8, 7, 6, 5]
    assert found_in_sql(store, "mine", rows[2]) == store.nearest("mine", rows[2], k=1).fetchall()[0][1] == 7
    store.add_embeddings("mine", file, ids=[9, 8, 7, 6, 5], dataset="100m", modality="image", replace=True)
    with pytest.raises(emm1.EmbeddingError, match="holds other ids"):
        store.add_embeddings("mine", file, ids=[1, 2, 3, 4, 5], dataset="100m", modality="image", replace=True)
    assert np.load(ids_file).tolist() == [9, 8, 7, 6, 5]
    assert {path.name for path in tmp_path.glob("mine*")} == {"mine.npy", "mine.ids.npy", "mine.npy.codes"}


def test_paths_that_sql_would_take_apart(store: emm1.Store, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    arguments = ["--dataset", "100m", "--modality", "image"]
    for mark in ("?ids=", "?codes="):
        file = tmp_path / f"a{mark}b.npy"
        np.save(file, np.eye(3, dtype=np.float32))
        with pytest.raises(emm1.EmbeddingError, match="in a path means in SQL"):
            store.add_embeddings("odd", file, dataset="100m", modality="image")
        with pytest.raises(emm1.EmbeddingError, match="in a path means in SQL"):
            store.add_embeddings("odd", tmp_path / "x.npy", ids=file, dataset="100m", modality="image")
        with pytest.raises(duckdb.Error):
            found_in_sql(store, "odd", np.ones(3))
    store.close()
    done = emm1_cli("embeddings", "add", tmp_path / "emm1.duckdb", "odd", f"{tmp_path}/x.npy?ids={file}", *arguments)
    assert (done.returncode, "in a path means in SQL" in done.stderr) == (1, True)


def test_knn_of_paths(x: emm1.Embeddings, tmp_path: Path) -> None:
    expected = [part.ids.tolist() for part in emm1.knn(x, x, k=2)]
    for queries, base in ((x.path, x), (x, str(x.path)), (str(x.path), x.path)):
        assert [part.ids.tolist() for part in emm1.knn(queries, base, k=2)] == expected
    assert emm1.knn_to_parquet(str(x.path), x.path, tmp_path / "out.parquet", k=2) == 6
    with pytest.raises(emm1.FileNotFoundError):
        emm1.knn(tmp_path / "no.npy", x)


def test_text_that_is_not_utf8(store_path: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff")
    store, file = tmp_path / f"{odd}.duckdb", tmp_path / f"{odd}.npy"
    os.link(store_path, store)
    np.save(file, np.eye(3, dtype=np.float32))
    as_image = ["--dataset", "100m", "--modality", "image"]
    for arguments in (
        ["info", store],
        ["sql", store_path, f"SELECT '{odd}'"],
        ["embeddings", "add", store_path, odd, tmp_path / "x.npy", *as_image],
        ["embeddings", "add", store_path, "odd", file, *as_image],
        ["search", store_path, odd, "--id", 1],
        ["search", store_path, "text", "--id", 1, "--where", odd],
    ):
        done = emm1_cli(*arguments)
        assert (done.returncode, done.stderr.count("\n"), "Traceback" in done.stderr) == (1, 1, False), done.stderr


def test_nothing_is_left_of_what_could_not_begin(x: emm1.Embeddings, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(emm1.EmbeddingError, match="k must be"):
        emm1.knn_to_parquet(x, x, tmp_path / "out.parquet", k=0)
    assert sorted(tmp_path.iterdir()) == before
