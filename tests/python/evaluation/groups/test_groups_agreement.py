"""Groups compared with a model: what was planted is found, and every group is accounted for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from system import emm1_cli
from trees import copied

import emm1
from emm1.embeddings.file import Metric
from emm1.evaluation.groups import agreement
from emm1.evaluation.groups.agreement import verify
from emm1.evaluation.groups.comparison import OUTCOMES, Counts, Found, Published, outcomes_of

MODALITIES = ("text", "image", "audio", "video", "points")
RANKS = 16


def files_of(tree: Path, *modalities: str) -> dict[str, Path]:
    return {modality: tree / f"embeddings/{modality}.npy" for modality in modalities or MODALITIES}


def groups_of(tree: Path) -> pl.DataFrame:
    return pl.concat(pl.read_csv(tree / f"e-mm1_100m/nn_{rank}/data_groups.csv") for rank in range(1, RANKS + 1))


def write_groups(tree: Path, groups: pl.DataFrame) -> None:
    for (rank,), rows in groups.group_by("nn_index"):
        rows.sort("encord_text_id").write_csv(tree / f"e-mm1_100m/nn_{rank}/data_groups.csv")


def without(source: Path, ids: list[int], target: Path) -> Path:
    """A copy of embeddings that lacks some ids."""
    embeddings = emm1.Embeddings(source)
    kept = embeddings.ids[~np.isin(embeddings.ids, ids)]
    np.save(target, embeddings.vectors(kept))
    np.save(target.with_suffix(".ids.npy"), kept)
    return target


def test_the_neighbours_of_the_sample_are_those_of_its_vectors(tree: Path, store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        found = verify(store, files_of(tree), captions=None)
        captions = len(pl.read_csv(tree / "e-mm1_100m/infos/text.csv"))
        assert found.protocol.startswith(f"all {captions:,} captions; text={tree}/embeddings/text.npy, image=")
    frame = found.to_frame()
    assert frame.select("modality", "nn_index").rows() == [(m, r) for m in MODALITIES[1:] for r in range(1, RANKS + 1)]
    assert frame["exact"].to_list() == frame["groups"].to_list() == [captions] * len(frame)
    assert frame.select("tied", "moved", "different", "without_vector", "null").sum().row(0) == (0,) * 5
    assert frame.select("agreement", "agreement_high", "recall").unique().rows() == [(1.0, 1.0, 1.0)]
    assert str(found).splitlines()[2].split() == ["modality", "nn_index", "agreement", "recall", *OUTCOMES]


def test_a_caption_without_the_wanted_rank_lends_its_groups_to_no_other(own_tree: Path, tmp_path: Path) -> None:
    groups = groups_of(own_tree).filter(pl.col("nn_index") <= 4)
    captions = groups["encord_text_id"].unique().sort().to_list()
    # Of neighbours in the order of ids, the first has no group of the wanted rank, and the second none of a better one.
    for place, rank in ((10, 4), (11, 2)):
        groups = groups.filter((pl.col("encord_text_id") != captions[place]) | (pl.col("nn_index") != rank))
    write_groups(own_tree, groups)
    emm1.build(own_tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=range(1, 5)).close()
    with emm1.open(tmp_path / "emm1.duckdb", read_only=True) as store:
        found = verify(store, files_of(own_tree, "text", "image"), nn_index=4, captions=None).to_frame()
    assert found.select("groups", "exact", "recall").row(0) == (len(captions) - 1, len(captions) - 1, 1.0)


class Planted(NamedTuple):
    """A tree, its store and embeddings: the groups of some captions deviate from them, each in one way."""

    tree: Path
    store: Path
    files: dict[str, Path]


@pytest.fixture(scope="module")
def planted(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("planted")
    own = copied(tree, folder / "tree")
    groups = groups_of(own).sort("encord_text_id", "nn_index")
    image = emm1.Embeddings(own / "embeddings/image.npy")
    captions = groups["encord_text_id"].unique(maintain_order=True).to_list()
    lists = dict(groups.group_by("encord_text_id", maintain_order=True).agg("encord_image_id").iter_rows())
    cases = dict(zip(("wrong", "tied", "lacking", "null", "mute"), captions[::50], strict=False))

    # A copy of the image at rank 3 of a caption, under a higher id: equal scores, and the published one is the higher id.
    twin = int(image.ids.max()) + 1
    original = lists[cases["tied"]][2]
    vectors = np.vstack([image.vectors(image.ids), image.vectors([original])])
    np.save(folder / "image.npy", vectors)
    np.save(folder / "image.ids.npy", np.append(image.ids, twin))
    lacking = lists[cases["lacking"]][1]
    files = files_of(own)
    files["image"] = without(folder / "image.npy", [lacking], folder / "fewer.npy")
    files["text"] = without(own / "embeddings/text.npy", [cases["mute"]], folder / "text.npy")

    def change(name: str, rank: int, value: int | None) -> pl.Expr:
        here = (pl.col("encord_text_id") == cases[name]) & (pl.col("nn_index") == rank)
        return pl.when(here).then(pl.lit(value, pl.Int64)).otherwise("encord_image_id").alias("encord_image_id")

    wrong = next(i for i in image.ids.tolist() if i not in lists[cases["wrong"]] and i != lacking)
    for name, rank, value in (("wrong", 2, wrong), ("tied", 3, twin), ("null", 5, None)):
        groups = groups.with_columns(change(name, rank, value))
    write_groups(own, groups)
    emm1.build(own, folder / "emm1.duckdb", splits=["100m"]).close()
    return Planted(own, folder / "emm1.duckdb", files)


def expected(own: Path, files: dict[str, Path]) -> Counter[tuple[int, str]]:
    """How many images have each outcome by rank: from float64 cosines, one caption after another."""
    text, image = (emm1.Embeddings(files[modality]) for modality in ("text", "image"))
    matrix = image.vectors(image.ids).astype(np.float64)
    counted: Counter[tuple[int, str]] = Counter()
    ids = image.ids.tolist()
    for (caption,), rows in groups_of(own).sort("nn_index").group_by("encord_text_id"):
        has = caption in set(text.ids.tolist())
        if has:
            query = text.vectors([caption])[0].astype(np.float64)
            cosine = (matrix * query).sum(axis=1) / np.linalg.norm(matrix, axis=1) / np.linalg.norm(query)
            score = dict(zip(ids, cosine.astype(np.float32).tolist(), strict=True))
            order = sorted(ids, key=lambda i: (-score[i], i))
        missing = 0
        for rank, published in enumerate(rows["encord_image_id"].to_list()):
            if published is None:
                outcome = "null"
            elif not has or published not in score:
                outcome, missing = "without_vector", missing + 1
            elif order[rank] == published:
                outcome = "exact"
            elif score[order[rank]] == score[published]:
                outcome = "tied"
            elif missing and score[order[rank - missing]] == score[published]:
                outcome = "moved"
            else:
                outcome = "different"
            counted[rank + 1, outcome] += 1
    return counted


def test_deviations_are_found_and_explained(
    planted: Planted,
) -> None:
    own, path, files = planted
    with emm1.open(path, read_only=True) as store:
        found = verify(store, {name: files[name] for name in ("text", "image")}, captions=None)
        some = verify(store, {name: files[name] for name in ("text", "image")}, nn_index=[2, 16], captions=None)
    assert "captions, 1 of them without a vector; text=" in found.protocol
    frame = found.to_frame()
    counted = expected(own, files)
    for row in frame.iter_rows(named=True):
        assert {name: row[name] for name in OUTCOMES} == {name: counted[row["nn_index"], name] for name in OUTCOMES}
    total = frame.sum()
    assert total["null"].item() == 1
    assert total["tied"].item() >= 1  # the twin, and its original where it was published at the next rank
    assert total["moved"].item() >= RANKS - 2
    assert total["different"].item() >= 1
    assert frame["without_vector"].min() == 1  # the caption without a vector
    assert frame["recall"].to_list()[-1] < 1
    assert some.to_frame().rows() == frame.filter(pl.col("nn_index").is_in([2, 16])).rows()


@given(st.data())
def test_every_group_has_one_outcome(data: st.DataObject) -> None:
    captions, ranks, items = (data.draw(st.integers(1, most)) for most in (4, 5, 7))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    scores = rng.integers(0, 4, (captions, items)).astype(np.float32)
    held = rng.random((captions, items)) < 0.8
    held[:] = held[0]
    ids = rng.integers(0, items, (captions, ranks))
    listed = rng.random(ids.shape) < 0.9
    given_ = listed & (rng.random(ids.shape) < 0.9)
    comparable = given_ & held[0][ids] & (rng.random(captions) < 0.9)[:, np.newaxis]
    own = np.where(comparable, np.take_along_axis(scores, ids, 1), np.nan).astype(np.float32)
    best = [[i for i in np.argsort(-row, kind="stable").tolist() if held[0, i]] for row in scores]
    found = Found(np.zeros(ids.shape, np.int64), np.full(ids.shape, np.nan, np.float32))
    for row, order in enumerate(best):
        if comparable[row].any():
            found.ids[row, : len(order[:ranks])] = order[:ranks]
            found.scores[row, : len(order[:ranks])] = scores[row, order[:ranks]]
    published = Published(ids, listed, given_, comparable, own)
    outcomes = outcomes_of(published, found)
    assert np.array_equal(np.sum([*outcomes.values()], axis=0), listed)
    counts = Counts(ranks)
    counts.add(published, found)
    for rank in range(ranks):
        wanted = both = 0
        for row in range(captions):
            first = {int(ids[row, r]) for r in range(rank + 1) if comparable[row, r]}
            wanted += len(first)
            both += len(first & set(best[row][: rank + 1]))
        assert (counts.wanted[rank], counts.found[rank]) == (wanted, both)


def test_a_sample_of_the_captions(tree: Path, store_path: Path) -> None:
    files = files_of(tree, "text", "points")
    with emm1.open(store_path, read_only=True) as store:
        heard: list[tuple[int, int]] = []
        found = verify(store, files, nn_index=3, captions=100, seed=7, progress=lambda *done: heard.append(done))
        assert f"100 of {len(emm1.Embeddings(files['text'])):,} captions, seed 7; " in found.protocol
        assert found.to_frame().select("groups", "exact").rows() == [(100, 100)]
        assert heard == [(0, 100)]
        low = found.to_frame()["agreement_low"].item()
    n, z = 100, 1.959963984540054
    assert low == pytest.approx(n / (n + z**2))


def test_parts_and_batches_add_up(
    tree: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_of(tree, "text", "audio")
    files["text"] = without(files["text"], emm1.Embeddings(files["text"]).ids[::3].tolist(), tmp_path / "text.npy")
    files["audio"] = without(files["audio"], [0, 1, 2, 3], tmp_path / "audio.npy")
    with emm1.open(store_path, read_only=True) as store:
        whole = verify(store, files, captions=1000)
        monkeypatch.setattr(agreement, "BATCH", 7)
        monkeypatch.setattr(agreement, "PART", 13)
        apart = verify(store, files, captions=1000)
    assert apart.protocol == whole.protocol
    assert apart.to_frame().equals(whole.to_frame())
    assert (whole.to_frame()["without_vector"] > 300).all()


def test_metrics_are_those_of_the_items(tree: Path, tmp_path: Path) -> None:
    """Longer vectors win by dot, so that the groups, made by cosine, are others."""
    image = emm1.Embeddings(tree / "embeddings/image.npy")
    lengths = np.linspace(1, 3, len(image), dtype=np.float32)[:, np.newaxis]
    np.save(tmp_path / "long.npy", image.vectors(image.ids) * lengths)
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["100m"]) as store:
        metrics: dict[str, Metric] = {"by_cosine": "cosine", "by_dot": "dot"}
        for name, metric in metrics.items():
            store.registry.add(
                name,
                tmp_path / "long.npy",
                dataset="100m",
                modality="image",
                metric=metric,
                codes=False,
            )
        agreement = {}
        for name in ("by_cosine", "by_dot"):
            found = verify(store, {"image": name, **files_of(tree, "text")}, nn_index=1)
            agreement[name] = found.to_frame()["agreement"].item()
            assert f"image={name} ({name.removeprefix('by_')})" in found.protocol
    assert agreement["by_cosine"] > 0.9 > agreement["by_dot"]


def test_on_the_command_line(planted: Planted, tmp_path: Path) -> None:
    _, path, files = planted
    embeddings = ",".join(f"{name}={files[name]}" for name in ("text", "image", "audio"))
    done = emm1_cli("groups", "verify", path, "--embeddings", embeddings, "--nn-index", "1-2", "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("emm1: all ")
    rows = pl.read_csv(done.stdout.encode())
    assert rows.select("modality", "nn_index").rows() == [("image", 1), ("image", 2), ("audio", 1), ("audio", 2)]
    written = emm1_cli("groups", "verify", path, "--embeddings", embeddings, "--output", tmp_path / "rows.parquet")
    assert written.returncode == 0, written.stderr
    assert len(pl.read_parquet(tmp_path / "rows.parquet")) == 2 * RANKS


WRONG: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "no text": ({"image": "image.npy", "audio": "audio.npy"}, {}, "give embeddings of text too"),
    "text alone": ({"text": "text.npy"}, {}, "give embeddings of another one besides text"),
    "none": ({}, {}, "embeddings must name at least one modality"),
    "no modality": ({"text": "text.npy", "smell": "image.npy"}, {}, "unknown modality 'smell'"),
    "no name": ({"text": "words", "image": "image.npy"}, {}, "no embeddings are called 'words'"),
    "no file": ({"text": "text.npy", "image": "no.npy"}, {}, "no.npy does not exist"),
    "rank 0": ({"text": "text.npy", "image": "image.npy"}, {"nn_index": 0}, "0 is not a rank: 1"),
    "rank 17": ({"text": "text.npy", "image": "image.npy"}, {"nn_index": [1, 17]}, "17 is not a rank"),
    "no rank": ({"text": "text.npy", "image": "image.npy"}, {"nn_index": []}, "no ranks were named"),
    "no captions": ({"text": "text.npy", "image": "image.npy"}, {"captions": 0}, "captions must be a whole number"),
    "no ids": ({"text": "alone.npy", "image": "image.npy"}, {}, "has no ids, so row .* would be the item"),
    "other dims": ({"text": "text.npy", "image": "short.npy"}, {}, r"different dimensions \(text 16, image 8\)"),
    "another split": (
        {"text": "text.npy", "image": "image_1m"},
        {},
        "'image_1m' is 1m image, expected embeddings of 100m",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests(case: str, tree: Path, tmp_path: Path) -> None:
    embeddings, options, message = WRONG[case]
    text = np.load(tree / "embeddings/text.npy")
    np.save(tmp_path / "alone.npy", text)
    image = np.load(tree / "embeddings/image.npy")
    np.save(tmp_path / "short.npy", image[:, :8])
    with emm1.build(tree, tmp_path / "emm1.duckdb") as store:
        store.add_embeddings("image_1m", tree / "embeddings/1m/image.npy", dataset="1m", modality="image", codes=False)
        here = {"alone.npy", "short.npy"}
        named = {
            m: str((tmp_path if s in here else tree / "embeddings") / s) if s.endswith(".npy") else s
            for m, s in embeddings.items()
        }
        with pytest.raises(emm1.Error, match=message):
            verify(store, named, **options)


def test_a_store_without_groups(tree: Path, tmp_path: Path) -> None:
    without_groups = pytest.raises(emm1.StoreError, match="holds no groups: build it with e-mm1_100m/nn_1 to nn_16")
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["1m"]) as store, without_groups:
        verify(store, files_of(tree))
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=[1, 3]) as store:
        with pytest.raises(emm1.StoreError, match="no groups of rank 2, 4: it has 1, 3"):
            verify(store, files_of(tree), nn_index=range(1, 5))
        found = verify(store, files_of(tree, "text", "image"), captions=50).to_frame()
        assert found.select("nn_index", "exact").rows() == [(1, 50), (3, 50)]
