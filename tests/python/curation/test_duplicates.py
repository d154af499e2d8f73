"""Duplicates are exactly the pairs that NumPy finds; what is dropped has a kept partner; what is wrong is refused."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from system import command, emm1_cli, read_only

import emm1
from emm1.curation.duplicates.run import find_shard
from emm1.dataset import Split
from emm1.embeddings import reaching as searching
from emm1.embeddings.file import Metric
from emm1.store.registered import item_ids

Rows = NDArray[np.floating]
Pair = tuple[int, int]


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> emm1.Store:
    path = tmp_path / "emm1.duckdb"
    shutil.copyfile(store_path, path)
    return emm1.open(path)


def add(
    store: emm1.Store,
    rows: Rows,
    metric: Metric = "cosine",
    name: str = "x",
    dataset: Split = "100m",
    modality: str = "audio",
) -> NDArray[np.int64]:
    """Register rows under ids of items, in another order than theirs; returns the ids."""
    ids = np.random.default_rng(1).permutation(item_ids(store.connection, dataset, modality)[: len(rows)])
    file = store.path.with_name(f"{name}.npy")
    np.save(file, rows)
    store.registry.add(name, file, dataset=dataset, modality=modality, ids=ids, metric=metric)
    return ids


def cloud(rows: int, dims: int = 8, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, dims))
    return (centres[random.integers(0, 12, rows)] + 0.3 * random.normal(size=(rows, dims))).astype(np.float32)


def scores_of(a: Rows, b: Rows, metric: Metric) -> NDArray[np.float32]:
    """All scores in float64, rounded once."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    if metric == "l2":
        return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=2), np.float32)
    dots = a @ b.T
    if metric == "cosine":
        with np.errstate(invalid="ignore"):
            dots = dots / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)[None]
    return np.asarray(dots, np.float32)


def expected(
    a_ids: NDArray[np.int64],
    b_ids: NDArray[np.int64],
    scores: NDArray[np.float32],
    threshold: float,
    sign: int,
    *,
    within: bool,
) -> dict[Pair, float]:
    reach = sign * scores.astype(np.float64) >= sign * threshold
    found = ((int(a_ids[i]), int(b_ids[j]), float(scores[i, j])) for i, j in np.argwhere(reach))
    return {(a, b): score for a, b, score in found if not within or a < b}


def as_pairs(frame: pl.DataFrame) -> dict[Pair, float]:
    found = {(a, b): score for a, b, score in frame.rows()}
    assert len(found) == len(frame)
    return found


def between(scores: NDArray[np.float32], share: float) -> float:
    """A threshold in the widest gap near a quantile, which no rounding crosses."""
    values = np.unique(scores[np.isfinite(scores)].astype(np.float64))
    begin = min(max(int(share * len(values)) - 5, 0), len(values) - 11)
    window = values[begin : begin + 11]
    gap = int(np.argmax(np.diff(window)))
    return float(window[gap : gap + 2].mean())


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.98])
def test_within_one(store: emm1.Store, metric: Metric, share: float) -> None:
    rows = cloud(300)
    ids = add(store, rows, metric)
    scores = scores_of(rows, rows, metric)
    threshold = between(scores, share)
    report = store.duplicates("x", threshold=threshold)
    true = expected(ids, ids, scores, threshold, -1 if metric == "l2" else 1, within=True)
    found = as_pairs(report.to_frame())
    assert found.keys() == true.keys()
    np.testing.assert_allclose([found[pair] for pair in true], list(true.values()), rtol=1e-5, atol=1e-5)
    assert report.pairs == len(true)


@pytest.mark.parametrize("widths", [(1,), (2, 3), (16, 256, 4096)])
def test_no_width_of_the_search_loses_pairs(
    store: emm1.Store, monkeypatch: pytest.MonkeyPatch, widths: tuple[int, ...]
) -> None:
    rows = np.concatenate([cloud(300), np.ones((40, 8), np.float32)])
    ids = add(store, rows)
    monkeypatch.setattr(searching, "WIDTHS", widths)
    frame = store.duplicates("x", threshold=0.9).to_frame()
    true = expected(ids, ids, scores_of(rows, rows, "cosine"), 0.9, 1, within=True)
    assert as_pairs(frame).keys() == true.keys()
    place = {number: row for row, number in enumerate(ids.tolist())}
    assert frame["a"].replace_strict(place).is_sorted()
    best_first = frame.group_by("a", maintain_order=True).agg(pl.col("score").sort(descending=True).alias("s"))
    assert best_first["s"].explode().to_list() == frame["score"].to_list()


@pytest.mark.parametrize("swapped", [False, True])
def test_across_two(store: emm1.Store, swapped: bool) -> None:
    a, b = cloud(250, seed=1), cloud(40, seed=1)
    ids = {"big": add(store, a, name="big"), "small": add(store, b, name="small", dataset="1m")}
    names = ("small", "big") if swapped else ("big", "small")
    rows = (b, a) if swapped else (a, b)
    report = store.duplicates(*names, threshold=0.95)
    true = expected(ids[names[0]], ids[names[1]], scores_of(*rows, "cosine"), 0.95, 1, within=False)
    assert as_pairs(report.to_frame()).keys() == true.keys()
    big = 1 if swapped else 0
    assert set(report.dropped["id"]) == {
        pair[big] for pair in true
    }  # 1M is preferred to 100M, whatever the order of names
    assert report.dropped["dataset"].unique().to_list() == ["100m"]
    assert report.dropped["kept_dataset"].unique().to_list() == ["1m"]


def test_an_item_is_no_duplicate_of_itself(store: emm1.Store) -> None:
    rows = cloud(60)
    ids = add(store, rows)
    add(store, rows, name="y")
    report = store.duplicates("x", "y", threshold=0.9)
    scores = scores_of(rows, rows, "cosine")
    np.fill_diagonal(scores, -1)
    assert as_pairs(report.to_frame()).keys() == expected(ids, ids, scores, 0.9, 1, within=False).keys()
    assert report.dropped.equals(store.duplicates("x", threshold=0.9).dropped)
    assert store.duplicates("x", "x", threshold=0.9).other is None


def test_pairs_decide_and_never_chains(store: emm1.Store) -> None:
    angles = np.radians([0, 20, 40, 60, 80])
    file = store.path.with_name("chain.npy")
    np.save(file, np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
    store.registry.add("chain", file, dataset="100m", modality="audio", ids=[0, 1, 2, 3, 4])
    report = store.duplicates("chain", threshold=float(np.cos(np.radians(25))))
    assert report.pairs == 4
    assert report.dropped.select("id", "kept_id").rows() == [(1, 0), (3, 2)]


def test_everything_dropped_has_a_kept_partner_and_nothing_else_is(store: emm1.Store) -> None:
    ids = add(store, cloud(300))
    report = store.duplicates("x", threshold=0.9)
    pairs = as_pairs(report.to_frame())
    partners: dict[int, set[int]] = {number: set() for number in ids.tolist()}
    for a, b in pairs:
        partners[a].add(b)
        partners[b].add(a)
    kept: list[int] = []
    dropped: dict[int, int] = {}
    for number in sorted(partners):
        of = next((each for each in kept if each in partners[number]), None)
        if of is None:
            kept.append(number)
        else:
            dropped[number] = of
    assert dict(report.dropped.select("id", "kept_id").rows()) == dropped
    assert all(
        score == pairs[kept, number] for number, kept, score in report.dropped.select("id", "kept_id", "score").rows()
    )
    flags = store.sql("SELECT dataset, modality, id, flag, detail, source FROM flags ORDER BY id").fetchall()
    assert [row[:4] for row in flags] == [("100m", "audio", number, "duplicate") for number in sorted(dropped)]
    assert flags[0][4].startswith(f"kept: audio {dropped[flags[0][2]]} of 100m, cosine 0.9")
    assert {row[5] for row in flags} == {"duplicates x"}
    assert report.flagged == len(dropped)
    store.duplicates("x", threshold=1)
    assert store.connection.table("flags").shape[0] == 0  # what it noted before is replaced


def test_a_hub_of_equal_vectors(store: emm1.Store) -> None:
    rows = np.concatenate([np.tile(cloud(1, seed=9), (500, 1)), cloud(100)])
    ids = add(store, rows, modality="text")
    report = store.duplicates("x", threshold=1, sweep=True)
    assert report.pairs == 500 * 499 // 2
    hub = sorted(ids[:500].tolist())
    assert report.hubs["id"].to_list() == hub[:10]
    assert report.hubs["partners"].unique().to_list() == [499]
    assert report.hubs["hubs"][0] == 500
    assert report.hubs["item"].null_count() == 0
    assert report.dropped["kept_id"].unique().to_list() == hub[:1]
    assert len(report.dropped) == 499
    assert str(report).startswith("hubs: 500 items have 100 partners or more")
    add(store, rows, name="y", modality="text")
    twice = store.duplicates("x", "y", threshold=1)
    assert twice.pairs == 500 * 499
    assert twice.hubs.equals(report.hubs)


@pytest.mark.parametrize("metric", ["cosine", "l2", "dot"])
def test_too_many_equal_vectors(store: emm1.Store, tmp_path: Path, metric: Metric) -> None:
    equal = np.tile(cloud(1, seed=9), (40, 1))
    equal[::2, 0] = equal[1::2, 1] = 0
    equal[1::2, 0] = -0.0  # equal to the others in this component
    equal[:, 1] = 0
    rows = np.concatenate([cloud(60), equal])
    ids = add(store, rows, metric)
    score = float(scores_of(equal[:1], equal[:1], metric)[0, 0]) + (0.001 if metric == "l2" else -0.001)
    output = tmp_path / "pairs.parquet"
    said = rf"40 rows of 'x' have the same vector as audio {ids[60]}, which would be 780 pairs"
    with pytest.raises(emm1.EmbeddingError, match=said):
        store.duplicates("x", threshold=score, most_equal=39, output=output)
    assert [*tmp_path.glob("pairs*")] == []
    allowed = store.duplicates("x", threshold=score, most_equal=40).pairs
    assert allowed >= 780
    add(store, equal, metric, "y")
    with pytest.raises(emm1.EmbeddingError, match=r"40 rows of 'x' .* 1,600 pairs"):
        store.duplicates("x", "y", threshold=score, most_equal=57)  # 1,596 pairs are allowed
    assert store.duplicates("x", "y", threshold=score, most_equal=58).pairs >= 1600 - 40


def test_equal_vectors_that_are_no_pairs(store: emm1.Store) -> None:
    add(store, np.concatenate([np.zeros((50, 8), np.float32), np.eye(8, dtype=np.float32)]))
    assert store.duplicates("x", threshold=0.5, most_equal=2).pairs == 0


def test_zero_vectors_are_left_out(store: emm1.Store) -> None:
    rows = cloud(80)
    rows[[3, 40, 41]] = 0
    with pytest.warns(emm1.errors.EmbeddingsWarning, match="zero vectors"):
        store.add_embeddings("z", _saved(store, rows), dataset="100m", modality="audio", ids=np.arange(80))
    ids = np.arange(80)
    report = store.duplicates("z", threshold=-0.5)
    assert (
        as_pairs(report.to_frame()).keys()
        == expected(ids, ids, scores_of(rows, rows, "cosine"), -0.5, 1, within=True).keys()
    )  # NaN reaches nothing
    assert report.zero_rows == (3,)
    assert str(report).startswith("left out: 3 zero vectors of z, which have no direction")


def _saved(store: emm1.Store, rows: Rows) -> Path:
    file = store.path.with_name("saved.npy")
    np.save(file, rows)
    return file


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(store: emm1.Store, rows: int, tmp_path: Path) -> None:
    ids = np.arange(rows)
    try:
        store.registry.add("few", _saved(store, cloud(1)[:rows]), dataset="100m", modality="audio", ids=ids)
    except emm1.EmbeddingError:
        return  # refused before
    add(store, cloud(50))
    report = store.duplicates("few", threshold=0, output=tmp_path / "few.parquet", sweep=True)
    assert report.pairs == 0
    assert pl.read_parquet(tmp_path / "few.parquet").schema == {"a": pl.Int64, "b": pl.Int64, "score": pl.Float32}
    assert store.duplicates("few", "x", threshold=-1).pairs in (0, 50, 49)
    assert store.duplicates("x", "few", threshold=-1).pairs in (0, 50, 49)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_the_sweep_counts_what_each_threshold_gives(store: emm1.Store, metric: Metric) -> None:
    add(store, cloud(120), metric)
    report = store.duplicates("x", threshold=0.8, sweep=True, flag=False)
    assert report.sweep is not None
    assert report.samples is not None
    scores = report.to_frame()["score"].to_numpy().astype(np.float64)
    for threshold, pairs in report.sweep.rows():
        assert pairs == np.count_nonzero(scores <= threshold if metric == "l2" else scores >= threshold)
    assert report.sweep.rows()[-1] == (0.8, len(scores))
    known = as_pairs(report.to_frame())
    assert len(report.samples) > 3
    assert all(known[a, b] == score for a, b, score in report.samples.select("a", "b", "score").rows())
    assert report.samples.select("item_a", "item_b").null_count().row(0) == (0, 0)
    assert store.connection.table("flags").shape[0] == 0


WRONG: dict[str, tuple[Callable[[emm1.Store], object], str]] = {
    "an unknown name": (lambda store: store.duplicates("z", threshold=0.9), "x"),
    "an unknown second name": (lambda store: store.duplicates("x", "z", threshold=0.9), "x"),
    "NaN": (lambda store: store.duplicates("x", threshold=np.nan), "threshold must be a cosine from -1 to 1, not nan"),
    "more than 1": (lambda store: store.duplicates("x", threshold=1.01), "a cosine from -1 to 1, not 1.01"),
    "a text": (lambda store: store.duplicates("x", threshold="0.9"), "a cosine from -1 to 1, not '0.9'"),  # type: ignore[arg-type]
    "a negative distance": (lambda store: store.duplicates("far", threshold=-1), "a distance of at least 0, not -1"),
    "an infinity": (lambda store: store.duplicates("dot", threshold=np.inf), "a finite number, not inf"),
    "other dimensions": (lambda store: store.duplicates("x", "wide", threshold=0.9), "8 components.*16"),
    "other metrics": (lambda store: store.duplicates("x", "far", threshold=0.9), "metric cosine, 'far' with l2"),
    "a folder": (
        lambda store: store.duplicates("x", threshold=0.9, output=store.path.with_name("made.parquet")),
        "exists",
    ),
    "no Parquet": (
        lambda store: store.duplicates("x", threshold=0.9, output=store.path.with_name("pairs.csv")),
        "name it pairs.parquet",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused(store: emm1.Store, case: str) -> None:
    add(store, cloud(5))
    add(store, cloud(5), "l2", "far")
    add(store, cloud(5), "dot", "dot")
    add(store, cloud(5, 16), name="wide")
    store.path.with_name("made.parquet").mkdir()
    ask, said = WRONG[case]
    with pytest.raises(emm1.EmbeddingError, match=said):
        ask(store)
    assert store.connection.table("flags").shape[0] == 0


def test_captions_and_files_do_not_replace_each_other(store: emm1.Store) -> None:
    add(store, cloud(50))
    store.registry.add("text", _saved(store, cloud(50)), dataset="100m", modality="text", ids=np.arange(50))
    report = store.duplicates("x", "text", threshold=0.9)
    assert report.pairs >= 50
    assert report.dropped.is_empty()
    assert "nothing is dropped: items of different modalities" in str(report)


def test_ids_that_are_no_items_are_not_flagged(store: emm1.Store) -> None:
    with pytest.warns(emm1.errors.EmbeddingsWarning, match="ids are not in"):
        store.add_embeddings(
            "more", _saved(store, np.ones((3, 4), np.float32)), dataset="100m", modality="audio", ids=[0, 1, 2**40]
        )
    report = store.duplicates("more", threshold=1)
    assert report.dropped["id"].to_list() == [1, 2**40]
    assert report.flagged == 1


def test_a_store_for_reading(store: emm1.Store, tmp_path: Path) -> None:
    add(store, cloud(40))
    store.close()
    with emm1.open(store.path, read_only=True) as reading:
        with pytest.raises(emm1.StoreError, match="open it for writing to flag items"):
            reading.duplicates("x", threshold=0.9, output=tmp_path / "pairs.parquet")
        assert not list(tmp_path.glob("pairs*"))
        assert reading.duplicates("x", threshold=0.9, flag=False).flagged is None


def test_a_folder_for_reading(store: emm1.Store, tmp_path: Path) -> None:
    add(store, cloud(40))
    (tmp_path / "closed").mkdir()
    with read_only(tmp_path / "closed") as folder, pytest.raises(emm1.Error, match="cannot be written: Read-only"):
        store.duplicates("x", threshold=0.9, output=folder / "pairs.parquet")


def test_killed_and_started_again(store: emm1.Store, tmp_path: Path) -> None:
    """A run that is killed between parts goes on, and gives the bytes of one that is not."""
    file = store.path.with_name("many.npy")
    np.save(file, np.random.default_rng(0).normal(size=(32_000, 16)).astype(np.float32))
    store.registry.add("many", file, dataset="100m", modality="text", ids=np.arange(32_000))
    store.close()
    output, part = tmp_path / "deep/er/pairs.parquet", tmp_path / "deep/er/pairs.parquet.parts/000000.parquet"
    process = subprocess.Popen(
        command("duplicates", store.path, "many", "--threshold", "0.8", "--output", output), stdout=subprocess.PIPE
    )
    while process.poll() is None and not part.exists():
        time.sleep(0.002)
    process.kill()  # SIGKILL, except on Windows
    process.communicate()
    assert not output.exists()
    written = part.stat().st_mtime_ns
    with emm1.open(store.path) as again:
        with pytest.raises(emm1.EmbeddingError, match="holds parts of a run with other files or settings"):
            again.duplicates("many", threshold=0.9, output=output)
        assert part.stat().st_mtime_ns == written
        assert again.connection.table("flags").shape[0] == 0
        searched: list[int] = []

        def watch(what: str, done: int, _total: int) -> None:
            if what == "searching":
                searched.append(done)

        resumed = again.duplicates("many", threshold=0.8, output=output, progress=watch)
        assert min(done for done in searched if done) >= 16_000  # the first part is not searched again
        whole = again.duplicates("many", threshold=0.8, output=tmp_path / "at once.parquet")
        shared = tmp_path / "shared.parquet"
        for shard in (2, 3):
            find_shard(again, "many", shard=(shard, 3), threshold=0.8, output=shared)
        with pytest.raises(emm1.EmbeddingError, match=r"run shard 1/3 again"):
            again.duplicates("many", threshold=0.8, output=shared, merge=True)
        find_shard(again, "many", shard=(1, 3), threshold=0.8, output=shared)
        merged = again.duplicates("many", threshold=0.8, output=shared, merge=True)
    assert resumed.pairs == whole.pairs > 0
    assert resumed.dropped.equals(whole.dropped)
    assert output.read_bytes() == (tmp_path / "at once.parquet").read_bytes() == shared.read_bytes()
    assert merged.dropped.equals(whole.dropped)
    assert not part.parent.exists()


def test_the_command(store: emm1.Store, tmp_path: Path) -> None:
    add(store, np.concatenate([np.ones((120, 8), np.float32), cloud(30)]))
    path = store.path
    store.close()
    output = tmp_path / "pairs.parquet"
    done = emm1_cli("duplicates", path, "x", "--threshold", "0.999", "--sweep", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "hubs: 120 items have 100 partners or more" in done.stderr
    assert "duplicates within x, 150 vectors: 7,140 pairs with a cosine of at least 0.999" in done.stdout
    assert "to drop: 119 items, each a partner of a kept item; 119 flagged duplicate" in done.stdout
    assert "threshold\tpairs\n1.0\t7140\n0.999\t7140\n" in done.stdout
    assert len(pl.read_parquet(output)) == 7140
    again = emm1_cli("duplicates", path, "x", "--threshold", "0.999", "--output", output)
    assert (again.returncode, again.stdout) == (1, "")
    assert "exists: remove it or name another file" in again.stderr
    assert emm1_cli("duplicates", path, "x", "--output", tmp_path / "b.parquet").returncode == 2
