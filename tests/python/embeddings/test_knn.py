"""Neighbours of one file in another: compared with NumPy, interrupted and resumed, and from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from system import emm1_cli, small_disk

import emm1
from emm1.embeddings.blocks import MOST
from emm1.embeddings.knn import BATCH


@pytest.fixture
def files(tmp_path: Path) -> tuple[emm1.Embeddings, emm1.Embeddings]:
    random = np.random.default_rng(1)
    np.save(tmp_path / "q.npy", random.normal(size=(2 * MOST + 5, 4)).astype(np.float32))
    np.save(tmp_path / "b.npy", random.normal(size=(40, 4)).astype(np.float32))
    np.save(tmp_path / "b.ids.npy", np.arange(40) * 2)
    return emm1.Embeddings(tmp_path / "q.npy"), emm1.Embeddings(tmp_path / "b.npy")


def expected(files: tuple[emm1.Embeddings, emm1.Embeddings], k: int) -> list[int]:
    queries, base = (np.load(e.path).astype(np.float64) for e in files)
    best = np.argsort(-(queries @ base.T), axis=1, kind="stable")[:, :k] * 2
    return [int(id_) for id_ in best.ravel()]


def test_knn_is_a_search_for_every_row(files: tuple[emm1.Embeddings, emm1.Embeddings], tmp_path: Path) -> None:
    queries, base = files
    batches = list(emm1.knn(queries, base, k=3, metric="dot"))
    assert [id_ for batch in batches for id_ in batch.ids.ravel().tolist()] == expected(files, 3)
    assert [id_ for batch in batches for id_ in batch.query_ids.tolist()] == list(range(len(queries)))
    heard: list[int] = []
    output = tmp_path / "o.parquet"
    assert emm1.knn_to_parquet(queries, base, output, 3, metric="dot", progress=heard.append) == 3 * len(queries)
    table = pl.read_parquet(output)
    assert table["id"].to_list() == expected(files, 3)
    assert table["rank"].to_list() == [1, 2, 3] * len(queries)
    assert table["query_id"].to_list() == np.repeat(np.arange(len(queries)), 3).tolist()
    assert table["score"].to_numpy().tobytes() == b"".join(batch.scores.tobytes() for batch in batches)
    assert heard[-1] == len(queries)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.ids.npy", "b.npy", "o.parquet", "q.npy"]
    with pytest.raises(emm1.EmbeddingError, match=r"o\.parquet exists: remove it"):
        emm1.knn_to_parquet(queries, base, output)


def test_an_interrupted_run_goes_on(files: tuple[emm1.Embeddings, emm1.Embeddings], tmp_path: Path) -> None:
    queries, base = files
    output = tmp_path / "o.parquet"

    def stop(done: int) -> None:
        if done > MOST:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        emm1.knn_to_parquet(queries, base, output, 3, metric="dot", progress=stop)
    assert not output.exists()
    with pytest.raises(emm1.EmbeddingError, match="parts of a run with other files or settings"):
        emm1.knn_to_parquet(queries, base, output, 4, metric="dot")
    heard: list[int] = []
    emm1.knn_to_parquet(queries, base, output, 3, metric="dot", progress=heard.append)
    assert min(number for number in heard if number) > BATCH  # the first part was not searched again
    assert pl.read_parquet(output)["id"].to_list() == expected(files, 3)


def test_a_run_with_other_ids_does_not_go_on(files: tuple[emm1.Embeddings, emm1.Embeddings], tmp_path: Path) -> None:
    """The vectors are the same, in files of the same name, size and time."""
    queries, base = files

    def stop(done: int) -> None:
        if done > MOST:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        emm1.knn_to_parquet(queries, base, tmp_path / "o.parquet", progress=stop)
    np.save(tmp_path / "b.ids.npy", np.arange(40) * 3)
    for other in (emm1.Embeddings(base.path), emm1.Embeddings(base.path, ids=np.arange(40))):
        with pytest.raises(emm1.EmbeddingError, match="parts of a run with other files or settings"):
            emm1.knn_to_parquet(queries, other, tmp_path / "o.parquet")


def test_two_runs_do_not_write_the_same_file(files: tuple[emm1.Embeddings, emm1.Embeddings], tmp_path: Path) -> None:
    queries, base = files
    errors = []

    def start_another(_done: int) -> None:
        with pytest.raises(emm1.EmbeddingError) as raised:
            emm1.knn_to_parquet(queries, base, tmp_path / "o.parquet")
        errors.append(str(raised.value))

    emm1.knn_to_parquet(queries, base, tmp_path / "o.parquet", progress=start_another)
    assert "is being made by another process" in errors[0]
    assert pl.read_parquet(tmp_path / "o.parquet").height == 16 * len(queries)


def test_a_full_disk(files: tuple[emm1.Embeddings, emm1.Embeddings], tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "100k") as disk:
        with pytest.raises(emm1.Error, match=r"o\.parquet cannot be written: No space left on device"):
            emm1.knn_to_parquet(*files, disk / "o.parquet")
        assert not (disk / "o.parquet").exists()


def test_dims_must_agree(tmp_path: Path, files: tuple[emm1.Embeddings, emm1.Embeddings]) -> None:
    np.save(tmp_path / "c.npy", np.ones((2, 5), np.float32))
    other = emm1.Embeddings(tmp_path / "c.npy")
    for call in (lambda: list(emm1.knn(other, files[1])), lambda: emm1.knn_to_parquet(other, files[1], tmp_path / "o")):
        with pytest.raises(emm1.EmbeddingError, match=r"c\.npy have 5 components, those of .*b\.npy 4"):
            call()


def test_codes_knn_and_verify_from_the_command_line(tmp_path: Path) -> None:
    emm1.write_sample(tmp_path / "sample", embeddings=8)
    store = tmp_path / "emm1.duckdb"
    emm1.build(tmp_path / "sample", store, ranks=[1], splits=["100m"]).close()
    for name in ("text", "image"):
        file = tmp_path / "sample" / "embeddings" / f"{name}.npy"
        added = emm1_cli("embeddings", "add", store, name, file, "--dataset", "100m", "--modality", name)
        assert added.returncode == 0, added.stderr
        assert file.with_name(f"{name}.npy.codes").is_file()
    verified = emm1_cli("embeddings", "verify", store)
    assert verified.stdout.count("every vector finite, codes sound") == 2
    output = tmp_path / "n.parquet"
    done = emm1_cli("knn", store, "text", "image", "-k", 2, "--output", output)
    assert done.returncode == 0, done.stderr
    assert pl.read_parquet(output).height == 2 * len(emm1.Embeddings(tmp_path / "sample/embeddings/text.npy"))
    others = emm1_cli("knn", store, "text", "text", "-k", 2, "--exclude-self", "--output", tmp_path / "others.parquet")
    assert others.returncode == 0, others.stderr
    table = pl.read_parquet(tmp_path / "others.parquet")
    assert table.filter(pl.col("query_id") == pl.col("id")).is_empty()
    assert table.height == pl.read_parquet(output).height
    again = emm1_cli("knn", store, "text", "image", "--output", output)
    assert (again.returncode, again.stderr) == (1, f"emm1: {output} exists: remove it or name another file\n")
    unknown = emm1_cli("knn", store, "text", "moving", "--output", tmp_path / "m.parquet")
    assert unknown.returncode == 1
    assert "no embeddings are called 'moving': registered are image, text" in unknown.stderr

    codes = tmp_path / "sample/embeddings/image.npy.codes"
    damaged = bytearray(codes.read_bytes())
    damaged[-200] ^= 255
    codes.write_bytes(damaged)
    broken = emm1_cli("embeddings", "verify", store, "image")
    assert broken.returncode == 1
    assert "image.npy.codes: is damaged" in broken.stderr
