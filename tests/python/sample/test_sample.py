"""The sample dataset: complete and reproducible; its groups are the results of an exact search."""

import hashlib
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import published
import pytest
from numpy.typing import NDArray

from emm1 import errors
from emm1.sample.neighbours import nearest_rows, reference_cosine
from emm1.sample.write import RANKS, TRIPLET_PAIRS, write_sample

ITEMS = ("video", "audio", "image", "points")
# The columns of E-MM1:1M on the Hub, in their order.
VIEWER = """
    encord_text_id annotated_modality paired_modality encord_annotated_id encord_paired_id annotation annotation_str
    paired_source_dataset paired_dataset_license paired_file_id paired_youtube_id paired_start_time paired_end_time
    paired_file_path annotated_source_dataset annotated_dataset_license annotated_file_id annotated_file_path
    annotated_youtube_id annotated_start_time annotated_end_time caption
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, scale=0.0005, embeddings=24, seed=5)
    return folder


def checksums(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def brute_force(query: NDArray[np.float32], base: NDArray[np.float32], k: int) -> list[int]:
    """Order all rows by the float64 cosine rounded to float32, then by row."""
    a, b = query.astype(np.float64), base.astype(np.float64)
    cosine = (b @ a / (np.linalg.norm(a) * np.linalg.norm(b, axis=1))).astype(np.float32)
    return [int(row) for row in np.lexsort((np.arange(len(base)), -cosine))[:k]]


def test_tree_is_complete(tree: Path) -> None:
    infos = {f"{split}/infos/{modality}.csv" for split in ("e-mm1_100m", "e-mm1_1m") for modality in (*ITEMS, "text")}
    groups = {f"e-mm1_100m/nn_{rank}/data_groups.csv" for rank in range(1, RANKS + 1)}
    eshot = {"eshot_audio_info.csv", "eshot_points_info.csv"}
    eshot |= {"category_to_audio_ids.json", "category_to_point_ids.json"}
    vectors = {f"embeddings/{m}{ending}" for m in (*ITEMS, "text") for ending in (".npy", ".ids.npy")}
    vectors |= {"embeddings/eshot_audio.npy", "embeddings/eshot_points.npy"}
    vectors |= {f"embeddings/1m/{m}.npy" for m in (*ITEMS, "text")}
    others = {"e-mm1_1m/triplets.csv", "e-mm1_1m/annotation_mapping.csv"}
    assert set(checksums(tree)) == infos | groups | {f"eshot/{name}" for name in eshot} | vectors | others


def test_polars_reads_every_csv(tree: Path) -> None:
    for path in tree.rglob("*.csv"):
        assert pl.read_csv(path).height > 0, path


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        write_sample(tmp_path / name, scale=0.0001, embeddings=8, seed=seed)
    one, again, two = (checksums(tmp_path / name) for name in ("one", "again", "two"))
    assert one == again
    assert one != two


@pytest.mark.parametrize("modality", ITEMS)
def test_groups_are_the_nearest_items(tree: Path, modality: str) -> None:
    text, base = (np.load(tree / f"embeddings/{name}.npy") for name in ("text", modality))
    ids = np.load(tree / f"embeddings/{modality}.ids.npy")
    ranks = [pl.read_csv(tree / f"e-mm1_100m/nn_{k}/data_groups.csv") for k in range(1, RANKS + 1)]
    groups = np.stack([rank[f"encord_{modality}_id"].to_numpy() for rank in ranks], axis=1)
    assert ranks[0]["encord_text_id"].to_list() == np.load(tree / "embeddings/text.ids.npy").tolist()
    assert [rank["nn_index"].unique().to_list() for rank in ranks] == [[k] for k in range(1, RANKS + 1)]
    for query, row in zip(text, groups, strict=True):
        assert row.tolist() == ids[brute_force(query, base, RANKS)].tolist()


def test_equal_scores_stand_by_row() -> None:
    base = np.tile(np.eye(3, dtype=np.float32), (4, 1))
    (rows,) = nearest_rows(base[:1], base, 6)
    assert rows.tolist() == [[0, 3, 6, 9, 1, 2]]


@pytest.mark.parametrize("dim", [1, 2, 17])
def test_blocks_do_not_change_the_neighbours(dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(dim).standard_normal((90, dim))
    unit = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    whole = np.concatenate(list(nearest_rows(unit, unit, 16)))
    monkeypatch.setattr("emm1.sample.neighbours.BLOCK_SCORES", 700)
    monkeypatch.setattr("emm1.sample.neighbours.CHUNK_VALUES", 50)
    assert np.array_equal(whole, np.concatenate(list(nearest_rows(unit, unit, 16))))
    assert whole.tolist() == [brute_force(query, unit, 16) for query in unit]


def test_reference_cosine_is_float64_rounded_once() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 500, 100)).astype(np.float32)
    wide = [np.multiply(x, y, dtype=np.float64).sum(axis=1) for x, y in ((a, b), (a, a), (b, b))]
    expected = wide[0] / np.sqrt(wide[1] * wide[2])
    assert np.abs(reference_cosine(a, b) - expected).max() < 2.0**-26


def test_vectors_are_unit_float32(tree: Path) -> None:
    for path in (tree / "embeddings").glob("*.npy"):
        if ".ids" not in path.name:
            vectors = np.load(path)
            assert vectors.dtype == np.float32
            assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_captions_have_the_published_quirks(tree: Path) -> None:
    text = pl.read_csv(tree / "e-mm1_100m/infos/text.csv")
    captions = text["caption"]
    for part in ('"', "\n", ",", "一只猫头鹰", "🎸"):
        assert captions.str.contains(part, literal=True).any(), part
    assert {"NA", "null", "12345"} <= set(captions)
    assert text["encord_text_id"].max() != text.height - 1
    assert text["encord_text_id"].is_sorted()


def test_infos_have_the_published_quirks(tree: Path) -> None:
    video = pl.read_csv(tree / "e-mm1_100m/infos/video.csv", infer_schema=False)
    scenes = video.filter(pl.col("source_dataset") == "VidGen-1M")
    assert scenes.height
    assert scenes.select(pl.col("youtube_id", "start_time", "end_time").is_null().all()).row(0) == (True,) * 3
    audio = pl.read_csv(tree / "e-mm1_100m/infos/audio.csv", infer_schema=False)
    assert audio["youtube_id"].str.contains(r"^\d+$").any()
    image = pl.read_csv(tree / "e-mm1_100m/infos/image.csv", infer_schema=False)
    assert image["file_id"].str.starts_with("https://").any()
    assert image["file_id"].str.starts_with("0").any()


@pytest.mark.parametrize("modality", ITEMS)
def test_shared_files_are_in_both_splits(tree: Path, modality: str) -> None:
    key = f"encord_{modality}_id"
    one, many = (
        pl.read_csv(tree / split / f"infos/{modality}.csv", infer_schema=False) for split in ("e-mm1_1m", "e-mm1_100m")
    )
    assert one.columns == many.columns
    shared = one.filter(pl.col("save_folder") == "shared")
    both = shared.join(many, on=["save_folder", "file_name"], suffix="_100m")
    assert 0 < shared.height == both.height
    assert (both[key] != both[f"{key}_100m"]).any()


def test_triplets_are_rated_by_similarity(tree: Path) -> None:
    triplets = pl.read_csv(tree / "e-mm1_1m/triplets.csv")
    assert triplets.is_duplicated().any()
    assert set(triplets.select("paired_modality", "annotated_modality").rows()) == set(TRIPLET_PAIRS)
    image = pl.read_csv(tree / "e-mm1_1m/infos/image.csv", infer_schema=False)
    image_100m = pl.read_csv(tree / "e-mm1_100m/infos/image.csv", infer_schema=False)
    audio = pl.read_csv(tree / "e-mm1_1m/infos/audio.csv", infer_schema=False)
    audio_100m = pl.read_csv(tree / "e-mm1_100m/infos/audio.csv", infer_schema=False)
    rows = {}
    for name, one, many in (("image", image, image_100m), ("audio", audio, audio_100m)):
        both = one.join(many, on=["save_folder", "file_name"], suffix="_100m")
        keys = both.select(f"encord_{name}_id", f"encord_{name}_id_100m").cast(pl.Int64)
        rows[name] = dict(keys.iter_rows())
    vectors = {name: np.load(tree / f"embeddings/{name}.npy") for name in rows}
    scores: dict[int, list[float]] = {1: [], 2: [], 3: []}
    for _, paired, annotated, first, second, annotation in triplets.iter_rows():
        if first in rows.get(paired, {}) and second in rows.get(annotated, {}):
            a, b = vectors[paired][rows[paired][first]], vectors[annotated][rows[annotated][second]]
            scores[annotation].append(float(a @ b))
    good, partial, bad = (np.mean(scores[annotation]) for annotation in (1, 2, 3))
    assert good > partial > bad


def test_categories_list_every_sample_once(tree: Path) -> None:
    for modality, singular, column in (("audio", "audio", "eshot_audio_id"), ("points", "point", "file_id")):
        info = pl.read_csv(tree / f"eshot/eshot_{modality}_info.csv")
        lists = json.loads((tree / f"eshot/category_to_{singular}_ids.json").read_text("utf-8"))
        assert len(lists) == 112
        assert sorted(key for keys in lists.values() for key in keys) == sorted(info[column])
        assert len(np.load(tree / f"embeddings/eshot_{modality}.npy")) == info.height


@pytest.mark.parametrize("modality", ["image", "audio", "video", "points"])
def test_vectors_of_shared_files_and_copies(modality: str, tree: Path) -> None:
    key = f"encord_{modality}_id"
    hundred, one = (pl.read_csv(tree / f"e-mm1_{s}/infos/{modality}.csv", infer_schema=False) for s in ("100m", "1m"))
    base, vectors = (np.load(tree / f"embeddings/{part}{modality}.npy") for part in ("", "1m/"))
    assert one[key].cast(pl.Int64).to_list() == list(range(len(vectors)))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    shared = one.filter(pl.col("save_folder") == "shared").join(hundred, on="file_name")
    ids, other_ids = (shared[name].cast(pl.Int64).to_numpy() for name in (key, f"{key}_right"))
    assert len(ids) > 0
    assert (vectors[ids] == base[np.searchsorted(np.load(tree / f"embeddings/{modality}.ids.npy"), other_ids)]).all()
    own = np.setdiff1d(np.arange(len(vectors)), ids)
    assert ((vectors[own] @ base.T).max(axis=1) > 0.98).sum() >= len(own) // 10


def test_the_hub_edition_has_the_same_rows(tree: Path, tmp_path: Path) -> None:
    """Its columns and types are those of the dataset's viewer (E-MM1:1M), its rows those of the published scripts."""
    write_sample(tmp_path / "hub", scale=0.0005, embeddings=24, seed=5, edition="hub")
    names = {path.name for path in (tmp_path / "hub").iterdir()}
    assert names == {"E-MM1-100M", "E-MM1-1M", "eshot", "embeddings"}
    ours = pl.read_parquet(tmp_path / "hub/E-MM1-1M/data/*.parquet")
    assert ours.columns == VIEWER.split()
    numbers = {name for name, kind in ours.schema.items() if kind == pl.Int64}
    assert numbers == {n for n in ours.columns if n.endswith(("_time", "annotation")) or n.startswith("encord_")}
    theirs = pl.concat(published.triplets(tree, "root", list(pair)) for pair in combinations(ITEMS, 2) if has(pair))
    renamed = ours.select(
        *theirs.columns[:6],
        *(
            (pl.lit("root/") + pl.col(f"{s}_file_path")).alias(f"{s}_modality_file_path")
            for s in ("paired", "annotated")
        ),
        "caption",
    )
    assert sorted(renamed.rows()) == sorted(theirs.select(renamed.columns).rows())
    for rank in (1, 16):
        joined = pl.read_parquet(tmp_path / f"hub/E-MM1-100M/data/nn_{rank:02}.parquet")
        paths = [pl.format("root/{}/{}/{}", f"save_folder_{m}", pl.lit(m), f"file_name_{m}").alias(m) for m in ITEMS]
        of_script = published.groups(tree, "root", rank, list(ITEMS))
        assert joined.select(*of_script.columns[:6], *paths, "caption").rows() == of_script.rows()


def has(pair: tuple[str, str]) -> bool:
    return pair in TRIPLET_PAIRS or pair[::-1] in TRIPLET_PAIRS


def test_without_embeddings(tmp_path: Path) -> None:
    write_sample(tmp_path / "new" / "tree", scale=0.0001, embeddings=0)
    assert not (tmp_path / "new/tree/embeddings").exists()
    groups = pl.read_csv(tmp_path / "new/tree/e-mm1_100m/nn_16/data_groups.csv")
    assert groups.columns == [
        "encord_text_id",
        *(f"encord_{modality}_id" for modality in ITEMS),
        "nn_index",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0}, "scale is 0"),
        ({"scale": 1.5}, "scale is 1.5"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"embeddings": -1}, "embeddings is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"edition": "zip"}, "unknown edition 'zip': csv, hub"),
    ],
)
def test_refuses_bad_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.Error, match=message):
        write_sample(tmp_path / "tree", **arguments)
    assert not (tmp_path / "tree").exists()


def test_refuses_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.SourceError, match="is not empty"):
        write_sample(tmp_path)
    with pytest.raises(errors.SourceError, match="is a file"):
        write_sample(tmp_path / "file")
