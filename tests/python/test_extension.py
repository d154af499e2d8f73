"""The functions in SQL against `Embeddings` in Python: as an extension, and as the functions in Python that stand in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

import emm1
import emm1.extension


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
    connection: duckdb.DuckDBPyConnection, file: Path, metric: emm1.embeddings.Metric, codes: bool
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
        connection.execute(emm1.extension.load_statement())
        query = "SELECT len(emm1_ids(?))"
        with pytest.raises(duckdb.CatalogException, match="emm1_ids does not exist"):
            connection.execute(query, [str(file)])
        connection.execute("ROLLBACK")
        assert connection.execute(query, [str(file)]).fetchall() == [(500,)]


def test_threads_search_at_once_while_embeddings_are_replaced(tmp_path: Path) -> None:
    """Sixteen connections ask, one replaces what they ask about: every answer is right for one state or the other."""
    emm1.write_sample(tmp_path / "sample", embeddings=16)
    files = tmp_path / "sample/embeddings"
    with emm1.build(tmp_path / "sample", tmp_path / "emm1.duckdb", ranks=[1], splits=["100m"]) as store:
        store.add_embeddings("image", files / "image.npy", dataset="100m", modality="image")
        turned = -np.load(files / "image.npy")
        np.save(files / "turned.npy", turned)
        query = [float(x) for x in turned[5]]
        right = {int(emm1.Embeddings(files / f"{name}.npy").search(query, 1).ids[0]) for name in ("image", "turned")}
        wrong: list[object] = []

        def ask(cursor: duckdb.DuckDBPyConnection) -> None:
            for _ in range(20):
                (found,) = cursor.execute("SELECT id FROM nearest('image', $q, k := 1)", {"q": query}).fetchall()
                if found[0] not in right:
                    wrong.append(found)

        threads = [threading.Thread(target=ask, args=[store.cursor()]) for _ in range(16)]
        for thread in threads:
            thread.start()
        for name in ("turned", "image") * 3:
            store.add_embeddings("image", files / f"{name}.npy", dataset="100m", modality="image", replace=True)
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(right) == 2
