"""Work that an engine does in other processes: it travels as a pickle, and what is written has the bytes of one process."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import emm1
from emm1.embeddings.knn import BATCH
from emm1.evaluation.groups import make, neighbours
from emm1.evaluation.retrieval import shards
from emm1.evaluation.retrieval.run import Options, retrieve, retrieve_shard
from emm1.work import Progress, Work


def part(pickled: bytes, folder: Path, number: int) -> None:
    work = pickle.loads(pickled)  # noqa: S301 - our own
    work.check()
    work.write(folder, number, lambda _done, _all: None)


def processes(work: Work, folder: Path, numbers: Sequence[int], progress: Progress) -> None:
    """An engine: two new processes, which know nothing but the work."""
    pickled = pickle.dumps(work)
    assert len(pickled) < 200_000  # paths and ids, no vectors
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        done = 0
        for number, _ in zip(numbers, pool.map(partial(part, pickled, folder), numbers), strict=True):
            done += work.sizes[number]
            progress(done, sum(work.sizes))


def test_engines_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PART", 1500)
    tree = tmp_path / "sample"
    emm1.write_sample(tree, embeddings=16)
    text, image = (tree / "embeddings" / f"{modality}.npy" for modality in ("text", "image"))
    told: list[tuple[int, int]] = []
    with emm1.build(tree, tmp_path / "emm1.duckdb", ranks=[1], splits=["100m"]) as store:
        store.registry.add("image", image, dataset="100m", modality="image")
        for name, engine in (("here", None), ("there", processes)):
            (tmp_path / name).mkdir()
            emm1.knn_to_parquet(text, image, tmp_path / name / "knn.parquet", 3, engine=engine)
            make(store, tmp_path / name / "groups", {"text": text, "image": image}, 2, engine=engine)
            found = store.duplicates("image", threshold=0.9, output=tmp_path / name / "pairs.parquet", engine=engine)
            assert found.pairs > 0
        options = Options(resamples=0)
        pairs = {"query_id": emm1.Embeddings(text).ids, "id": np.resize(emm1.Embeddings(image).ids, 6706)}
        monkeypatch.setattr(shards, "FINE", 1500)
        retrieve_shard(store, text, image, pairs, None, options, tmp_path / "ranks", (1, 1), engine=processes)
        ranked = retrieve(store, text, image, pairs, None, options, parts=tmp_path / "ranks")
        known = retrieve(store, text, image, pairs, None, options)
        assert ranked.to_frame().equals(known.to_frame())
        assert len(list((tmp_path / "ranks").glob("*.parquet"))) == 5
        emm1.knn_to_parquet(
            text, image, tmp_path / "again.parquet", 3, engine=processes, progress=lambda done: told.append((done, 0))
        )
    files = sorted(path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("*.[cp]*"))
    assert [str(file) for file in files] == [
        "groups/nn_1/data_groups.csv",
        "groups/nn_2/data_groups.csv",
        "knn.parquet",
        "pairs.parquet",
    ]
    for file in files:
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "there" / file).read_bytes()
    assert len(told) > 1
    assert told[0][0] <= 4 * BATCH
