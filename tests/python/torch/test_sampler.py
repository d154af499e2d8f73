"""Batches have no item twice, an epoch has every row once, on any number of ranks, and goes on from its state."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emm1
from emm1.torch import GroupDataset, QueryDataset, TripletDataset, UniqueBatchSampler


class Columns:
    """Rows of ids, as data sets have them."""

    def __init__(self, *columns: Sequence[int | None], kind: pa.DataType = pa.int32()) -> None:  # noqa: B008 - no state
        self.id_columns = [str(i) for i in range(len(columns))]
        self._columns = dict(zip(self.id_columns, (pa.array(c, kind) for c in columns), strict=True))

    def __len__(self) -> int:
        return len(self._columns["0"])

    def keys(self, numbers: Any, columns: list[str]) -> list[pa.Array]:
        """What a sampler asks of a data set."""
        return [self._columns[name].take(pa.array(numbers)) for name in columns]

    def values(self, name: str, numbers: list[int]) -> list[int]:
        """The values in some rows, without NULL."""
        return [v for v in self._columns[name].take(pa.array(numbers, pa.int64())).to_pylist() if v is not None]


ids = st.none() | st.integers(0, 12)
tables = st.lists(st.tuples(ids, ids), max_size=80).map(
    lambda rows: Columns(*map(list, zip(*rows, strict=True))) if rows else Columns([], [])
)


@given(st.lists(st.sampled_from([-(2**31), -1, 0, 1, 2**31 - 1]), max_size=40), st.booleans(), st.integers(1, 9))
def test_ids_of_32_bits_give_the_batches_that_others_give(values: list[int], with_null: bool, batch_size: int) -> None:
    other = [*values[1:], None if with_null else 5][: len(values)]
    narrow, wide = (Columns(values, other, kind=kind) for kind in (pa.int32(), pa.int64()))
    assert list(UniqueBatchSampler(narrow, batch_size)) == list(UniqueBatchSampler(wide, batch_size))


@given(tables, st.integers(1, 9), st.integers(0, 5), st.booleans())
def test_no_item_twice_and_every_row_once(data: Columns, batch_size: int, epoch: int, drop_last: bool) -> None:
    sampler = UniqueBatchSampler(data, batch_size, seed=1, drop_last=drop_last)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert batches == list(sampler)
    assert len(batches) == len(sampler)
    for batch in batches:
        for name in data.id_columns:
            values = data.values(name, batch)
            assert len(values) == len(set(values))
    seen = list(itertools.chain(*batches))
    assert len(seen) == len(set(seen))
    if drop_last:
        assert {len(batch) for batch in batches} <= {batch_size}
    else:
        assert sorted(seen) == list(range(len(data)))
        assert all(batches)


@given(tables, st.integers(1, 3), st.integers(1, 3), st.data())
def test_ranks_share_batches(data: Columns, batch_size: int, world_size: int, draw: st.DataObject) -> None:
    whole = list(UniqueBatchSampler(data, batch_size * world_size, drop_last=True))
    ranks = [
        UniqueBatchSampler(data, batch_size, rank=rank, world_size=world_size, drop_last=True)
        for rank in range(world_size)
    ]
    assert [list(each) for each in ranks] == [
        [batch[rank::world_size] for batch in whole] for rank in range(world_size)
    ]
    # Goes on with one rank.
    done = draw.draw(st.integers(0, len(whole)))
    one = UniqueBatchSampler(data, batch_size * world_size, drop_last=True, seed=8)
    one.load_state_dict(ranks[0].state_dict(num_batches=done))
    assert list(one) == whole[done:]
    assert len(one) == len(whole) - done


def test_resume() -> None:
    data = Columns([i % 50 for i in range(1000)])
    sampler = UniqueBatchSampler(data, 16)
    sampler.set_epoch(3)
    whole = list(sampler)
    batches = iter(sampler)
    first = [next(batches) for _ in range(7)]
    state = sampler.state_dict()
    assert state == {"seed": 0, "epoch": 3, "batches": 7, "rows": 1000, "batch_size": 16}
    other = UniqueBatchSampler(data, 16, seed=5)
    other.load_state_dict(state)
    other.set_epoch(3)  # as loops over epochs begin with
    assert first + list(other) == whole
    assert other.state_dict()["batches"] == len(whole)
    other.set_epoch(4)
    assert other.state_dict()["batches"] == 0
    assert sorted(itertools.chain(*other)) == list(range(1000))
    assert next(iter(other)) != whole[0]


def test_an_item_of_very_many_rows() -> None:
    """One row in ten has the same item: its rows are postponed, and batches stay full as long as there are others."""
    data = Columns([0 if i % 10 == 0 else i for i in range(20_000)])
    batches = list(UniqueBatchSampler(data, 100))
    assert sorted(itertools.chain(*batches)) == list(range(20_000))
    assert [len(batch) for batch in batches[:180]] == [100] * 180
    assert len(list(UniqueBatchSampler(data, 100, drop_last=True))) >= 180


@pytest.fixture(scope="module")
def store(store_path: Path) -> Iterator[emm1.Store]:
    with emm1.open(store_path, read_only=True) as opened:
        yield opened


def test_groups_and_queries(store: emm1.Store) -> None:
    groups = GroupDataset(store, nn_index="one_per_epoch")
    sampler = UniqueBatchSampler(groups, 32)
    seen = []
    for epoch in range(2):
        sampler.set_epoch(epoch)  # of the data set too
        for batch in sampler:
            rows = groups.__getitems__(batch)
            for name in groups.id_columns:
                assert len({row[name] for row in rows}) == len(rows)
            seen += [(row["encord_text_id"], epoch, row["nn_index"]) for row in rows]
    assert len(seen) == len(set(seen)) == 2 * len(groups)
    assert len({(caption, rank) for caption, _, rank in seen}) == len(seen)
    query = QueryDataset(store, "SELECT source_dataset, encord_audio_id AS id FROM e_mm1_100m.audio")
    for batch in UniqueBatchSampler(query, 4, ["source_dataset"]):
        rows = query.__getitems__(batch)
        assert len({row["source_dataset"] for row in rows}) == len(rows)


def test_items_of_triplets_are_told_apart_by_modality(store: emm1.Store) -> None:
    triplets = TripletDataset(store)
    apart = False
    for batch in UniqueBatchSampler(triplets, 16):
        rows = triplets.__getitems__(batch)
        items = [(row["paired_modality"], row["encord_paired_id"]) for row in rows]
        assert len(set(items)) == len(items)
        apart |= len({number for _, number in items}) < len(items)
    assert apart


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "batch_size must be"),
        ({"world_size": 2}, "several ranks need drop_last=True"),
        ({"rank": 1}, "rank must be a whole number from 0 to 0"),
        ({"columns": "0"}, "columns must be a list"),
        ({"seed": 2**63}, "seed must be a whole number"),
    ],
)
def test_what_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(emm1.Error, match=said):
        UniqueBatchSampler(Columns([1]), **{"batch_size": 1} | options)


def test_queries_need_columns(store: emm1.Store) -> None:
    query = QueryDataset(store, "SELECT 1 AS id")
    with pytest.raises(emm1.Error, match="columns must name the columns of ids"):
        UniqueBatchSampler(query, 1)
    with pytest.raises(emm1.Error, match="the rows have no such column"):
        UniqueBatchSampler(query, 1, ["di"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rows": 5}, "batches of 2 of 5 rows on all ranks, not of 2 of 3"),
        ({"batches": -1}, "batches must be at least 0"),
        ({"seed": "x"}, "seed must be"),
    ],
)
def test_states_that_are_refused(changed: dict[str, Any], said: str) -> None:
    sampler = UniqueBatchSampler(Columns([1, 2, 3]), 2)
    with pytest.raises(emm1.Error, match=said):
        sampler.load_state_dict(sampler.state_dict() | changed)
    with pytest.raises(emm1.Error, match="no state of a UniqueBatchSampler"):
        sampler.load_state_dict({})
    with pytest.raises(emm1.Error, match="num_batches must be at least 0"):
        sampler.state_dict(num_batches=-1)
