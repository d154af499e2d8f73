"""A store that is closed says so by name, whatever is asked of it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emm1
from emm1.store.registered import Registered
from emm1.store.registry import Registry

ENTRY = Registered("y", "100m", "image", "cosine", Path("y.npy"), None)

ASKED: dict[str, Callable[[emm1.Store], Any]] = {
    "connection": lambda store: store.connection,
    "cursor": lambda store: store.cursor(),
    "sql": lambda store: store.sql("SELECT 1"),
    "sql that sets": lambda store: store.sql("SET VARIABLE emm1_root = '/data'"),
    "groups": lambda store: store.groups(1),
    "groups of": lambda store: store.groups(captions=[1]),
    "groups_frame": lambda store: store.groups_frame(1),
    "triplets": lambda store: store.triplets(),
    "triplets_frame": lambda store: store.triplets_frame(),
    "embeddings": lambda store: store.embeddings("x"),
    "metric": lambda store: store.metric("x"),
    "nearest": lambda store: store.nearest("x", np.ones(16)),
    "nearest where": lambda store: store.nearest("x", ids=[0], where="true", with_items=True),
    "add_embeddings": lambda store: store.add_embeddings("y", "y.npy", dataset="100m", modality="image"),
    "embed": lambda store: store.embed("y", "minilm", modality="text"),
    "eshot": lambda store: store.eshot("x", "x"),
    "ratings": lambda store: store.ratings({"image": "x"}),
    "evaluate": lambda store: store.evaluate(["x"]),
    "retrieval": lambda store: store.retrieval("x", "x"),
    "zero_shot": lambda store: store.zero_shot("x", "x", "SELECT 1"),
    "verify_groups": lambda store: store.verify_groups({"text": "x", "image": "x"}),
    "make_groups": lambda store: store.make_groups("own", {"text": "x", "image": "x"}),
    "score_groups": lambda store: store.score_groups("scores.parquet", {"text": "x", "image": "x"}),
    "add_flags": lambda store: store.add_flags({"dataset": ["100m"], "modality": ["image"], "id": [0]}, "seen"),
    "negatives": lambda store: store.negatives("x", "x", "negatives.parquet"),
    "flags": lambda store: store.flags(),
    "remove_flags": lambda store: store.remove_flags("seen"),
    "export": lambda store: store.export("e_mm1_100m.text", "csv", store.path.with_name("exported")),
    "lake": lambda store: store.lake(store.path.with_name("lake")),
    "check_media": lambda store: store.check_media(store.path.parent),
    "split": lambda store: store.split(5, 5),
    "leakage": lambda store: store.leakage(),
    "index_captions": lambda store: store.index_captions(),
    "match_captions": lambda store: store.match_captions("dog"),
    "duplicates": lambda store: store.duplicates("x", threshold=0.9),
    "licenses": lambda store: store.licenses(),
    "group_licenses": lambda store: store.group_licenses(),
    "map": lambda store: store.map("x"),
    "names": lambda store: list(store.registry),
    "values": lambda store: list(store.registry.values()),
    "number of names": lambda store: len(store.registry),
    "a name": lambda store: store.registry["x"],
    "models": lambda store: store.registry.models,
    "whether a name is known": lambda store: "x" in store.registry,
    "add": lambda store: store.registry.add("y", "y.npy", dataset="100m", modality="image"),
    "check_new": lambda store: store.registry.check_new(ENTRY, replace=False),
    "remove": lambda store: store.registry.remove("x"),
    "verify": lambda store: store.registry.verify("x"),
}


def test_every_method_is_asked() -> None:
    public = {name for kind in (*emm1.Store.__mro__[:-1], Registry) for name in vars(kind) if not name.startswith("_")}
    assert public - {"close", "registry"} <= {name.split()[0] for name in ASKED}


@pytest.mark.parametrize("by", ["close", "with", "connection"])
@pytest.mark.parametrize("thread", ["own", "other"])
def test_a_closed_store_says_so(tree: Path, tmp_path: Path, by: str, thread: str) -> None:
    store = emm1.build(tree, tmp_path / "mine.duckdb", splits=["eshot"])
    registry = store.registry
    if by == "with":
        with store:
            pass
    else:
        (store.close if by == "close" else store.connection.close)()
    with ThreadPoolExecutor(1) as pool:

        def run(ask: Callable[[emm1.Store], Any]) -> Any:
            return ask(store) if thread == "own" else pool.submit(ask, store).result()

        for name, ask in ASKED.items():
            with pytest.raises(emm1.StoreError, match=r"^mine\.duckdb is closed: open it again with emm1\.open$"):
                run(ask)
            assert registry is store.registry, name
    assert "mine.duckdb" in repr(store)
    store.close()
    with emm1.open(store.path, read_only=True) as again:
        assert again.sql("SELECT 1").fetchall() == [(1,)]


def test_a_store_is_not_pickled(store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        for what in (store, store.registry):
            for ask in (pickle.dumps, copy.deepcopy):
                with pytest.raises(emm1.StoreError, match=r"emm1\.duckdb is an open store.*pass its path"):
                    ask(what)
