"""A stream gives every row, to one rank, in one order, and goes on from its state as if it had never stopped."""

import multiprocessing
import pickle
import shutil
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emm1
from emm1.torch import QueryDataset, RowStream

ROWS = 23
NUMBERS = f"SELECT range AS i, 'row ' || range AS it FROM range({ROWS})"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torch")
    emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
    emm1.build(folder / "sample", folder / "emm1.duckdb").close()
    return folder / "emm1.duckdb"


def numbers(stream: RowStream) -> list[int]:
    return [row["i"] for row in stream]


def streams(path: Path, world_size: int, **options: Any) -> list[RowStream]:
    return [RowStream(path, NUMBERS, rank=rank, world_size=world_size, **options) for rank in range(world_size)]


def dealt(order: list[int], world_size: int) -> list[list[int]]:
    """What the contract says: position p goes to rank p mod world_size."""
    return [order[rank::world_size] for rank in range(world_size)]


@pytest.mark.parametrize("world_size", [1, 2, 5, 23, 40])
def test_ranks(path: Path, world_size: int) -> None:
    order = numbers(RowStream(path, NUMBERS, seed=3))
    assert sorted(order) == list(range(ROWS))
    assert [numbers(s) for s in streams(path, world_size, seed=3, pad=False)] == dealt(order, world_size)
    rounds = -(-ROWS // world_size)
    padded = [*order, *(order * 2)[: rounds * world_size - ROWS]]
    found = [numbers(s) for s in streams(path, world_size, seed=3)]
    assert found == dealt(padded, world_size)
    assert [len(s) for s in streams(path, world_size, seed=3)] == [rounds] * world_size


def test_rows_are_those_of_the_query(path: Path) -> None:
    query = "SELECT * FROM triplets"
    with emm1.open(path, read_only=True) as store:
        wanted = store.sql("SELECT * FROM triplets ORDER BY ALL")
        columns = wanted.columns
        rows = [dict(zip(columns, row, strict=True)) for row in wanted.fetchall()]
        data = QueryDataset(store, query)
        assert [data[i] for i in range(len(data))] == rows
        assert data.__getitems__([3, -1]) == [rows[3], rows[-1]]
        assert sorted(map(repr, RowStream(store, query))) == sorted(map(repr, rows))
    with pytest.raises(IndexError):
        data[len(rows)]


def test_an_order_of_the_query_is_kept(path: Path) -> None:
    for query in (f"{NUMBERS} ORDER BY i DESC", f"{NUMBERS} ORDER BY i DESC; -- the last first"):
        assert [row["i"] for row in map(QueryDataset(path, query).__getitem__, range(3))] == [22, 21, 20]
    assert QueryDataset(path, f"SELECT i FROM ({NUMBERS} ORDER BY i DESC) -- within")[0] == {"i": 0}


def test_epochs(path: Path) -> None:
    stream = RowStream(path, NUMBERS)
    orders = []
    for epoch in range(3):
        stream.set_epoch(epoch)
        orders.append(numbers(stream))
        assert numbers(stream) == orders[-1]  # again the same epoch
    assert len(set(map(tuple, orders))) == 3
    assert numbers(RowStream(path, NUMBERS, seed=1)) != orders[0]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_going_on_with_other_ranks(path: Path, data: st.DataObject) -> None:
    before, after = (data.draw(st.integers(1, 6)) for _ in range(2))
    pad = data.draw(st.booleans())
    batch_size = data.draw(st.integers(1, 7))
    order = numbers(RowStream(path, NUMBERS, seed=9))
    first = streams(path, before, seed=9, pad=pad)
    rounds = data.draw(st.integers(0, ROWS // before))
    seen = []
    for stream in first:
        rows = iter(stream)
        seen.append([next(rows)["i"] for _ in range(rounds)])
    states = [stream.state_dict() for stream in first]
    assert all(state == states[0] for state in states)
    assert states[0] == {"seed": 9, "epoch": 0, "samples": rounds * before, "rows": ROWS}
    second = streams(path, after, pad=pad, batch_size=batch_size)
    for stream in second:
        stream.load_state_dict(states[0])
    rest = [numbers(stream) for stream in second]
    left = order[rounds * before :]
    together = sorted(chain(*rest))
    if pad:
        assert len({len(each) for each in rest}) == 1  # or ranks would wait for each other forever
        assert len(together) - len(left) < after
        for row in left:
            together.remove(row)
        assert set(together) <= set(order)
    else:
        assert together == sorted(left)
    assert sorted(chain(*seen)) == sorted(order[: rounds * before])


def test_the_state_of_an_iteration_that_went_on(path: Path) -> None:
    stream = RowStream(path, NUMBERS)
    order = numbers(stream)
    stream.load_state_dict({"seed": 0, "epoch": 0, "samples": 5, "rows": ROWS})
    rows = iter(stream)
    assert [next(rows)["i"] for _ in range(4)] == order[5:9]
    assert stream.state_dict()["samples"] == 9
    assert stream.state_dict(num_samples=2)["samples"] == 7
    assert [row["i"] for row in rows] == order[9:]
    assert stream.state_dict()["samples"] == ROWS
    stream.set_epoch(0)  # as loops over epochs begin with
    assert numbers(stream) == order[5:]
    stream.set_epoch(1)
    assert sorted(numbers(stream)) == sorted(order)
    ended = RowStream(path, NUMBERS)
    ended.load_state_dict({"seed": 0, "epoch": 0, "samples": ROWS, "rows": ROWS})
    assert numbers(ended) == []


def test_no_rows(path: Path) -> None:
    for pad in (True, False):
        assert list(RowStream(path, "SELECT 1 AS one WHERE false", world_size=2, pad=pad)) == []


def test_pickled_streams_hear_of_epochs(path: Path) -> None:
    stream = RowStream(path, NUMBERS)
    copy = pickle.loads(pickle.dumps(stream))  # noqa: S301 - as a loader does
    stream.set_epoch(4)
    order = numbers(stream)
    assert numbers(copy) == order
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(numbers, (stream,)) == order


def test_rows_are_written_once(path: Path, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.starmap(read_in, [(path, tmp_path / "cache")] * 3)
    assert found[0] == found[1] == found[2]
    (folder,) = (tmp_path / "cache").iterdir()
    before = folder.stat().st_mtime_ns
    QueryDataset(path, NUMBERS, cache=tmp_path / "cache")
    assert folder.stat().st_mtime_ns == before


def read_in(path: Path, cache: Path) -> list[int]:
    return numbers(RowStream(path, NUMBERS, cache=cache))


def test_what_was_written_a_moment_ago_is_read(path: Path, tmp_path: Path) -> None:
    query = "SELECT count(*) AS n FROM flags"
    with emm1.open(shutil.copy(path, tmp_path / "emm1.duckdb")) as store:
        for number in range(3):
            assert QueryDataset(store, query)[0] == {"n": number}
            store.sql(f"INSERT INTO flags VALUES ('100m', 'text', {number}, 'x', NULL, 'y', now())")


def test_another_audio_folder_has_other_rows(path: Path) -> None:
    query = "SELECT min(audio_file_path) AS audio FROM groups"
    with emm1.open(path, read_only=True) as store:
        assert "/audio/" in QueryDataset(store, query)[0]["audio"]
        store.sql("SET VARIABLE emm1_audio_folder = 'video'")
        assert "/video/" in QueryDataset(store, query)[0]["audio"]


def test_another_store_has_other_rows(path: Path, tmp_path: Path) -> None:
    query = "SELECT count(*) AS n FROM splits"
    with emm1.open(path) as store:
        assert QueryDataset(store, query, cache=tmp_path)[0] == {"n": 0}
        store.sql("INSERT INTO splits SELECT '100m', 'text', 0, 'train'")
    with duckdb.connect(str(path)) as connection:
        connection.execute("CHECKPOINT")
    assert QueryDataset(path, query, cache=tmp_path)[0] == {"n": 1}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT 1; SELECT 2", "one query is wanted, not 2"),
        ("", "one query is wanted, not 0"),
        ("DROP TABLE splits", "one query is wanted, which begins with SELECT"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELECT MAP {'a': 1} AS m", "column 'm': rows with a value of type map"),
    ],
)
def test_queries_that_are_refused(path: Path, tmp_path: Path, query: str, said: str) -> None:
    with pytest.raises(emm1.Error, match=said):
        RowStream(path, query, cache=tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rank": 2, "world_size": 2}, "rank must be a whole number from 0 to 1, not 2"),
        ({"world_size": 0}, "world_size"),
        ({"seed": 2**63}, "seed must be a whole number"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_arguments_that_are_refused(path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(emm1.Error, match=said):
        RowStream(path, NUMBERS, **options)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"seed": 0}, "no state of a RowStream"),
        (None, "no state of a RowStream"),
        ({"seed": 0, "epoch": 0, "samples": 0, "rows": 5}, "a stream of 5 rows, and the query has 23"),
        ({"seed": 0, "epoch": 0, "samples": -1, "rows": ROWS}, "samples must be from 0 to 23"),
        ({"seed": 0, "epoch": 0, "samples": 24, "rows": ROWS}, "samples must be from 0 to 23"),
        ({"seed": "x", "epoch": 0, "samples": 0, "rows": ROWS}, "seed must be a whole number"),
    ],
)
def test_states_that_are_refused(path: Path, state: Any, said: str) -> None:
    with pytest.raises(emm1.Error, match=said):
        RowStream(path, NUMBERS).load_state_dict(state)


@pytest.mark.parametrize("num_samples", [-1, 13])
def test_more_samples_than_there_are(path: Path, num_samples: int) -> None:
    stream = RowStream(path, NUMBERS, world_size=2)
    with pytest.raises(emm1.Error, match=f"num_samples must be from 0 to 12, .*, not {num_samples}"):
        stream.state_dict(num_samples=num_samples)
    # The last of twelve rounds repeats a row.
    assert stream.state_dict(num_samples=12)["samples"] == ROWS
