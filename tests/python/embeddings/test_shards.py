"""Shards of nearest neighbours: whatever they are, they are joined to the bytes that one process writes; others are refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from system import command, emm1_cli

import emm1
from emm1.embeddings.knn import BATCH


def write(folder: Path, queries: int = 90, base: int = 70, *, same: bool = False) -> tuple[Path, Path]:
    """Vectors with many equal scores, under ids that are not in order."""
    random = np.random.default_rng(queries + base)
    for name, rows in (("q", queries), ("b", base)):
        np.save(folder / f"{name}.npy", random.integers(-1, 2, size=(rows, 4)).astype(np.float32) + np.float32(0.5))
        np.save(folder / f"{name}.ids.npy", random.permutation(3 * rows)[:rows])
    return folder / "q.npy", folder / ("q.npy" if same else "b.npy")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    queries=st.sampled_from([1, 5, BATCH, 2 * BATCH + 3]),
    base=st.integers(4, 70),
    shards=st.integers(1, 4),
    base_shards=st.integers(1, 4),
    k=st.sampled_from([1, 3, 16, 100]),
    metric=st.sampled_from(["cosine", "dot", "l2"]),
    exclude_self=st.booleans(),
)
def test_the_bytes_of_one_process(
    tmp_path_factory: pytest.TempPathFactory,
    queries: int,
    base: int,
    shards: int,
    base_shards: int,
    k: int,
    metric: str,
    exclude_self: bool,
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    rows, columns = write(folder, queries, base, same=False)
    how: dict[str, Any] = {"metric": metric, "exclude_self": exclude_self}
    emm1.knn_to_parquet(rows, columns, folder / "one.parquet", k, **how)
    for own in range(shards, 0, -1):
        for own_base in range(1, base_shards + 1):
            emm1.knn_shard(
                rows, columns, folder / "parts", k, shard=(own, shards), base_shard=(own_base, base_shards), **how
            )
    assert emm1.merge_knn(folder / "parts", folder / "all.parquet") == pl.read_parquet(folder / "one.parquet").height
    assert (folder / "all.parquet").read_bytes() == (folder / "one.parquet").read_bytes()
    shutil.rmtree(folder)


def test_more_hits_than_a_row_group_has_rows(tmp_path: Path) -> None:
    """1,100 queries with 1,500 hits each: the hits of a batch of queries do not fit into a row group of a part."""
    random = np.random.default_rng(5)
    queries, base = (random.integers(-9, 10, size=(rows, 3)).astype(np.float32) for rows in (1100, 1600))
    np.save(tmp_path / "q.npy", queries)
    np.save(tmp_path / "b.npy", base)
    files = tmp_path / "q.npy", tmp_path / "b.npy"
    emm1.knn_to_parquet(*files, tmp_path / "one.parquet", 1500, metric="dot")
    products = queries.astype(np.float64) @ base.astype(np.float64).T
    best = np.argsort(-products, axis=1, kind="stable")[:, :1500]
    found = pl.read_parquet(tmp_path / "one.parquet")
    assert (found["id"].to_numpy().reshape(best.shape) == best).all()
    assert (found["query_id"].to_numpy() == np.repeat(np.arange(1100), 1500)).all()
    for share in (1, 2):
        emm1.knn_shard(*files, tmp_path / "parts", 1500, base_shard=(share, 2), metric="dot")
    emm1.merge_knn(tmp_path / "parts", tmp_path / "all.parquet")
    assert (tmp_path / "all.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_no_queries_and_no_base(tmp_path: Path) -> None:
    np.save(tmp_path / "some.npy", np.eye(3, dtype=np.float32))
    np.save(tmp_path / "none.npy", np.empty((0, 3), np.float32))
    for number, files in enumerate([("none.npy", "some.npy"), ("some.npy", "none.npy")]):
        one, other = (tmp_path / name for name in files)
        assert emm1.knn_to_parquet(one, other, tmp_path / f"{number}.parquet", 2) == 0
        for shard in (1, 2):
            emm1.knn_shard(one, other, tmp_path / f"{number}", 2, shard=(shard, 2))
        assert emm1.merge_knn(tmp_path / f"{number}", tmp_path / f"all-{number}.parquet") == 0
        assert pl.read_parquet(tmp_path / f"all-{number}.parquet").columns == ["query_id", "rank", "id", "score"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    files = write(tmp_path)
    for own in ((1, 1), (1, 2), (3, 2)):
        emm1.knn_shard(*files, tmp_path / "parts", 3, shard=(own[0], 3), base_shard=(own[1], 2))
    with pytest.raises(emm1.EmbeddingError) as raised:
        emm1.merge_knn(tmp_path / "parts", tmp_path / "o.parquet")
    assert "lacks 3 of 6 parts: 000002.parquet, 000003.parquet, 000004.parquet; run shards" in str(raised.value)
    assert "2/3 of the queries and 1/2 of the base, 2/3 of the queries and 2/2 of the base, 3/3" in str(raised.value)
    assert not list(tmp_path.glob("o.parquet*"))


def test_a_damaged_part_is_done_again(tmp_path: Path) -> None:
    """As after a power failure: the name is there, and what it holds is not."""
    files = write(tmp_path)
    emm1.knn_to_parquet(*files, tmp_path / "one.parquet", 3)
    emm1.knn_shard(*files, tmp_path / "parts", 3, shard=(1, 2))
    emm1.knn_shard(*files, tmp_path / "parts", 3, shard=(2, 2))
    part = tmp_path / "parts" / "000001.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(emm1.EmbeddingError, match=r"lacks 1 of 2 parts: 000001\.parquet; run shard 2/2 again"):
        emm1.merge_knn(tmp_path / "parts", tmp_path / "o.parquet")
    emm1.knn_shard(*files, tmp_path / "parts", 3, shard=(2, 2))
    emm1.merge_knn(tmp_path / "parts", tmp_path / "o.parquet")
    assert (tmp_path / "o.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_parts_of_other_files_and_settings_are_refused(tmp_path: Path) -> None:
    rows, columns = write(tmp_path)
    emm1.knn_shard(rows, columns, tmp_path / "parts", 3, shard=(1, 2))
    refused = "parts of a run with other files or settings"
    others: list[tuple[dict[str, Any], str]] = [
        ({"k": 4}, "k"),
        ({"metric": "dot"}, "metric"),
        ({"exclude_self": True}, "exclude_self"),
        ({"shard": (2, 3)}, "shards"),
        ({"base_shard": (1, 2)}, "base_shards"),
    ]
    for changed, named in others:
        how: dict[str, Any] = {"k": 3, "shard": (2, 2), **changed}
        with pytest.raises(emm1.EmbeddingError, match=rf"{refused} \({named}\)"):
            emm1.knn_shard(rows, columns, tmp_path / "parts", **how)
    (tmp_path / "elsewhere").mkdir()
    for file in (rows, columns, rows.with_suffix(".ids.npy"), columns.with_suffix(".ids.npy")):
        shutil.copy(file, tmp_path / "elsewhere")  # the same files in another place, at another time
    emm1.knn_shard(tmp_path / "elsewhere/q.npy", tmp_path / "elsewhere/b.npy", tmp_path / "parts", 3, shard=(2, 2))
    vectors = np.load(columns)
    vectors[7, 1] += 1
    np.save(columns, vectors)
    with pytest.raises(emm1.EmbeddingError, match=rf"{refused} \(base\)"):
        emm1.knn_shard(rows, columns, tmp_path / "parts", 3, shard=(2, 2))
    emm1.knn_shard(rows, columns, tmp_path / "others", 3, shard=(2, 2))
    shutil.copy(tmp_path / "others" / "000001.parquet", tmp_path / "parts")
    with pytest.raises(emm1.EmbeddingError, match=rf"000001\.parquet holds {refused} \(base\)"):
        emm1.merge_knn(tmp_path / "parts", tmp_path / "o.parquet")


def test_a_file_that_changes_meanwhile_leaves_no_part(tmp_path: Path) -> None:
    rows, columns = write(tmp_path)

    def change(done: int, _all: int) -> None:
        if done:
            vectors = np.load(rows)
            vectors[3, 1] += 1
            with rows.open("r+b") as file:
                file.seek(rows.stat().st_size - vectors.nbytes)
                file.write(vectors.tobytes())

    with pytest.raises(emm1.EmbeddingError, match=r"q\.npy is not the file that the work began with"):
        emm1.knn_shard(rows, columns, tmp_path / "parts", 3, progress=change)
    assert not list((tmp_path / "parts").glob("*.parquet*"))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nothing", "there is no run.json"),
        ("damaged", r"run\.json is damaged"),
        ("other", "holds parts of other work"),
        ("strangers", "holds Parquet files, but not run.json"),
    ],
)
def test_folders_of_other_things(what: str, message: str, tmp_path: Path) -> None:
    files = write(tmp_path)
    parts = tmp_path / "parts"
    parts.mkdir()
    if what == "strangers":
        pl.DataFrame({"a": [1]}).write_parquet(parts / "mine.parquet")
        with pytest.raises(emm1.EmbeddingError, match=message):
            emm1.knn_shard(*files, parts, 3)
        return
    if what != "nothing":
        (parts / "run.json").write_text("[" if what == "damaged" else '{"k": 3}')
    with pytest.raises(emm1.EmbeddingError, match=message):
        emm1.merge_knn(parts, tmp_path / "o.parquet")


def test_a_killed_shard_is_done_again(tmp_path: Path) -> None:
    """With processes: two shards at the same time, one of which is killed."""
    store = tmp_path / "emm1.duckdb"
    emm1.write_sample(tmp_path / "sample", scale=0.0001)
    emm1.build(tmp_path / "sample", store, ranks=[1], splits=["100m"]).close()
    random = np.random.default_rng(3)
    rows, columns = tmp_path / "q.npy", tmp_path / "b.npy"
    np.save(rows, random.normal(size=(40_000, 32)).astype(np.float32))
    np.save(columns, random.normal(size=(20_000, 32)).astype(np.float32))
    parts, all_of = tmp_path / "parts", [store, rows, columns, "-k", 4]
    begun = subprocess.Popen(command("knn", *all_of, "--output", parts, "--shard", "1/2"), stderr=subprocess.DEVNULL)
    while begun.poll() is None and not list(parts.glob("000000.parquet*")):
        pass
    begun.kill()
    begun.wait()
    one = emm1_cli("knn", *all_of, "--output", tmp_path / "one.parquet")
    assert one.returncode == 0, one.stderr
    done = emm1_cli("knn", *all_of, "--output", parts, "--shard", "2/2")
    assert done.stdout == f"{parts}: shard 2/2 is done\n", done.stderr
    lacking = emm1_cli("knn", "merge", parts, "--output", tmp_path / "all.parquet")
    assert lacking.returncode == 1
    assert "run shard 1/2 again" in lacking.stderr
    assert "Traceback" not in lacking.stderr
    assert emm1_cli("knn", *all_of, "--output", parts, "--shard", "1/2").returncode == 0
    merged = emm1_cli("knn", "merge", parts, "--output", tmp_path / "all.parquet")
    assert merged.stdout == f"{tmp_path / 'all.parquet'}: 160,000 rows\n", merged.stderr
    assert (tmp_path / "all.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
    assert not list(parts.glob("*.writing"))


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3", "1/99999999"])
def test_no_such_shard(wrong: str, tmp_path: Path) -> None:
    refused = emm1_cli("knn", "no.duckdb", "q.npy", "b.npy", "--output", tmp_path / "parts", "--shard", wrong)
    assert refused.returncode == 2
    assert "is not I/N with I from 1 to N" in refused.stderr
