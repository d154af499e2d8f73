"""Many connections search at once while embeddings are added and replaced, by this process and by another."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pytest

import emm1

CONNECTIONS, QUESTIONS, ADDED = 64, 12, 8
Answer = list[tuple[int, float]]

# Another process replaces a file again and again: by two others in turn, with codes and without.
REPLACE = """
import shutil, sys, itertools, emm1
target, *sources = sys.argv[1:]
print("ready", flush=True)
for source in itertools.cycle(sources):
    shutil.copy(source, target + ".new.npy")
    __import__("os").replace(target + ".new.npy", target)
    emm1.Embeddings(target).build_codes()
"""


@contextmanager
def replaced_meanwhile(target: Path, *sources: Path) -> Iterator[None]:
    command = [sys.executable, "-c", REPLACE, *map(str, (target, *sources))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        assert process.poll() is None, "it went on to the end"
        process.kill()


def best(file: Path, query: list[float]) -> Answer:
    hits = emm1.Embeddings(file, codes=False).search(query, 5)
    return list(zip(hits.ids.tolist(), hits.scores.tolist(), strict=True))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[emm1.Store]:
    emm1.write_sample(tmp_path / "sample", embeddings=0)
    with emm1.build(tmp_path / "sample", tmp_path / "emm1.duckdb", ranks=[1], splits=["100m"]) as built:
        yield built


def test_64_connections_search_while_embeddings_come_and_change(store: emm1.Store, tmp_path: Path) -> None:
    dice = np.random.default_rng(2)
    files = [tmp_path / f"{name}.npy" for name in ("one", "other", *(f"added{number}" for number in range(ADDED)))]
    for file in files:
        np.save(file, dice.normal(size=(int(dice.integers(400, 800)), 32)).astype(np.float32))
    one, other, *added = files
    moving = tmp_path / "moving.npy"
    moving.write_bytes(one.read_bytes())
    query = [float(x) for x in dice.normal(size=32).astype(np.float32)]
    one_or_other = [best(one, query), best(other, query)]
    store.add_embeddings("image", one, dataset="100m", modality="image")
    answers: list[tuple[str, list[Answer], Answer]] = []
    failures: list[BaseException] = []
    at_once = threading.Barrier(CONNECTIONS + 1)

    def ask(cursor: duckdb.DuckDBPyConnection, seed: int) -> None:
        choose = random.Random(seed)
        try:
            at_once.wait()
            for _ in range(QUESTIONS):
                what, right = "image", one_or_other
                names = [name for (name,) in cursor.execute("SELECT name FROM embeddings").fetchall()]
                if choose.random() < 0.5:
                    what = choose.choice(names)
                    right = one_or_other if what == "image" else [best(tmp_path / f"{what}.npy", query)]
                sql = "SELECT id, score FROM nearest($what, $query, k := 5) ORDER BY rank"
                if choose.random() < 0.3:
                    what, right = str(moving), one_or_other
                    sql = "SELECT h.id, h.score FROM (SELECT unnest(emm1_topk($what, $query, 5, 'cosine')) AS h)"
                found = cursor.execute(sql, {"what": what, "query": query}).fetchall()
                answers.append((what, right, found))
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(store.cursor(), seed)) for seed in range(CONNECTIONS)]
    with replaced_meanwhile(moving, other, one):
        for thread in threads:
            thread.start()
        at_once.wait()
        for file in added:
            store.add_embeddings(file.stem, file, dataset="100m", modality="image")
            for replacement in (other, one):
                store.add_embeddings("image", replacement, dataset="100m", modality="image", replace=True)
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(answers) == CONNECTIONS * QUESTIONS
    assert [answer for answer in answers if answer[2] not in answer[1]] == []
    seen = {what for what, _, _ in answers}
    assert {"image", str(moving)} < seen
    assert len(seen) > 3, "some of what was added meanwhile was asked for meanwhile"
    names = store.sql("SELECT name FROM embeddings ORDER BY name").fetchall()
    assert [name for (name,) in names] == sorted(["image", *(file.stem for file in added)])
    for file in added:
        rows = store.nearest(file.stem, query, k=5).fetchall()
        assert [(item, score) for _, item, score in rows] == best(file, query)
