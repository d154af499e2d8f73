"""The SQL functions compared with `Embeddings` in Python: from the extension, and from the fallback in Python."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

import emm1
import emm1.store.extension
from emm1.embeddings.file import Metric


@pytest.fixture
def file(tmp_path: Path) -> Path:
    random = np.random.default_rng(5)
    np.save(tmp_path / "x.npy", random.normal(size=(500, 24)).astype(np.float32))
    np.save(tmp_path / "x.ids.npy", random.permutation(2000)[:500])
    return tmp_path / "x.npy"


@pytest.fixture(params=["extension", "fallback"])
def connection(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"allow_unsigned_extensions": request.param == "extension"}) as opened:
        if request.param == "extension":
            emm1.load_extension(opened)
        else:
            with pytest.warns(UserWarning, match="functions run in Python: the same answers, slower"):
                emm1.load_extension(opened)
        emm1.load_extension(opened)  # a second time does nothing
        yield opened


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("codes", [False, True])
def test_answers_are_those_of_python(
    connection: duckdb.DuckDBPyConnection, file: Path, metric: Metric, codes: bool
) -> None:
    e = emm1.Embeddings(file)
    if codes:
        e.build_codes()
    queries = np.random.default_rng(6).normal(size=(30, 24)).astype(np.float32)
    connection.execute("CREATE TABLE q (n INTEGER, v FLOAT[])")
    connection.executemany("INSERT INTO q VALUES (?, ?)", [(n, q.tolist()) for n, q in enumerate(queries)])
    parameters = {"file": str(file), "metric": metric}
    rows = connection.execute(
        "FROM (SELECT n, unnest(emm1_topk($file, v, 7, $metric), recursive := true) FROM q) ORDER BY n, rank",
        parameters,
    ).fetchall()
    expected = e.search(queries, 7, metric)
    assert [row[2] for row in rows] == expected.ids.ravel().tolist()
    assert [row[3] for row in rows] == expected.scores.ravel().tolist()

    among = e.ids[:50]
    found = connection.execute(
        "SELECT unnest(emm1_topk_among($file, v, $ids, 7, $metric), recursive := true) FROM q WHERE n = 3",
        {**parameters, "ids": among.tolist()},
    ).fetchall()
    assert [row[1] for row in found] == e.search(queries[3], 7, metric, among=among).ids.tolist()

    threshold = float(np.median(e.score(e.ids, queries[3], metric)))
    within = connection.execute(
        "SELECT unnest(emm1_within($file, v, $threshold, $metric), recursive := true) FROM q WHERE n = 3",
        {**parameters, "threshold": threshold},
    ).fetchall()
    assert [row[0] for row in within] == e.within(queries[3], threshold, metric).ids.tolist()

    ids = [int(e.ids[3]), -5, int(e.ids[9])]
    scores = connection.execute(
        "SELECT emm1_score($file, id, v, $metric) FROM q, (SELECT unnest($ids) AS id) WHERE n = 3",
        {**parameters, "ids": ids},
    ).fetchall()
    one, other = e.score([ids[0], ids[2]], queries[3], metric).tolist()
    assert [score for (score,) in scores] == [one, None, other]
    (similarity,) = connection.execute(
        "SELECT emm1_similarity($file, $a, $file, $b, $metric)", {**parameters, "a": ids[0], "b": ids[2]}
    ).fetchall()[0]
    assert similarity == emm1.score_pairs(e, [ids[0]], e, [ids[2]], metric)[0]


def test_a_file_that_changes_is_read_again(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for value in (1.0, 2.0):
        np.save(tmp_path / "y.npy", np.full((3, 2), value, np.float32))
        (tmp_path / "y.npy").replace(path)
        assert connection.execute("SELECT emm1_vector(?, 1)", [str(path)]).fetchall() == [([value, value],)]


def test_so_are_shards_and_ids_that_change_in_place(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()

    def known() -> tuple[list[int], list[float]]:
        sql = "SELECT emm1_ids($file), list_transform(emm1_ids($file), lambda id: emm1_vector($file, id)[1])"
        (found,) = connection.execute(sql, {"file": str(folder)}).fetchall()
        return found

    for shard, value in (("a", 1.0), ("b", 2.0)):
        np.save(folder / f"{shard}.npy", np.full((1, 2), value, np.float32))
    assert known() == ([0, 1], [1.0, 2.0])
    np.save(folder / "b.npy", np.full((2, 2), 3, np.float32))
    assert known() == ([0, 1, 2], [1.0, 3.0, 3.0])
    (folder / "b.npy").rename(folder / "0.npy")
    assert known() == ([0, 1, 2], [3.0, 3.0, 1.0])
    for shard, ids in (("0", [5, 6]), ("a", [7])):
        np.save(folder / f"{shard}.ids.npy", np.array(ids))
    assert known() == ([5, 6, 7], [3.0, 3.0, 1.0])
    np.save(folder / "a.ids.npy", np.array([8]))
    assert known() == ([5, 6, 8], [3.0, 3.0, 1.0])


def test_codes_that_come_later_are_used(tmp_path: Path) -> None:
    """The answers are the same, so the files in use are read from the memory map of the process."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("maps are shown by Linux")
    np.save(tmp_path / "x.npy", np.eye(8, dtype=np.float32))
    with duckdb.connect(config={"allow_unsigned_extensions": True}) as connection:
        emm1.load_extension(connection)
        for build in (False, True):
            if build:
                emm1.Embeddings(tmp_path / "x.npy").build_codes()
            connection.execute("SELECT emm1_topk(?, range(8), 1, 'dot')", [str(tmp_path / "x.npy")]).fetchall()
            maps = Path("/proc/self/maps").read_text()
            assert (f"{tmp_path / 'x.npy.codes'}\n" in maps) == build


def test_errors_say_what_to_do(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    for sql, message in [
        ("emm1_topk($file, [1.0], 3, 'dot')", "the query has 1 components"),
        ("emm1_topk($file, range(24)::FLOAT[], 0, 'dot')", "k must be at least 1"),
        ("emm1_topk($file, range(24)::FLOAT[], 3, 'far')", "unknown metric 'far': cosine, dot or l2"),
        ("emm1_topk($file, ['nan'::FLOAT] || range(23)::FLOAT[], 3, 'dot')", "component 0 of the query is NaN"),
        ("emm1_vector($file || 'x', 1)", "cannot be searched as it is|does not exist"),
    ]:
        with pytest.raises(duckdb.Error, match=message):
            connection.execute(f"SELECT {sql}", {"file": str(file)}).fetchall()
    assert connection.execute("SELECT emm1_topk(NULL, [1.0], 3, 'dot')").fetchall() == [(None,)]


def test_loaded_in_a_transaction_that_called_a_function_it_is_seen_after_its_end(file: Path) -> None:
    with duckdb.connect(config={"allow_unsigned_extensions": True}) as connection:
        connection.execute("BEGIN").execute("SELECT version()").fetchall()
        connection.execute(emm1.store.extension.load_statement())
        query = "SELECT len(emm1_ids(?))"
        with pytest.raises(duckdb.CatalogException, match="emm1_ids does not exist"):
            connection.execute(query, [str(file)])
        connection.execute("ROLLBACK")
        assert connection.execute(query, [str(file)]).fetchall() == [(500,)]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file so large that searching it against itself takes minutes."""
    np.save(tmp_path / "large.npy", np.random.default_rng(1).normal(size=(120_000, 64)).astype(np.float32))
    return tmp_path / "large.npy"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(score) FROM emm1_knn($file, $file, k := 3)",
        "SELECT sum(score) FROM emm1_knn($file, $file, k := 6000)",
        "SELECT max(emm1_topk($file, vector, 1, 'dot')[1].score) FROM emm1_scan($file)",
    ],
)
def test_a_query_can_be_interrupted(large: Path, sql: str) -> None:
    with duckdb.connect(config={"allow_unsigned_extensions": True}) as connection:
        emm1.load_extension(connection)
        timer = threading.Timer(0.5, connection.interrupt)
        timer.start()
        with pytest.raises(duckdb.InterruptException):
            connection.execute(sql, {"file": str(large)}).fetchall()
        timer.join()
        assert connection.execute("SELECT len(emm1_ids(?))", [str(large)]).fetchall() == [(120_000,)]


def test_a_search_takes_as_many_threads_as_duckdb_has(large: Path) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("threads are counted on Linux")
    with duckdb.connect(config={"allow_unsigned_extensions": True}) as connection:
        emm1.load_extension(connection)

        def most(threads: int) -> int:
            """The largest number of additional threads while queries run; on a busy machine it may take many to see them."""
            connection.execute("SET threads = ?", [threads])
            connection.execute("SELECT emm1_topk(?, range(64), 1, 'dot')", [str(large)]).fetchall()
            done, before, peak = threading.Event(), len(list(tasks.iterdir())), 0

            def ask() -> None:
                for number in range(3000):
                    if number >= 60 and peak - before - 1 >= threads - 1:
                        break
                    connection.execute("SELECT emm1_topk(?, range(64), 1, 'l2')", [str(large)]).fetchall()
                done.set()

            asking = threading.Thread(target=ask)
            asking.start()
            while not done.is_set():
                peak = max(peak, len(list(tasks.iterdir())))
            asking.join()
            return peak - before - 1

        assert most(1) == 0
        assert most(3) == 2


def test_opening_what_is_open(tmp_path: Path) -> None:
    """A database that someone else has opened: emm1.open says what to do, and load_extension does it."""
    emm1.write_sample(tmp_path / "sample", scale=0.0001, embeddings=8)
    path = tmp_path / "emm1.duckdb"
    with emm1.build(tmp_path / "sample", path) as store:
        file = tmp_path / "sample/embeddings/text.npy"
        store.add_embeddings("text", file, dataset="100m", modality="text")
        right = store.sql("SELECT id FROM nearest('text', embedding('text', 3))").fetchall()
        with pytest.raises(emm1.StoreError, match="open in this process with other settings"):
            emm1.open(path, read_only=True)
    with duckdb.connect(str(path)) as mine:
        with pytest.raises(emm1.StoreError, match=r"close that connection first, or use it .*load_extension"):
            emm1.open(path)
        with pytest.warns(UserWarning, match='config={"allow_unsigned_extensions": True}'):
            emm1.load_extension(mine)
        emm1.load_extension(mine)  # it warns only once: a second warning would be an error here
        emm1.load_extension(mine.cursor())
        assert mine.execute("SELECT id FROM nearest('text', embedding('text', 3))").fetchall() == right
        other = mine.cursor().execute("SELECT id FROM nearest('text', embedding('text', 3))").fetchall()
        assert other == right
    closed = duckdb.connect(config={"enable_external_access": False})
    with closed, pytest.raises(emm1.StoreError, match="may read no files"):
        emm1.load_extension(closed)


def test_a_store_and_its_embeddings_move_together(tmp_path: Path) -> None:
    emm1.write_sample(tmp_path / "here/sample", scale=0.0001, embeddings=8)
    with emm1.build(tmp_path / "here/sample", tmp_path / "here/emm1.duckdb") as store:
        store.add_embeddings("text", tmp_path / "here/sample/embeddings/text.npy", dataset="100m", modality="text")
        right = store.sql("FROM nearest('text', embedding('text', 3))").fetchall()
    (tmp_path / "here").rename(tmp_path / "th'ere")
    with emm1.open(tmp_path / "th'ere/emm1.duckdb", read_only=True) as store:
        assert store.sql("FROM nearest('text', embedding('text', 3))").fetchall() == right
        (file,) = store.sql("SELECT embedding_file('text')").fetchall()[0]
        assert file.startswith(str(tmp_path / "th'ere"))
