"""Many connections search at once while this process and another add and replace embeddings."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import emm1

CONNECTIONS, ADDED, DIMS = 64, 8, 32
QUERY = [(number * 37 % 19 - 9) / 8 for number in range(DIMS)]
Answer = list[tuple[int, float]]

# Another process keeps replacing a file with one of two others, and builds codes.
REPLACE = """
import itertools, os, shutil, sys, emm1
target, *sources = sys.argv[1:]
print("ready", flush=True)
for source in itertools.cycle(sources):
    shutil.copy(source, target + ".new.npy")
    os.replace(target + ".new.npy", target)
    emm1.Embeddings(target).build_codes()
"""


@contextmanager
def replaced_meanwhile(target: str, *sources: str) -> Iterator[None]:
    command = [sys.executable, "-c", REPLACE, target, *sources]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        assert process.poll() is None, "it went on to the end"
        process.kill()


def best(name: str) -> Answer:
    hits = emm1.Embeddings(f"{name}.npy", codes=False).search(QUERY, 5)
    return list(zip(hits.ids.tolist(), hits.scores.tolist(), strict=True))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[emm1.Store]:
    emm1.write_sample(tmp_path / "sample", embeddings=0)
    with emm1.build(tmp_path / "sample", tmp_path / "emm1.duckdb", ranks=[1], splits=["100m"]) as built:
        yield built


class Asker(threading.Thread):
    """A connection that searches by names and by paths; keeps its answers with the possible right ones."""

    def __init__(self, store: emm1.Store, seed: int, end: threading.Event, known: dict[str, list[Answer]]) -> None:
        super().__init__()
        self._cursor, self._choose = store.cursor(), random.Random(seed)  # noqa: S311
        self._end, self._known = end, known
        self.answers: list[tuple[str, list[Answer], Answer]] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Ask questions until the end."""
        try:
            while not self._end.is_set():
                self._ask()
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            self.failure = error

    def asked(self) -> set[str]:
        """The names and paths it has asked about so far."""
        return {what for what, _, _ in list(self.answers)}

    def _ask(self) -> None:
        names = [name for (name,) in self._cursor.execute("SELECT name FROM embeddings").fetchall()]
        what = self._choose.choice(["image", str(self._choose.choice(names)), "moving"])
        sql = "SELECT id, score FROM nearest($what, $query, k := 5) ORDER BY rank"
        if what == "moving":
            sql = "SELECT h.id, h.score FROM (SELECT unnest(emm1_topk($what || '.npy', $query, 5, 'cosine')) AS h)"
        found = self._cursor.execute(sql, {"what": what, "query": QUERY}).fetchall()
        self.answers.append((what, self._known[what], found))


@pytest.mark.filterwarnings("ignore:.*rows and no ids:emm1.errors.EmbeddingsWarning")
def test_64_connections_search_while_embeddings_come_and_change(
    store: emm1.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dice = np.random.default_rng(2)
    added = [f"added{number}" for number in range(ADDED)]
    for name in ("one", "other", *added):
        np.save(f"{name}.npy", dice.normal(size=(int(dice.integers(400, 800)), DIMS)).astype(np.float32))
    shutil.copy("one.npy", "moving.npy")
    known = {name: [best(name)] for name in added}
    known["image"] = known["moving"] = [best("one"), best("other")]
    store.add_embeddings("image", "one.npy", dataset="100m", modality="image")

    end = threading.Event()
    askers = [Asker(store, seed, end, known) for seed in range(CONNECTIONS)]
    with replaced_meanwhile("moving.npy", "other.npy", "one.npy"):
        for asker in askers:
            asker.start()
        for name in added:
            store.add_embeddings(name, f"{name}.npy", dataset="100m", modality="image")
            for replacement in ("other", "one"):
                store.add_embeddings("image", f"{replacement}.npy", dataset="100m", modality="image", replace=True)
            # Add the next one when a thread has found this one.
            while not any(name in asker.asked() for asker in askers) and any(asker.is_alive() for asker in askers):
                time.sleep(0.01)
        end.set()
        for asker in askers:
            asker.join()

    assert [asker.failure for asker in askers if asker.failure] == []
    answers = [answer for asker in askers for answer in asker.answers]
    assert {what for what, _, _ in answers} == known.keys()
    assert [answer for answer in answers if answer[2] not in answer[1]] == []
    names = store.sql("SELECT name FROM embeddings ORDER BY name").fetchall()
    assert [name for (name,) in names] == [*added, "image"]
    for name in added:
        rows = store.nearest(name, QUERY, k=5).fetchall()
        assert [(item, score) for _, item, score in rows] == best(name)
