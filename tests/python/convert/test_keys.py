"""What a key may be, and what is said of keys that are wrong: against the tables of the store, read by DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import polars as pl
import pytest

import emm1
from emm1.convert.run import Imported, convert


@pytest.fixture
def store(store_path: Path) -> Iterator[emm1.Store]:
    with emm1.open(store_path, read_only=True) as opened:
        yield opened


def items(store: emm1.Store, modality: str = "audio", dataset: str = "e_mm1_100m", count: int = 40) -> pl.DataFrame:
    """Some items, in an order that is not that of their ids."""
    found: pl.DataFrame = store.sql(f"FROM {dataset}.{modality} ORDER BY hash(file_name) LIMIT {count}").pl()
    return found


def imported(folder: Path, store: emm1.Store | None, keys: dict[str, Any], key: str, **options: Any) -> Imported:
    rows = len(next(iter(keys.values())))
    vectors = np.random.default_rng(1).normal(size=(rows, 3)).astype(np.float32)
    pl.DataFrame({**keys, "v": vectors}).write_parquet(folder / "a.parquet")
    of_items = {"dataset": "100m", "modality": "audio"} | options if store else {"dataset": None, "modality": None}
    return convert(folder / "a.parquet", folder / "b.npy", key=key, vector=None, store=store, **of_items)


def whole(start: float) -> str:
    return f"{start:g}"


KEYS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "integer": (lambda item: item["encord_audio_id"], ""),
    "whole float": (lambda item: float(item["encord_audio_id"]), ""),
    "text of an integer": (lambda item: str(item["encord_audio_id"]), "encord_audio_id"),
    "file name": (lambda item: item["file_name"], "file_name"),
    "youtube id": (lambda item: item["youtube_id"], "youtube_id"),
    "youtube id with start": (
        lambda item: f"{item['youtube_id']}_{whole(item['start_time'])}",
        "youtube_id with its start_time",
    ),
    "path": (lambda item: f"/data/{item['save_folder']}/audio/{item['file_name']}", "path"),
    "path of the video folder": (lambda item: f"{item['save_folder']}/video/{item['file_name']}", "path"),
    "path of Windows": (
        lambda item: str(PureWindowsPath("D:/e", item["save_folder"], "audio", item["file_name"])),
        "path",
    ),
    "path elsewhere": (lambda item: f"/my/clips/{item['file_name']}", "file_name in another folder"),
    "path of another kind of file": (
        lambda item: f"/my/features/{Path(item['file_name']).stem}.npy",
        "file_name with another suffix",
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_every_kind_of_key(tmp_path: Path, store: emm1.Store, name: str) -> None:
    make, kind = KEYS[name]
    found = items(store)
    done = imported(tmp_path, store, {"k": [make(item) for item in found.to_dicts()]}, "k")
    total = store.sql("SELECT count(*) FROM e_mm1_100m.audio").fetchall()[0][0]
    assert np.load(tmp_path / "b.ids.npy").tolist() == found["encord_audio_id"].to_list()
    assert f"40 of {total:,} audio items of 100m have a vector" in done.facts
    assert not kind or f"keys taken as: {kind}" in done.facts
    assert done.notes == []


def test_a_stem_is_a_key_where_it_is_no_clip(tmp_path: Path, store: emm1.Store) -> None:
    found = items(store, "image")
    stems = [Path(name).stem for name in found["file_name"]]
    done = imported(tmp_path, store, {"k": stems}, "k", modality="image")
    assert "keys taken as: file_name without its suffix" in done.facts
    assert np.load(tmp_path / "b.ids.npy").tolist() == found["encord_image_id"].to_list()


def test_file_ids_of_eshot_are_keys(tmp_path: Path, store: emm1.Store) -> None:
    found = items(store, "points", "eshot")
    done = imported(tmp_path, store, {"k": found["file_id"].to_list()}, "k", dataset="eshot", modality="points")
    assert np.load(tmp_path / "b.ids.npy").tolist() == found["eshot_point_id"].to_list()
    assert any("points items of eshot" in fact for fact in done.facts)


@pytest.mark.parametrize("starts", ["float64", "int32", "str"])
def test_two_columns_are_a_key(tmp_path: Path, store: emm1.Store, starts: str) -> None:
    found = items(store)
    times = [whole(start) if starts == "str" else start for start in found["start_time"]]
    column = pl.Series(times) if starts == "str" else pl.Series(np.array(times, starts))
    imported(tmp_path, store, {"youtube": found["youtube_id"], "s": column}, "youtube, s")
    assert np.load(tmp_path / "b.ids.npy").tolist() == found["encord_audio_id"].to_list()
    (tmp_path / "other").mkdir()
    for key, words in {
        "youtube,none": "has no column 'none'",
        "youtube,s,s": "names 3 columns, but takes one, or",
    }.items():
        with pytest.raises(emm1.EmbeddingError, match=words):
            imported(tmp_path / "other", store, {"youtube": found["youtube_id"], "s": column}, key)


def test_a_clip_that_a_youtube_id_does_not_name_alone(tmp_path: Path, own_tree: Path) -> None:
    csv = own_tree / "e-mm1_100m/infos/audio.csv"
    clips = pl.read_csv(csv, infer_schema=False)
    twice = clips["youtube_id"].to_list()
    twice[7] = twice[5]
    clips.with_columns(pl.Series("youtube_id", twice)).write_csv(csv)
    with emm1.build(own_tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=[1]) as store:
        clip = [row for row in store.sql("FROM e_mm1_100m.audio").pl().to_dicts() if row["youtube_id"] == twice[5]]
        with pytest.raises(emm1.EmbeddingError, match=r"belongs to 2 items.*or the two columns youtube_id,start_time$"):
            imported(tmp_path, store, {"k": [twice[5]]}, "k")
        columns = {"y": [row["youtube_id"] for row in clip], "s": [row["start_time"] for row in clip]}
        imported(tmp_path, store, columns, "y,s")
    assert np.load(tmp_path / "b.ids.npy").tolist() == [row["encord_audio_id"] for row in clip]


def test_one_name_in_two_folders_needs_the_path(tmp_path: Path, own_tree: Path) -> None:
    csv = own_tree / "e-mm1_100m/infos/image.csv"
    images = pl.read_csv(csv, infer_schema=False)
    names, folders = images["file_name"].to_list(), images["save_folder"].to_list()
    one, other = folders.index("shared"), folders.index("e-mm1_100m_only")
    names[one] = names[other]
    images.with_columns(pl.Series("file_name", names)).write_csv(csv)
    ids = [int(images["encord_image_id"][row]) for row in (one, other)]
    with emm1.build(own_tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=[1]) as store:
        with pytest.raises(emm1.EmbeddingError, match="belongs to 2 items"):
            imported(tmp_path, store, {"k": [names[one]]}, "k", modality="image")
        paths = [f"{folders[row]}/image/{names[row]}" for row in (one, other)]
        imported(tmp_path, store, {"k": paths}, "k", modality="image")
    assert np.load(tmp_path / "b.ids.npy").tolist() == ids


def test_ids_that_no_item_has_are_left_out(tmp_path: Path, store: emm1.Store) -> None:
    ids = items(store)["encord_audio_id"].to_list()
    ids[3] = 10**6
    done = imported(tmp_path, store, {"k": ids}, "k")
    assert done.notes == [
        "1 of 40 rows were left out: their keys are no encord_audio_id of e_mm1_100m.audio (the first is 1000000, row 3)"
    ]
    assert np.load(tmp_path / "b.ids.npy").tolist() == ids[:3] + ids[4:]
    (tmp_path / "b.npy").unlink()
    (tmp_path / "b.ids.npy").unlink()
    with pytest.raises(
        emm1.EmbeddingError, match=r"is an id of e_mm1_100m.audio \(the first is 1000000\): are they of"
    ):
        imported(tmp_path, store, {"k": [10**6, 10**7]}, "k")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([1.0, 2.5], r"column 'k' has the id 2\.5 in row 1, which is not a whole number"),
        ([1.0, float("nan")], r"has the id nan in row 1, which is not a whole number"),
        ([1.0, 1e300], r"has the id 1e\+300 in row 1, which is not"),
        (pl.Series([1, 2**64 - 1], dtype=pl.UInt64), r"id 18446744073709551615 in row 1, which does not fit"),
        ([1, None], r"row 1 of 'k' is null"),
        (["a", None], r"row 1 of 'k' is null"),
        (pl.Series(["a", None], dtype=pl.Categorical), r"row 1 of 'k' is null"),
        (
            [5, 6, 5],
            r"a\.parquet: rows 0 and 2 have the same key in 'k', for the id 5: an item can have only one vector",
        ),
        ([True, False], r"column 'k' holds bool, expected keys"),
    ],
)
def test_keys_that_are_wrong_are_named(tmp_path: Path, keys: Any, words: str) -> None:
    with pytest.raises(emm1.EmbeddingError, match=words):
        imported(tmp_path, None, {"k": keys}, "k")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (
            "",
            r"no key in 'k' is a file_name or youtube_id of e_mm1_100m.audio, nor a path, a stem or an id \(the first is ''",
        ),
        ("'; DROP TABLE e_mm1_100m.audio; --", "no key in 'k' is"),
        ("/" * 5000, "no key in 'k' is"),
        ("a\nb/c.mp4", "no key in 'k' is"),
    ],
)
def test_texts_that_name_nothing(tmp_path: Path, store: emm1.Store, key: str, words: str) -> None:
    with pytest.raises(emm1.EmbeddingError, match=words):
        imported(tmp_path, store, {"k": [key]}, "k")


def test_names_beside_an_array(tmp_path: Path, store_path: Path, store: emm1.Store) -> None:
    """``NAME.ids.npy`` may hold names: then the array is not searched before they have become ids."""
    found = items(store, "image", count=9)
    rows = np.random.default_rng(2).normal(size=(9, 2)).astype(np.float32)
    np.save(tmp_path / "a.npy", rows)
    np.save(tmp_path / "a.ids.npy", np.array(found["file_name"].to_list()))
    made = emm1.import_embeddings(
        tmp_path / "a.npy", tmp_path / "b.npy", store=store_path, dataset="100m", modality="image"
    )
    assert made.ids.tolist() == found["encord_image_id"].to_list()
    assert np.array_equal(made[:], rows)
