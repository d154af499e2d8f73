"""Groups and triplets by number are the rows of the views, with what was asked of their items."""

import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emm1
from emm1.torch import GroupDataset, Missing, TripletDataset, collate
from emm1.torch.ranks import ranks_in

FILES = ("image", "audio", "video", "points")


@pytest.fixture(scope="module")
def path(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that is split, with the embeddings of captions of 100M and made-up ones of images of 1M, in float16."""
    folder = tmp_path_factory.mktemp("groups")
    with emm1.build(tree, folder / "emm1.duckdb") as store:
        store.split(test=2, validation=2)
        store.add_embeddings("text", tree / "embeddings/text.npy", dataset="100m", modality="text")
        ids = store.sql("SELECT encord_image_id FROM e_mm1_1m.image").fetchnumpy()["encord_image_id"][::-1][1:]
        np.save(folder / "small.npy", np.arange(2 * len(ids), dtype="float16").reshape(-1, 2))
        np.save(folder / "small.ids.npy", ids.astype(np.int64))
        store.add_embeddings("small", folder / "small.npy", dataset="1m", modality="image")
    return folder / "emm1.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[emm1.Store]:
    with emm1.open(path, read_only=True) as opened:
        yield opened


def rows_of(data: GroupDataset | TripletDataset) -> list[dict[str, Any]]:
    return data.__getitems__(range(len(data)))


def wanted(store: emm1.Store, query: str) -> list[dict[str, Any]]:
    relation = store.sql(query)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def test_groups_are_those_of_the_view(store: emm1.Store) -> None:
    data = GroupDataset(store, paths=True, nn_index=range(2, 5))
    found = rows_of(data)
    names = ", ".join(found[0])
    expected = wanted(
        store, f"SELECT {names} FROM groups WHERE nn_index BETWEEN 2 AND 4 ORDER BY encord_text_id, nn_index"
    )
    assert found == expected
    assert [data[-1], data[0]] == [found[-1], found[0]]
    with pytest.raises(IndexError):
        data[len(data)]


@pytest.mark.parametrize("split", ["train", "test", None])
@pytest.mark.parametrize("modalities", [["image"], list(FILES)])
def test_parts_of_a_split(store: emm1.Store, split: str | None, modalities: list[str]) -> None:
    part = {
        (m, i): p for m, i, p in store.sql("SELECT modality, id, split FROM splits WHERE dataset = '100m'").fetchall()
    }
    groups = wanted(store, "FROM e_mm1_100m.groups ORDER BY encord_text_id, nn_index")

    def belongs(row: dict[str, Any]) -> bool:
        items = [(m, row[f"encord_{m}_id"]) for m in modalities]
        caption = part["text", row["encord_text_id"]]
        return split is None or (caption == split and (split == "test" or all(part[item] == "train" for item in items)))

    found = rows_of(GroupDataset(store, split, modalities))
    assert [(row["encord_text_id"], row["nn_index"]) for row in found] == [
        (row["encord_text_id"], row["nn_index"]) for row in groups if belongs(row)
    ]
    assert list(found[0]) == ["encord_text_id", "nn_index", *(f"encord_{m}_id" for m in modalities), "caption"]


def test_each_caption_has_all_its_ranks_once(store: emm1.Store) -> None:
    data = GroupDataset(store, modalities=[], nn_index="one_per_epoch", seed=3)
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301 - as a loader does
    epochs = []
    for epoch in range(16):
        data.set_epoch(epoch)
        epochs.append(rows_of(data))
        assert rows_of(copy) == epochs[-1]  # it hears of the epoch
    captions = [
        row[0] for row in store.sql("SELECT DISTINCT encord_text_id FROM e_mm1_100m.groups ORDER BY 1").fetchall()
    ]
    for rows in epochs:
        assert [row["encord_text_id"] for row in rows] == captions
    ranks = np.array([[row["nn_index"] for row in rows] for rows in epochs])
    assert (np.sort(ranks, axis=0) == np.arange(1, 17)[:, None]).all()
    assert len(set(map(tuple, ranks.T.tolist()))) == len(captions)  # orders of their own
    other = GroupDataset(store, modalities=[], nn_index="one_per_epoch", seed=4)
    assert [row["nn_index"] for row in rows_of(other)] != ranks[0].tolist()


@given(
    st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(1, 20)), min_size=1, max_size=30),
    st.integers(-(2**40), 2**40),
    st.integers(-(2**63), 2**63 - 1),
)
def test_ranks_of_captions_with_different_numbers(given_: list[tuple[int, int]], epoch: int, seed: int) -> None:
    captions, counts = np.array(given_, np.int64).T
    epoch -= epoch % 232792560  # of which each count is a divisor, so that a round begins
    places = np.array([ranks_in(epoch + turn, seed, captions, counts) for turn in range(20)])
    for column, count in zip(places.T, counts, strict=True):
        assert sorted(column[:count].tolist()) == list(range(count))
    alone = [ranks_in(epoch, seed, captions[i : i + 1], counts[i : i + 1])[0] for i in range(len(captions))]
    assert places[0].tolist() == alone  # whatever else is in the batch


def test_triplets_are_those_of_the_view(store: emm1.Store) -> None:
    cases: list[tuple[tuple[str, ...], list[int | str] | None, tuple[int, ...]]] = [
        (FILES, None, (1, 2, 3)),
        (("image", "audio"), ["Good Match", 3], (1, 3)),
    ]
    for modalities, ratings, among in cases:
        found = rows_of(TripletDataset(store, None, modalities, ratings, paths=True))
        names = ", ".join(found[0])
        listing = ", ".join(f"'{m}'" for m in modalities)
        query = f"SELECT {names} FROM triplets WHERE paired_modality IN ({listing}) AND annotated_modality IN ({listing}) AND annotation IN {among}"
        assert sorted(map(repr, found)) == sorted(map(repr, wanted(store, query)))
    part = {
        (m, i): p for m, i, p in store.sql("SELECT modality, id, split FROM splits WHERE dataset = '1m'").fetchall()
    }
    train = [
        row
        for row in wanted(store, "FROM e_mm1_1m.triplets")
        if part["text", row["encord_text_id"]] == "train"
        and part[row["paired_modality"], row["encord_paired_id"]] == "train"
        and part[row["annotated_modality"], row["encord_annotated_id"]] == "train"
    ]
    assert len(TripletDataset(store, "train")) == len(train) > 0


def test_embeddings(store: emm1.Store, tree: Path) -> None:
    groups = GroupDataset(store, modalities=[], nn_index=1, embeddings={"text": "text"})
    entry = store.embeddings("text")
    vectors = dict(zip(entry.ids.tolist(), np.asarray(entry), strict=True))
    rows = groups.__getitems__(range(50))
    for row in rows:
        assert np.array_equal(row["text_embedding"], vectors[row["encord_text_id"]])
    batch = collate(rows)
    assert batch["text_embedding"].shape == (50, store.embeddings("text").dim)
    # Views of a private map: what is written into one never reaches the file.
    before = (tree / "embeddings/text.npy").read_bytes()
    rows[0]["text_embedding"][:] = 7
    assert (tree / "embeddings/text.npy").read_bytes() == before

    small = store.embeddings("small")
    of = {i: small[place].astype(np.float32) for place, i in enumerate(small.ids.tolist())}
    rows = rows_of(TripletDataset(store, modalities=["image", "audio"], embeddings={"image": "small"}))
    seen = set()
    for row in rows:
        for role in ("paired", "annotated"):
            kind, key, vector = row[f"{role}_modality"], row[f"encord_{role}_id"], row[f"{role}_embedding"]
            seen.add((kind, type(vector)))
            if kind == "audio":
                assert vector is None
            elif key in of:
                assert vector.dtype == np.float32
                assert np.array_equal(vector, of[key])
            else:
                assert vector == Missing(f"small has no vector of {key}")
    assert {kind for kind, _ in seen} == {"image", "audio"}


def test_negatives(store: emm1.Store, tmp_path: Path) -> None:
    # 9 is near both positives of a caption, and is given once. Files' names are no patterns.
    query = "SELECT DISTINCT encord_text_id FROM e_mm1_100m.groups ORDER BY 1 LIMIT 3"
    a, b, c = (row[0] for row in store.sql(query).fetchall())
    frame = {
        "query_id": [b, b, b, b, c],
        "positive_id": [1, 1, 2, 2, 1],
        "negative_id": [9, 8, 7, 9, 4],
        "rank": [2, 3, 1, 4, 1],
    }
    pl.DataFrame(frame).write_parquet(tmp_path / "hard [1].parquet")
    given_ = {"text": tmp_path / "hard [1].parquet"}
    by_caption = {}
    for row in rows_of(GroupDataset(store, modalities=[], negatives=given_, nn_index=1, num_negatives=2)):
        by_caption[row["encord_text_id"]] = row["text_negatives"]
    assert by_caption[b] == [7, 9]
    assert by_caption[c] == [4]
    assert by_caption[a] == []
    pl.DataFrame({"query_id": [a], "negative_id": [3], "rank": [1]}).write_parquet(tmp_path / "hard [1].parquet")
    assert GroupDataset(store, modalities=[], negatives=given_)[0]["text_negatives"] == [3]  # not those of before


def size_of(path: str) -> int:
    return Path(path).stat().st_size


def refuse(_path: str) -> None:
    raise ValueError("no picture")


def test_media_that_are_not_there(store: emm1.Store, tmp_path: Path) -> None:
    kind: dict[str, Any] = {
        "modalities": ["image"],
        "nn_index": 1,
        "root": tmp_path,
        "transform": {"image": size_of, "text": len},
    }
    data = GroupDataset(store, **kind)
    first = Path(data[0]["image_file_path"])
    assert first.is_relative_to(tmp_path)
    first.parent.mkdir(parents=True)
    first.write_bytes(bytes(5))
    rows = rows_of(data)
    there = [row for row in rows if row["image_file_path"] == str(first)]
    assert [row["image"] for row in there] == [5] * len(there)
    assert [row["text"] for row in rows] == [len(row["caption"]) for row in rows]
    gone = next(row for row in rows if row["image_file_path"] != str(first))
    assert isinstance(gone["image"], Missing)
    assert gone["image_file_path"] in gone["image"].reason
    batch = collate(rows)
    assert batch["missing"] == len(rows) - len(there)
    assert batch["encord_text_id"].tolist() == [row["encord_text_id"] for row in there]
    assert batch["caption"] == [row["caption"] for row in there]
    assert batch["image"].dtype == np.int64
    assert collate([gone]) == {"missing": 1}
    with pytest.raises(ValueError, match="no picture"):
        GroupDataset(store, **kind | {"transform": {"image": refuse}})[0]


def test_columns_of_batches() -> None:
    rows = [
        {
            "i": i,
            "f": i / 2,
            "b": i > 0,
            "same": np.full(2, i),
            "other": np.zeros(i),
            "list": [i],
            "none": None if i else 1,
        }
        for i in range(3)
    ]
    batch = collate(rows)
    assert {name: str(batch[name].dtype) for name in ("i", "f", "b")} == {"i": "int64", "f": "float64", "b": "bool"}
    assert batch["same"].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert [len(each) for each in batch["other"]] == [0, 1, 2]
    assert batch["list"] == [[0], [1], [2]]
    assert batch["none"] == [1, None, None]
    assert collate([]) == {"missing": 0}


def test_spawned_workers(path: Path) -> None:
    data = GroupDataset(path, nn_index="one_per_epoch", paths=True, embeddings={"text": "text"})
    data.set_epoch(2)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (row,) = pool.map(data.__getitem__, [11])
    assert {name: str(value) for name, value in row.items()} == {name: str(value) for name, value in data[11].items()}


def test_torch_is_not_needed(path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None\nimport emm1.torch\nprint(type(emm1.torch.GroupDataset(sys.argv[1], embeddings={'text': 'text'})[0]['text_embedding']).__name__)"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "ndarray\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "dev"}, "no item of 100m is in the part 'dev': purged, test, train, validation are there"),
        ({"modalities": ["text"]}, "unknown modality 'text'"),
        ({"nn_index": 17}, "17 is not a rank"),
        ({"nn_index": "some"}, "nn_index must be a list"),
        ({"seed": "x"}, "seed must be a whole number"),
        ({"embeddings": {"image": "text"}}, "text has vectors of 100m text, not of 100m image"),
        ({"embeddings": {"text": "none"}}, "none"),
        ({"embeddings": "text"}, "embeddings must be a mapping from a modality"),
        (
            {"modalities": ["image"], "transform": {"audio": len}},
            "transform names 'audio', which the rows do not have: text, image",
        ),
        ({"negatives": {"text": "nowhere.parquet"}}, "nowhere.parquet does not exist"),
        ({"negatives": {"text": __file__}}, "is not a Parquet file of negatives"),
        ({"num_negatives": 0}, "num_negatives must be"),
    ],
)
def test_what_is_refused(store: emm1.Store, options: dict[str, Any], said: str) -> None:
    with pytest.raises(emm1.Error, match=said):
        GroupDataset(store, **options)


def test_other_refusals(store: emm1.Store, store_path: Path, tmp_path: Path) -> None:
    with pytest.raises(emm1.Error, match="no rating is 'Best': 1 Good Match, 2 Partial Match, 3 Bad Match"):
        TripletDataset(store, ratings=["Best"])
    with pytest.raises(emm1.Error, match="100m is not split: make a split first"):
        GroupDataset(store_path, "train")
    pl.DataFrame({"query_id": [1], "rank": [1]}).write_parquet(tmp_path / "n.parquet")
    with pytest.raises(emm1.Error, match="has no column negative_id: negatives have query_id, negative_id, rank"):
        GroupDataset(store, negatives={"text": tmp_path / "n.parquet"})
